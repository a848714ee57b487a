"""The check of an atlas: every picture of every shard is read and compared with its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kerasviz.atlas.shards import Shard, picture_path, read_shards, shard_path
from kerasviz.io.files import checksum
from kerasviz.io.storage import Storage

__all__ = ["Checked", "check", "discard"]


@dataclass
class Checked:
    """What was found: the shards whose pictures are all there, and what is wrong with others.

    ``faults`` has the paths of files that are missing or damaged, by task.
    """

    shards: list[Shard] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """How many files are missing or damaged."""
        return sum(map(len, self.faults.values()))

    @property
    def first(self) -> str:
        """One of them."""
        return next(iter(self.faults.values()))[0]


def check(
    storage: Storage, tasks: Sequence[str], keep: Callable[[str, bytes], None] | None = None
) -> Checked:
    """Read all pictures of tasks; ``keep`` is given the path and the bytes of those that are right.

    Not more than a few pictures are in memory at once.
    """
    found = Checked()
    owners: dict[str, str] = {}
    sums: dict[str, str] = {}
    for name, shard in read_shards(storage, tasks):
        if shard is None:
            found.faults[name] = [shard_path(name)]
            continue
        found.shards.append(shard)
        for entry in shard.entries:
            owners[picture_path(entry)] = name
            sums[picture_path(entry)] = entry.sha256
    for path, data in storage.read_many(list(owners)):
        if data is None or checksum(data) != sums[path]:
            found.faults.setdefault(owners[path], []).append(path)
        elif keep is not None:
            keep(path, data)
    found.shards = [shard for shard in found.shards if shard.task not in found.faults]
    return found


def discard(storage: Storage, faults: Checked) -> None:
    """Remove the shards of tasks with faults, so that they are done again."""
    for task, paths in faults.faults.items():
        storage.remove(shard_path(task))
        for path in paths:
            storage.remove(path)
