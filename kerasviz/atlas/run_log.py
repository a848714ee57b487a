"""The log of a run: the events of its workers, as lines of JSON in the storage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from kerasviz.atlas.engines import Began, Done, Event, Failed, Joined, Lost, Task, TaskAbandoned
from kerasviz.errors import KerasvizError
from kerasviz.io.storage import Storage

#: The folder of the logs in the storage.
FOLDER = "runs"
#: Seconds after which the log is written again. Files of object stores cannot be appended to.
INTERVAL = 10.0
#: Fields of events that are not in the log.
UNLOGGED = ("trace", "workers")
NAMES: dict[type[Any], str] = {
    Joined: "joined",
    Began: "began",
    Done: "done",
    Failed: "failed",
    Lost: "lost",
    TaskAbandoned: "given up",
}


class RunLog:
    """Writes ``runs/NAME.jsonl``: a line for the run, and one for each event with its second.

    A run continues if its log cannot be written.
    """

    def __init__(
        self,
        storage: Storage,
        name: str,
        about: dict[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.storage, self.name, self._clock = storage, name, clock
        self._began = self._written = clock()
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._lines = [json.dumps({"run": name, "began": began, **about})]

    def add(self, event: Event) -> None:
        """Add an event, and write the log if that was long ago."""
        fields = {name: value for name, value in vars(event).items() if name not in UNLOGGED}
        task, result = fields.pop("task", None), fields.pop("result", None)
        if isinstance(task, Task):
            fields |= {"task": task.name, "kind": task.group, "cost": round(task.cost, 4)}
        if isinstance(result, dict):
            fields |= {key: value for key, value in result.items() if key != "why"}
        self._add({"event": NAMES[type(event)], **fields})
        if self._clock() - self._written >= INTERVAL:
            self.save()

    def end(self) -> None:
        """Add the end of the run, and write the log."""
        self._add({"event": "ended"})
        self.save()

    def save(self) -> None:
        """Write all lines."""
        self._written = self._clock()
        data = "".join(f"{line}\n" for line in self._lines).encode()
        try:
            self.storage.write(f"{FOLDER}/{self.name}.jsonl", data)
        except KerasvizError:  # writing the pictures tells of a storage that fails
            return

    def _add(self, line: dict[str, Any]) -> None:
        rounded = {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in line.items()
        }
        self._lines.append(json.dumps({"at": round(self._clock() - self._began, 3), **rounded}))
