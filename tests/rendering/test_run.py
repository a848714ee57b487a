import hashlib

import pytest
from support.tiny import network

import kerasviz
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.manifest import MANIFEST, read_manifest
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store, slug
from kerasviz.rendering.verify import verify_pictures

SMALL = recipe("article").replace(steps=6, size=(12, 16))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != MANIFEST}


def test_a_second_run_makes_nothing(tmp_path):
    render_into(Store(tmp_path, network()), requests([1, 2, 4]))
    before = contents(tmp_path)
    again = render_into(Store(tmp_path, network()), requests([1, 2, 4]))
    assert (again.made, again.kept) == (0, 3)
    assert contents(tmp_path) == before


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path):
    wanted = requests(range(8), batch=4)
    render_into(Store(tmp_path / "whole", network()), wanted)

    def interrupt(report):
        if report.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_into(Store(tmp_path / "parts", network()), wanted, interrupt)
    assert len(contents(tmp_path / "parts")) == 4
    (tmp_path / "parts" / "joined-2.png").unlink()
    made = render_into(Store(tmp_path / "parts", network()), wanted)
    assert (made.made, made.kept) == (5, 3)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_picture_is_the_same_alone_and_among_others_of_a_batch_size(tmp_path):
    for name, units in (("a", [1, 2, 4, 5]), ("b", [5, 1]), ("c", [4])):
        render_into(Store(tmp_path / name, network()), requests(units, batch=4))
    for name in ("b", "c"):
        for file, data in contents(tmp_path / name).items():
            assert contents(tmp_path / "a")[file] == data


def test_a_damaged_picture_is_made_again(tmp_path):
    render_into(Store(tmp_path, network()), requests([1]))
    before = contents(tmp_path)
    (tmp_path / "joined-1.png").write_bytes(b"x")
    assert render_into(Store(tmp_path, network()), requests([1])).made == 1
    assert contents(tmp_path) == before


def test_one_picture_under_two_names_is_made_once(tmp_path):
    two = [*requests([1]), Request("the same", channel("joined", 1), SMALL)]
    assert render_into(Store(tmp_path, network()), two).made == 1
    again = Store(tmp_path, network())
    assert (render_into(again, two).made, again.complete(two[1])) == (0, True)
    assert list(contents(tmp_path)) == ["joined-1.png"]


def test_a_manifest_never_has_the_checksum_of_a_file_that_is_being_replaced(tmp_path, monkeypatch):
    """As on another machine: what is made again is not what was lost, and the run is killed."""
    render_into(Store(tmp_path, network()), requests([1, 2], snapshots=(0,)))
    (tmp_path / "joined-1.png").unlink()
    monkeypatch.setattr("kerasviz.rendering.picture_files.encode", lambda *arguments: b"otherwise")

    def killed(self, picture):
        write(self, picture)
        raise KeyboardInterrupt

    write = Store.add
    monkeypatch.setattr(Store, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        render_into(Store(tmp_path, network()), requests([1, 2], snapshots=(0,)))
    assert (tmp_path / "joined-1.png").read_bytes() == b"otherwise"
    for entry in read_manifest(tmp_path)["pictures"]:
        data = (tmp_path / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 96), (75, 102)])
@pytest.mark.parametrize("name", ["efficientnet-lite0", "googlenet.onnx"])
def test_pictures_of_real_networks_do_not_depend_on_their_batch(name, size, request, tmp_path):
    """Other neighbours, another order, and a resumed run give the same bytes."""
    if name.endswith(".onnx"):
        name = str(request.getfixturevalue("models_folder") / name)
    net = kerasviz.load(name)
    late = net.main_taps[-3]
    chosen = recipe("article").replace(steps=4, size=size)

    def make(folder, words, progress=None):
        targets = parse_targets(words, net)
        wanted = [Request(t.text, t.objective, chosen, 3, batch=4) for t in targets]
        return render_into(Store(tmp_path / folder, net), wanted, progress)

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
    results, _ = verify_pictures(tmp_path / "whole", net)
    assert {r.result for r in results} == {"same"}
