"""Read model cards, which hold what is known about a network beside its file, from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kerasviz.errors import ModelError, UsageError, near
from kerasviz.io.files import cache_folder
from kerasviz.network.input_spec import InputSpec


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class ModelFile:
    """Describe a file of a network; size 0 and an empty url mean unknown."""

    name: str
    sha256: str
    size: int = 0
    url: str = ""


@dataclass(frozen=True)
class Card:
    """Hold a model card.

    ``files`` are the network's files, the model itself first; ``archive`` is a zip file that holds
    them. ``builder`` is ``keras.applications.NAME``, or the module that makes an embedded network.
    ``input`` describes the numbers that the network takes. ``input_size`` is the (height, width) it
    was trained for, and ``free_size`` says whether it takes others. ``labels`` is ``imagenet1k``,
    or ``file:NAME`` for one of ``files`` with one label a line. ``aliases`` maps the names of the
    article's layers to the network's own taps, ``main_taps`` lists the layers to show first,
    ``figures`` holds units for the article's figures by figure.
    """

    name: str
    title: str
    description: str
    licence: str
    sources: tuple[str, ...]
    format: str
    builder: str = ""
    files: tuple[ModelFile, ...] = ()
    archive: ModelFile | None = None
    input: InputSpec | None = None
    input_size: tuple[int, int] = (224, 224)
    free_size: bool = True
    labels: str = ""
    logits: str | None = None
    main_taps: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    figures: Mapping[str, Any] = field(default_factory=_nothing, hash=False)

    @property
    def source(self) -> str:
        """Return where the network comes from, in short."""
        return self.sources[0] if self.sources else ""

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the model file, "" if a builder makes it."""
        return self.files[0].sha256 if self.files else ""

    @property
    def size(self) -> int:
        """Return the size of the model file in bytes, 0 if unknown."""
        return self.files[0].size if self.files else 0

    @property
    def embedded(self) -> bool:
        """Return whether the network is installed with the package and needs no fetching."""
        return self.builder.startswith("kerasviz.")

    @property
    def file_name(self) -> str:
        """Return the name of the model file in the cache."""
        return self.files[0].name if self.files else f"{self.name}.keras"


def cards() -> dict[str, Card]:
    """Return all model cards by name: the package's, and those of ``kerasviz models add``.

    >>> "efficientnet-lite0" in cards()
    True
    """
    by_name = dict(packaged_cards())
    folder = cards_folder()
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
        try:
            added = parse_card(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        by_name.setdefault(added.name, added)
    return by_name


def card(name: str) -> Card:
    """Return the card of a zoo network; raises :class:`UsageError` with the near names.

    >>> card("inceptionv1").input.mean
    (117.0,)
    """
    known = cards()
    if name not in known:
        raise UsageError(f"no zoo network {name!r}; near: {near(name, known)}")
    return known[name]


def card_for_checksum(sha256: str) -> Card | None:
    """Return the card of the network whose model file has this SHA-256, if there is one."""
    return next((c for c in cards().values() if sha256 and c.sha256 == sha256), None)


def packaged_folder() -> Path:
    """Return the folder of the cards: in the package of a wheel, in ``models/`` of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "model_cards"
    return installed if installed.is_dir() else package.parent / "models"


def packaged_cards() -> dict[str, Card]:
    """Return the cards that come with the package."""
    texts = {f.name: f.read_text(encoding="utf-8") for f in packaged_folder().glob("*.toml")}
    parsed = [parse_card(text, name) for name, text in texts.items()]
    parsed.sort(
        key=lambda c: (c.builder.startswith("keras."), c.name)
    )  # the many of keras.applications last
    return {c.name: c for c in parsed}


def parse_card(text: str, where: str) -> Card:
    """Make a card from the text of a TOML file; ``where`` names it in errors.

    Raises :class:`ModelError` for text that is not TOML, an unknown key or a missing one.
    """
    try:
        data = tomllib.loads(text)
        taken = data.pop("input", None)
        size, free = (224, 224), True
        if taken is not None:
            height, width = taken.pop("size", size)
            size, free = (int(height), int(width)), bool(taken.pop("free_size", True))
            taken = InputSpec.from_json({"source": f"card of {data.get('name')}", **taken})
        archive = data.pop("archive", None)
        return Card(
            files=tuple(ModelFile(**file) for file in data.pop("files", [])),
            archive=None if archive is None else ModelFile(**archive),
            input=taken,
            input_size=size,
            free_size=free,
            sources=tuple(data.pop("sources", [])),
            main_taps=tuple(data.pop("main_taps", [])),
            aliases=MappingProxyType(data.pop("aliases", {})),
            figures=MappingProxyType(data.pop("figures", {})),
            **data,
        )
    except (tomllib.TOMLDecodeError, TypeError, ValueError, UsageError) as error:
        raise ModelError(f"{Path(where).name} is no model card: {error}") from error


def networks_folder() -> Path:
    """Return the folder with one folder of files per network."""
    return cache_folder() / "networks"


def cards_folder() -> Path:
    """Return the folder with the cards of networks that the user added."""
    return cache_folder() / "cards"
