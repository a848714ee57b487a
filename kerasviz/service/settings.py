"""The settings of the service: address, networks, data folder, limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.zoo.model_source import ModelSource


@dataclass(frozen=True)
class Limits:
    """The limits of one request and of all together.

    ``side`` in pixels and ``steps`` of a picture, ``pictures`` of a request, ``queued`` pictures
    that wait or run, ``body_bytes``, ``upload_bytes`` and ``direction_bytes`` of a request,
    ``numbers`` of the directions of a request, ``disk_bytes`` of the data folder, ``rows`` of a
    request of ``visualize``, ``kept`` ended jobs, ``photos`` that were sent last,
    ``folder_images`` of a folder that is searched.
    """

    side: int = 512
    steps: int = 4096
    pictures: int = 64
    queued: int = 2000
    body_bytes: int = 32 * 2**20
    upload_bytes: int = 512 * 2**20
    direction_bytes: int = 32 * 2**20
    numbers: int = 2**20
    disk_bytes: int = 20 * 2**30
    rows: int = 16
    kept: int = 10_000
    photos: int = 1000
    folder_images: int = 10_000


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of a service and its workers.

    ``models`` are files and zoo names, ``data`` is the folder of all that is written, ``workers``
    the number of rendering processes (0: jobs wait). ``batch`` is the number of rows optimized at
    once, by default 8 on a GPU and 2 elsewhere; as it decides the last bits of a picture, it is
    part of every request. ``taps`` are those of the signatures ``activations`` and ``visualize``.
    ``reading``, without a path, tells how models are read, and ``cli_args`` are the same options;
    ``folder_args`` are those that name the folder of the data.
    ``origins`` are the sites whose pages may use the service (CORS), as ``https://example.org``,
    and ``framed_by`` those whose pages may show its page in a frame, as notebooks do. With
    ``filling``, pages request pictures of what is looked at by themselves. ``examples`` is a folder
    of dataset examples, in place of those in the data folder, and ``facets`` a folder of folders
    with photos: units have a picture steered towards each. A ``quiet`` service logs warnings
    and errors only.
    """

    data: Path
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8501
    workers: int = 1
    token: str | None = None
    allow_upload: bool = False
    origins: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()
    batch: int | None = None
    reading: ModelSource = field(default_factory=ModelSource)
    cli_args: tuple[str, ...] = ()
    folder_args: tuple[str, ...] = ()
    filling: bool = False
    framed_by: tuple[str, ...] = ()
    examples: Path | None = None
    facets: Path | None = None
    quiet: bool = False
    limits: Limits = field(default_factory=Limits)
    #: Seconds for running pictures at a stop; longer ones are queued again.
    grace: float = 5.0

    @property
    def pictures(self) -> Path:
        """The folder with a store for each network."""
        return self.data / "pictures"

    @property
    def previews(self) -> Path:
        """The folder of previews."""
        return self.data / "previews"

    @property
    def uploads(self) -> Path:
        """The folder of admitted uploads."""
        return self.data / "models"

    @property
    def quarantine(self) -> Path:
        """The folder of unchecked files."""
        return self.data / "quarantine"

    @property
    def directions(self) -> Path:
        """The folder of uploaded files of directions."""
        return self.data / "directions"

    @property
    def photos(self) -> Path:
        """The folder of uploaded photos."""
        return self.data / "photos"

    @property
    def folders(self) -> Path:
        """The folder of the folders of images that are searched."""
        return self.data / "folders"

    def examples_of(self, name: str) -> Path:
        """Return the folder of what was found in the images of a network."""
        return self.data / "examples" / name

    @property
    def notes(self) -> Path:
        """The folder of the names and stars of units."""
        return self.data / "notes"

    @property
    def database(self) -> Path:
        """The database of jobs."""
        return self.data / "jobs.sqlite"

    def sources(self) -> dict[str, str]:
        """Return the files and zoo names by the names under which they are served.

        Raises :class:`UsageError` for two models of one name.
        """
        return named(self.models)


def named(models: Iterable[str]) -> dict[str, str]:
    """Return models by the names under which they are served."""
    sources: dict[str, str] = {}
    for model in models:
        name = served_name(model)
        if sources.setdefault(name, model) != model:
            raise UsageError(
                f"{sources[name]} and {model} would both be served as {name!r}; rename one of them"
            )
    return sources


def served_name(model: str) -> str:
    """Return the name under which a model is served: letters, digits and ``_ . -``.

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
