from __future__ import annotations

import hashlib
from pathlib import Path

from support.tiny import network

from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.picture_files import Origin, content_name, entries_of
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request, with_diversity
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
