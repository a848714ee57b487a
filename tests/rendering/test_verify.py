import json

from PIL import Image
from support.tiny import network

from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.manifest import MANIFEST
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

SMALL = recipe("article").replace(steps=6, size=(12, 16))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != MANIFEST}


def test_verify_makes_all_again_in_the_recorded_batch_sizes(tmp_path):
    store = Store(tmp_path, network())
    render_into(store, requests([1, 2, 4, 5], snapshots=(0,)))
    render_into(store, requests([7]))
    results, notes = verify_pictures(tmp_path, network())
    assert {r.result for r in results} == {"same"} and len(results) == 9
    assert notes == []


def test_verify_sees_what_is_wrong(tmp_path):
    render_into(Store(tmp_path, network()), requests([1, 2, 4]))
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
    results, notes = verify_pictures(tmp_path, network())
    found = {r.file: r.result for r in results}
    assert found.get("joined-2.png") == "changed" and found.get("joined-4.png") == "missing"
    assert found["joined-1.png"] == "differs"
    assert len(notes) == 1 and notes[0].startswith("device: recorded an abacus, here")


def test_pictures_of_layers_that_share_a_loop_are_made_again(tmp_path):
    net = network()
    shared = [
        Request(f"{tap}:1", channel(tap, 1), SMALL, loop_layers=("joined", "left"))
        for tap in ("joined", "left")
    ]
    render_into(Store(tmp_path, net), shared)
    results, _ = verify_pictures(tmp_path, network())
    assert [r.result for r in results] == ["same", "same"]
