"""The progress of a run: finished pictures, workers and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kerasviz.atlas.engines import Done, Event, Failed, Lost, TaskAbandoned
from kerasviz.atlas.worker import MADE


@dataclass
class RunProgress:
    """Counts of a run.

    ``sizes`` has the number of pictures of each task by name. ``done`` are the tasks that any run
    has finished. This run has made ``made`` pictures of ``size`` bytes and has ``alive`` workers.
    ``failures`` are counted by reason. ``abandoned`` has tasks with their last errors.
    ``elsewhere`` says that only other runs have tasks. The check found ``repaired`` files missing
    or damaged. ``stage`` says what the run does while nothing is rendered.
    """

    sizes: Mapping[str, int]
    done: set[str] = field(default_factory=set)
    made: int = 0
    size: int = 0
    alive: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    abandoned: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    repaired: int = 0
    stage: str = ""

    @property
    def pictures(self) -> int:
        """The number of pictures of the atlas."""
        return sum(self.sizes.values())

    @property
    def finished(self) -> int:
        """The number of pictures that are finished."""
        return sum(self.sizes[name] for name in self.done)

    @property
    def kept(self) -> str:
        """Say what is kept when a run ends early."""
        count = self.finished
        pictures = "finished picture is" if count == 1 else "finished pictures are"
        return f"{count} {pictures} kept, the same command continues from there"

    def update_done(self, tasks: Iterable[str]) -> None:
        """Set the tasks that have shards in the storage."""
        self.done = {name for name in tasks if name in self.sizes}

    def add(self, event: Event, alive: int) -> None:
        """Count an event, and set the number of workers."""
        self.alive = alive
        if isinstance(event, Done):
            if event.result["state"] == MADE:
                self.made += event.result["pictures"]
                self.size += event.result["bytes"]
                self.done.add(event.task.name)
        elif isinstance(event, Failed | Lost):
            self.failures[event.reason] += 1
        elif isinstance(event, TaskAbandoned):
            self.abandoned[event.task.name] = event.reason
