"""Shards: one file for each finished task, with its part of the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kerasviz.io.storage import Storage
from kerasviz.rendering.manifest import DerivedFile, Entry, entry_of

#: The folder of the shards in the storage.
FOLDER = "shards"
#: The folder of the pictures in the storage.
PICTURES = "pictures"
SUFFIX = ".jsonl"


@dataclass
class Shard:
    """The entries of a task's pictures, with the settings and environments that they name.

    ``beside`` are the files beside pictures of signals.
    Its lines are those of a manifest's journal. The first has the number of entries, by which a
    truncated shard is known.
    """

    task: str
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    beside: list[DerivedFile] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Return the lines of its file."""
        lines: list[dict[str, Any]] = [{"task": self.task, "pictures": len(self.entries)}]
        lines += [{"request": name, "is": data} for name, data in self.requests.items()]
        lines += [{"environment": name, "is": data} for name, data in self.environments.items()]
        lines += [{"picture": entry.to_json()} for entry in self.entries]
        lines += [{"copied": vars(file)} for file in self.beside]
        text = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
        return "".join(f"{line}\n" for line in text).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Shard | None:
        """Read the lines of a file; ``None`` if they are damaged."""
        try:
            first, *lines = (json.loads(line) for line in data.splitlines())
            shard = cls(first["task"])
            for line in lines:
                if "picture" in line:
                    shard.entries.append(entry_of(line["picture"]))
                elif "copied" in line:
                    shard.beside.append(DerivedFile(**line["copied"]))
                elif "request" in line:
                    shard.requests[line["request"]] = line["is"]
                else:
                    shard.environments[line["environment"]] = line["is"]
        except (ValueError, KeyError, TypeError):
            return None
        known = {e.request for e in shard.entries} <= {*shard.requests}
        known &= {e.environment for e in shard.entries} <= {*shard.environments}
        return shard if known and len(shard.entries) == first["pictures"] else None


def shard_path(task: str) -> str:
    """Return the path of a task's shard."""
    return f"{FOLDER}/{task}{SUFFIX}"


def picture_path(entry: Entry | DerivedFile) -> str:
    """Return the path of a picture, or of a file beside one."""
    return f"{PICTURES}/{entry.file}"


def finished(storage: Storage) -> set[str]:
    """Return the names of the tasks that have shards."""
    names = storage.names(FOLDER)
    return {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}


def read_shards(storage: Storage, tasks: Iterable[str]) -> Iterator[tuple[str, Shard | None]]:
    """Yield the shards of tasks, ``None`` for missing and damaged ones."""
    names = list(tasks)
    files = storage.read_many([shard_path(name) for name in names])
    for name, (_, data) in zip(names, files, strict=True):
        shard = None if data is None else Shard.from_bytes(data)
        yield name, shard if shard is not None and shard.task == name else None
