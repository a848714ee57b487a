"""How the service runs: where it listens, what it serves, where it keeps things, its limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.zoo.model_source import ModelSource

__all__ = ["Limits", "ServiceSettings", "served_name"]


@dataclass(frozen=True)
class Limits:
    """What a request may ask for, and what all may take together.

    ``side`` in pixels, ``steps`` of a picture, ``pictures`` of a request, ``queued`` pictures that
    wait or run, ``body_bytes`` and ``upload_bytes`` of a request, ``disk_bytes`` under the data
    folder, ``rows`` of a request of ``visualize``, ``kept`` jobs that have ended.
    """

    side: int = 512
    steps: int = 4096
    pictures: int = 64
    queued: int = 2000
    body_bytes: int = 32 * 2**20
    upload_bytes: int = 512 * 2**20
    disk_bytes: int = 20 * 2**30
    rows: int = 16
    kept: int = 10_000


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of a service; workers get them too.

    ``models`` are files and zoo names, ``data`` is the folder of everything that is kept,
    ``workers`` the number of processes that render (0: jobs wait). ``batch`` is the number of rows
    that are optimized at once; with ``None`` it is 8 on a GPU and 2 elsewhere. It is a part of
    every request, because it decides the last bits of a picture. ``taps`` are those of the
    signatures ``activations`` and ``visualize``, of the networks that have them. ``reading``, which
    has no path, says how all models are read, and ``cli_args`` are the options that say the same.
    """

    data: Path
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8501
    workers: int = 1
    token: str | None = None
    allow_upload: bool = False
    taps: tuple[str, ...] = ()
    batch: int | None = None
    reading: ModelSource = field(default_factory=ModelSource)
    cli_args: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    #: Seconds for what runs when the service is told to stop; what takes longer is queued again.
    grace: float = 5.0

    @property
    def pictures(self) -> Path:
        """The folder with a store for each network."""
        return self.data / "pictures"

    @property
    def previews(self) -> Path:
        """The folder of pictures that are being made."""
        return self.data / "previews"

    @property
    def uploads(self) -> Path:
        """The folder of models that were admitted."""
        return self.data / "models"

    @property
    def database(self) -> Path:
        """The file of the jobs."""
        return self.data / "jobs.sqlite"

    def sources(self) -> dict[str, str]:
        """The files and zoo names by the names under which they are served.

        Raises :class:`UsageError` for two of one name.
        """
        return named(self.models)


def named(models: Iterable[str]) -> dict[str, str]:
    """Models by the names under which they are served."""
    found: dict[str, str] = {}
    for model in models:
        name = served_name(model)
        if found.setdefault(name, model) != model:
            raise UsageError(
                f"{found[name]} and {model} would both be served as {name!r}; rename one of them"
            )
    return found


def served_name(model: str) -> str:
    """The name under which a file or a zoo network is served: letters, digits and ``_ . -``.

    >>> served_name("models/squeezenet1_1.onnx"), served_name("efficientnet-lite0")
    ('squeezenet1_1', 'efficientnet-lite0')
    >>> served_name("served/cat/1")
    'cat'
    """
    path = Path(model)
    known = {".onnx", ".keras", ".h5", ".hdf5", ".pb"}
    name = path.stem if path.suffix.lower() in known else path.name
    if name.isdecimal():  # the version of a SavedModel
        name = path.resolve().parent.name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".-") or "model"
