"""The tally of a run: how far it is, who works, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kerasviz.atlas.engines import Done, Event, Failed, Lost, TaskAbandoned
from kerasviz.atlas.worker import MADE

__all__ = ["RunProgress"]


@dataclass
class RunProgress:
    """Counts of a run, of which the progress is told.

    ``sizes`` are the numbers of pictures of all tasks by name, ``done`` the tasks that are finished
    by whatever run. ``made`` pictures and ``size`` bytes are of this run; ``alive`` are its
    workers; ``failures`` count by reason; ``given`` are tasks that were given up, with the last
    error; ``elsewhere`` says that only other runs have something to do; ``repaired`` files were
    found missing or damaged; ``stage`` says what is done where nothing is rendered.
    """

    sizes: Mapping[str, int]
    done: set[str] = field(default_factory=set)
    made: int = 0
    size: int = 0
    alive: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    given: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    repaired: int = 0
    stage: str = ""

    @property
    def pictures(self) -> int:
        """All pictures of the atlas."""
        return sum(self.sizes.values())

    @property
    def finished(self) -> int:
        """The pictures that are there."""
        return sum(self.sizes[name] for name in self.done)

    @property
    def kept(self) -> str:
        """What is not lost when a run ends early, in words."""
        count = self.finished
        words = "finished picture is" if count == 1 else "finished pictures are"
        return f"{count} {words} kept, the same command goes on from there"

    def found(self, tasks: Iterable[str]) -> None:
        """Tasks whose shards are there."""
        self.done = {name for name in tasks if name in self.sizes}

    def note(self, event: Event, alive: int) -> None:
        """Count an event."""
        self.alive = alive
        if isinstance(event, Done):
            state = event.result["state"]
            if state == MADE:
                self.made += event.result["pictures"]
                self.size += event.result["bytes"]
                self.done.add(event.task.name)
        elif isinstance(event, Failed | Lost):
            self.failures[event.reason] += 1
        elif isinstance(event, TaskAbandoned):
            self.given[event.task.name] = event.reason
