import hashlib
import json

import pytest
from support.tiny import network

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.images import decode
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import with_diversity
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


def test_pictures_manifest_and_provenance(tmp_path):
    net = network()
    store = Store(tmp_path, net)
    made = render_into(store, requests([1, 2], snapshots=(0, 3)))
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
    render_into(Store(tmp_path, network()), requests([1]))
    _, about = decode((tmp_path / "joined-1.png").read_bytes())
    assert str(tmp_path) not in json.dumps(about)


def test_other_settings_get_other_names(tmp_path):
    store = Store(tmp_path, network())
    render_into(store, requests([1]))
    render_into(store, requests([1], seed=3))
    longer = [Request("joined:1", channel("joined", 1), SMALL.replace(steps=7))]
    render_into(store, longer)
    names = sorted(contents(tmp_path))
    assert "joined-1.png" in names and "joined-1-seed3.png" in names and len(names) == 3
    assert store.find(longer[0])[0].step == 7


def test_a_file_that_shows_pictures_otherwise_is_noted(tmp_path, monkeypatch):
    net, path = network(), tmp_path / "layers" / "a.jpg"
    path.parent.mkdir()
    store = Store(tmp_path / "pictures", net)
    render_into(store, requests([1]))
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
    render_into(store, [request])
    assert [e.file for e in store.find(request)] == [f"joined-1-{i}.png" for i in range(3)]
    assert [r.result for r in verify_pictures(tmp_path, network())[0]] == ["same"] * 3


def test_another_models_folder_is_refused(tmp_path):
    render_into(Store(tmp_path, network()), requests([1]))
    with pytest.raises(UsageError, match="holds pictures of another model, tiny"):
        Store(tmp_path, network(seed=1, name="other"))


def test_a_folder_without_or_with_a_damaged_manifest(tmp_path):
    with pytest.raises(UsageError, match=r"holds no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(KerasvizError, match="is damaged"):
        read_manifest(tmp_path)


def test_slugs_are_file_names():
    assert slug("-mixed4a:1") != slug("mixed4a:1")
    assert "/" not in slug("a/b:1@3,4") and len(slug("x:1 + " * 50)) <= 80
