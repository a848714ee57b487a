from __future__ import annotations

from kerasviz.atlas.shards import Shard, picture_path
from kerasviz.rendering.manifest import DerivedFile, Entry


def test_a_shard_keeps_the_files_beside_its_pictures():
    entry = Entry("objects/1f/1f.png", "1f", "key", "conv:1", 8, 0, 1, 0.5, "r", "e")
    beside = [DerivedFile("objects/1f/1f.npy", "2e"), DerivedFile("objects/1f/1f.csv", "3d")]
    shard = Shard("task", {"r": {"seed": 0}}, {"e": {"python": "3"}}, [entry], beside)
    assert Shard.from_bytes(shard.to_bytes()) == shard
    assert picture_path(beside[0]) == "pictures/objects/1f/1f.npy"
    assert Shard.from_bytes(shard.to_bytes().replace(b'"file":"objects/1f/1f.npy",', b"")) is None
    plain = Shard("task", shard.requests, shard.environments, [entry])
    assert b"copied" not in plain.to_bytes()
