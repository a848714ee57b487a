"""The check of an atlas: all pictures of all shards are read and compared with their checksums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kerasviz.atlas.shards import Shard, picture_path, read_shards, shard_path
from kerasviz.io.files import checksum
from kerasviz.io.storage import Storage
from kerasviz.rendering.manifest import DerivedFile, Entry


@dataclass
class CheckResult:
    """The shards whose pictures are all right, and what is wrong with others.

    ``faults`` has the paths of missing or damaged files by task.
    """

    shards: list[Shard] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """The number of missing or damaged files."""
        return sum(map(len, self.faults.values()))

    @property
    def first(self) -> str:
        """One of the missing or damaged files."""
        return next(iter(self.faults.values()))[0]


def check(
    storage: Storage, tasks: Sequence[str], keep: Callable[[str, bytes], None] | None = None
) -> CheckResult:
    """Read all pictures of tasks, and pass path and bytes of the right ones to ``keep``.

    Only a few pictures are in memory at once.
    """
    result = CheckResult()
    owners: dict[str, str] = {}
    sums: dict[str, str] = {}
    for name, shard in read_shards(storage, tasks):
        if shard is None:
            result.faults[name] = [shard_path(name)]
            continue
        result.shards.append(shard)
        files: list[Entry | DerivedFile] = [*shard.entries, *shard.beside]
        for entry in files:
            owners[picture_path(entry)] = name
            sums[picture_path(entry)] = entry.sha256
    for path, data in storage.read_many(list(owners)):
        if data is None or checksum(data) != sums[path]:
            result.faults.setdefault(owners[path], []).append(path)
        elif keep is not None:
            keep(path, data)
    result.shards = [shard for shard in result.shards if shard.task not in result.faults]
    return result


def discard(storage: Storage, result: CheckResult) -> None:
    """Remove the shards of tasks with faults, so that the tasks are done again."""
    for task, paths in result.faults.items():
        storage.remove(shard_path(task))
        for path in paths:
            storage.remove(path)
