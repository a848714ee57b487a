import hashlib
import json

import pytest
from PIL import Image
from support.tiny import network

import kerasviz
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.images import decode
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import parse_target, parse_targets
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.request import Request, with_diversity
from kerasviz.rendering.store import MANIFEST, Store, read_manifest, slug
from kerasviz.rendering.verify import verify

SMALL = recipe("article").replace(steps=6, size=(12, 16))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != MANIFEST}


def test_pictures_manifest_and_provenance(tmp_path):
    net = network()
    store = Store(tmp_path, net)
    made = store.make(requests([1, 2], snapshots=(0, 3)))
    assert (made.made, made.kept) == (2, 0)
    assert sorted(contents(tmp_path)) == sorted(
        f"joined-{u}{s}.png" for u in (1, 2) for s in ("", ".step00000", ".step00003")
    )
    manifest = read_manifest(tmp_path)
    assert manifest["network"]["sha256"] == net.identity.sha256
    for entry in manifest["pictures"]:
        data = (tmp_path / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        image, about = decode(data)
        assert image.size == (16, 12)
        assert about["target"] == entry["target"] and about["step"] == entry["step"]
        again = Request.from_json(about["target"], about)
        assert again.key(net) == entry["key"]


def test_nothing_of_this_machine_is_in_a_picture(tmp_path):
    Store(tmp_path, network()).make(requests([1]))
    _, about = decode((tmp_path / "joined-1.png").read_bytes())
    assert str(tmp_path) not in json.dumps(about)


def test_a_second_run_makes_nothing(tmp_path):
    Store(tmp_path, network()).make(requests([1, 2, 4]))
    before = contents(tmp_path)
    again = Store(tmp_path, network()).make(requests([1, 2, 4]))
    assert (again.made, again.kept) == (0, 3)
    assert contents(tmp_path) == before


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path):
    wanted = requests(range(8), batch=4)
    Store(tmp_path / "whole", network()).make(wanted)

    def interrupt(report):
        if report.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path / "parts", network()).make(wanted, interrupt)
    assert len(contents(tmp_path / "parts")) == 4
    (tmp_path / "parts" / "joined-2.png").unlink()
    made = Store(tmp_path / "parts", network()).make(wanted)
    assert (made.made, made.kept) == (5, 3)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_picture_is_the_same_alone_and_among_others_of_a_batch_size(tmp_path):
    for name, units in (("a", [1, 2, 4, 5]), ("b", [5, 1]), ("c", [4])):
        Store(tmp_path / name, network()).make(requests(units, batch=4))
    for name in ("b", "c"):
        for file, data in contents(tmp_path / name).items():
            assert contents(tmp_path / "a")[file] == data


def test_a_damaged_picture_is_made_again(tmp_path):
    Store(tmp_path, network()).make(requests([1]))
    before = contents(tmp_path)
    (tmp_path / "joined-1.png").write_bytes(b"x")
    assert Store(tmp_path, network()).make(requests([1])).made == 1
    assert contents(tmp_path) == before


def test_other_settings_get_other_names(tmp_path):
    store = Store(tmp_path, network())
    store.make(requests([1]))
    store.make(requests([1], seed=3))
    longer = [Request("joined:1", channel("joined", 1), SMALL.replace(steps=7))]
    store.make(longer)
    names = sorted(contents(tmp_path))
    assert "joined-1.png" in names and "joined-1-seed3.png" in names and len(names) == 3
    assert store.find(longer[0])[0].step == 7


def test_one_picture_under_two_names_is_made_once(tmp_path):
    two = [*requests([1]), Request("the same", channel("joined", 1), SMALL)]
    assert Store(tmp_path, network()).make(two).made == 1
    again = Store(tmp_path, network())
    assert (again.make(two).made, again.complete(two[1])) == (0, True)
    assert list(contents(tmp_path)) == ["joined-1.png"]


def test_a_manifest_never_has_the_checksum_of_a_file_that_is_being_replaced(tmp_path, monkeypatch):
    """As on another machine: what is made again is not what was lost, and the run is killed."""
    Store(tmp_path, network()).make(requests([1, 2], snapshots=(0,)))
    (tmp_path / "joined-1.png").unlink()
    monkeypatch.setattr("kerasviz.rendering.picture_files.encode", lambda *arguments: b"otherwise")

    def killed(self, picture):
        write(self, picture)
        raise KeyboardInterrupt

    write = Store.add
    monkeypatch.setattr(Store, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path, network()).make(requests([1, 2], snapshots=(0,)))
    assert (tmp_path / "joined-1.png").read_bytes() == b"otherwise"
    for entry in read_manifest(tmp_path)["pictures"]:
        data = (tmp_path / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_a_file_that_shows_pictures_otherwise_is_noted(tmp_path, monkeypatch):
    net, path = network(), tmp_path / "layers" / "a.jpg"
    path.parent.mkdir()
    store = Store(tmp_path / "pictures", net)
    store.make(requests([1]))
    store.copy(path, b"one")
    assert "copied" not in read_manifest(store.folder)  # not saved yet
    store.merge()
    written = path.stat().st_mtime_ns, (store.folder / MANIFEST).stat().st_mtime_ns
    again = Store(store.folder, net)
    again.copy(path, b"one")
    again.merge()
    assert (path.stat().st_mtime_ns, (store.folder / MANIFEST).stat().st_mtime_ns) == written
    noted = [{"file": "../layers/a.jpg", "sha256": hashlib.sha256(b"one").hexdigest()}]
    assert read_manifest(store.folder)["copied"] == noted
    assert again.copied_bytes(path) == b"one"
    path.write_bytes(b"damaged")
    assert again.copied_bytes(path) == b""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kerasviz.rendering.store.write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            again.copy(path, b"two")
    assert "copied" not in read_manifest(store.folder)  # no checksum of what is being replaced
    again.copy(path, b"two")
    again.merge()
    assert Store(store.folder, net).copied_bytes(path) == path.read_bytes() == b"two"
    again.remove_copy(path)
    assert not path.exists() and "copied" not in read_manifest(store.folder)


def test_diverse_pictures_are_numbered(tmp_path):
    net = network()
    (target,) = parse_target("joined:1", net)
    request = Request("joined:1", with_diversity(target, net).objective, SMALL, rows=3)
    store = Store(tmp_path, net)
    store.make([request])
    assert [e.file for e in store.find(request)] == [f"joined-1-{i}.png" for i in range(3)]
    assert [r.result for r in verify(tmp_path, network())[0]] == ["same"] * 3


def test_another_models_folder_is_refused(tmp_path):
    Store(tmp_path, network()).make(requests([1]))
    with pytest.raises(UsageError, match="holds pictures of another model, tiny"):
        Store(tmp_path, network(seed=1, name="other"))


def test_verify_makes_all_again_in_the_recorded_batch_sizes(tmp_path):
    store = Store(tmp_path, network())
    store.make(requests([1, 2, 4, 5], snapshots=(0,)))
    store.make(requests([7]))
    results, notes = verify(tmp_path, network())
    assert {r.result for r in results} == {"same"} and len(results) == 9
    assert notes == []


def test_verify_sees_what_is_wrong(tmp_path):
    Store(tmp_path, network()).make(requests([1, 2, 4]))
    image = Image.open(tmp_path / "joined-2.png").convert("RGB")
    image.putpixel((0, 0), (1, 2, 3))
    image.save(tmp_path / "joined-2.png")
    (tmp_path / "joined-4.png").unlink()
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    # a manifest that was written for another seed: what is made again is another picture
    for request in manifest["requests"].values():
        request["seed"] = 5
    for environment in manifest["environments"].values():
        environment["device"] = "an abacus"
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    results, notes = verify(tmp_path, network())
    found = {r.file: r.result for r in results}
    assert found.get("joined-2.png") == "changed" and found.get("joined-4.png") == "missing"
    assert found["joined-1.png"] == "differs"
    assert len(notes) == 1 and notes[0].startswith("device: recorded an abacus, here")


def test_a_folder_without_or_with_a_damaged_manifest(tmp_path):
    with pytest.raises(UsageError, match=r"holds no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(KerasvizError, match="is damaged"):
        read_manifest(tmp_path)


def test_slugs_are_file_names():
    assert slug("-mixed4a:1") != slug("mixed4a:1")
    assert "/" not in slug("a/b:1@3,4") and len(slug("x:1 + " * 50)) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 96), (75, 102)])
@pytest.mark.parametrize("name", ["efficientnet-lite0", "googlenet.onnx"])
def test_pictures_of_real_networks_do_not_depend_on_their_batch(name, size, request, tmp_path):
    """Other neighbours, another order, and a resumed run give the same bytes."""
    if name.endswith(".onnx"):
        name = str(request.getfixturevalue("models_folder") / name)
    net = kerasviz.load(name)
    late = net.main_taps[-3]
    chosen = recipe("article").replace(steps=12, size=size)

    def make(folder, words, progress=None):
        targets = parse_targets(words, net)
        wanted = [Request(t.text, t.objective, chosen, 3, batch=4) for t in targets]
        return Store(tmp_path / folder, net).make(wanted, progress)

    def interrupt(report):
        if report.done:
            raise KeyboardInterrupt

    units = [f"{late}:{u}" for u in (1, 20, 40, 60, 80, 100, 120, 140)]
    make("whole", units)
    whole = contents(tmp_path / "whole")
    make("turned", units[::-1])
    assert contents(tmp_path / "turned") == whole
    make("others", [units[5], f"{late}:7", f"{late}:8"])
    file = f"{slug(units[5])}-seed3.png"
    assert contents(tmp_path / "others")[file] == whole[file]
    with pytest.raises(KeyboardInterrupt):
        make("parts", units, interrupt)
    (tmp_path / "parts" / (slug(units[2]) + "-seed3.png")).unlink()
    assert make("parts", units).made == 5
    assert contents(tmp_path / "parts") == whole
    classes = ["logit:1", "logit:20", "logit:300", "logit:4"]
    make("classes", classes)
    make("one class", ["logit:300", "logit:9"])
    file = "logit-300-seed3.png"
    assert contents(tmp_path / "classes")[file] == contents(tmp_path / "one class")[file]
    results, _ = verify(tmp_path / "whole", net)
    assert {r.result for r in results} == {"same"}
