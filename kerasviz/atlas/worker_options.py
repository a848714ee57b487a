"""What the workers of an atlas are, and how many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from kerasviz.errors import UsageError, check_choice, whole_number
from kerasviz.types import EngineName

if TYPE_CHECKING:
    from kerasviz.atlas.engines import Engine


@dataclass(frozen=True)
class WorkerOptions:
    """Choose the workers: processes of this machine, or actors of a Ray cluster at ``address``.

    ``workers`` is their number, by default as many as there are cores or GPUs for, and ``threads``
    their cores. Raises :class:`UsageError` for another engine and numbers below 1.
    """

    engine: str = "local"
    address: str | None = None
    workers: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, get_args(EngineName))
        if self.address is not None and self.engine != "ray":
            raise UsageError("--address is for Ray; add --engine ray")
        for name in ("workers", "threads"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))

    def with_threads(self, threads: int) -> WorkerOptions:
        """Return the options with the cores of each worker."""
        return replace(self, threads=threads)

    def maker(self) -> Callable[[], Engine]:
        """Return a function that makes the engine; a package that is missing is an error now."""
        from kerasviz.atlas.engines import local_engine, ray_engine

        def make() -> Engine:
            threads = self.threads or 1
            if self.engine == "ray":
                return ray_engine(self.address, self.workers, threads)
            return local_engine(self.workers, threads)

        make()
        return make

    def to_json(self) -> dict[str, Any]:
        """Return what the log of a run says of its workers."""
        return {"engine": self.engine, "workers": self.workers, "threads": self.threads or 1}
