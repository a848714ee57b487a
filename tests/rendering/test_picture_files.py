from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from support.tiny import network

from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import with_diversity
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.fill import render_in
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.picture_files import Origin, content_name, entries_of
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store


def test_content_names_hold_the_bytes_of_the_store(tmp_path: Path) -> None:
    net, short = network(), recipe("article").replace(steps=3, size=(12, 16))
    facets = with_diversity(Target("joined:2", channel("joined", 2)), net).objective
    requests = [
        Request("joined:1", channel("joined", 1), short, snapshots=(0,)),
        Request("joined:2", facets, short, rows=2),
    ]
    store = Store(tmp_path, net)
    render_into(store, requests)
    theirs = {(e.key, e.row, e.step): e for e in store.entries.values()}
    count = 0
    for batch in make_batches(net, requests):
        for picture in render_batch(net, batch):
            origin = Origin(network_provenance(net), environment(), picture.request.key(net))
            for entry, data in entries_of(picture, origin, content_name):
                count += 1
                found = theirs[entry.key, entry.row, entry.step]
                assert data == (tmp_path / found.file).read_bytes()
                name = hashlib.sha256(data).hexdigest()
                assert entry.file == f"objects/{name[:2]}/{name}.png"
                assert {**vars(entry), "file": found.file} == vars(found)
    assert count == len(store.entries) == 4


def test_the_opacity_of_a_picture_is_in_its_file_and_read_back(tmp_path: Path) -> None:
    net, short = network(), recipe("article").replace(steps=3, size=(12, 16))
    request = Request("joined:1", channel("joined", 1), short, snapshots=(0, 2))
    (batch,) = make_batches(net, [request])
    (picture,) = render_batch(net, batch)
    opacity = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(12, 16)
    picture = replace(picture, opacity=opacity, snapshot_opacities={2: opacity[::-1]})
    store = Store(tmp_path, net)
    store.add(picture)
    store.merge()
    modes = {e.step: Image.open(tmp_path / e.file).mode for e in store.entries.values()}
    assert modes == {0: "RGB", 2: "RGBA", 3: "RGBA"}
    marks = {e.step: e.to_json().get("transparent") for e in Store(tmp_path, net).entries.values()}
    assert marks == {0: None, 2: True, 3: True}
    rendering = render_in(store, [request], lambda _: {}, progress=False)
    (found,) = rendering
    assert found.opacity is not None and set(found.snapshot_opacities) == {2}
    np.testing.assert_allclose(found.opacity, opacity, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(found.snapshot_opacities[2], opacity[::-1], atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(found.image, picture.image, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(rendering.opacities[0], found.opacity)
    assert found.to_pil(2).tobytes() == picture.to_pil(2).tobytes()
