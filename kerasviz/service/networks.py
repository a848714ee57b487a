"""The networks of a service: each is loaded once, by whoever asks first."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

if TYPE_CHECKING:
    from kerasviz.network.network import Network

__all__ = ["ABOUT", "Networks", "UnknownNetworkError", "load"]

#: The file beside an admitted upload: ``{"file": NAME, "preprocess": PRESET or null}``.
ABOUT = "about.json"


class UnknownNetworkError(UsageError):
    """No network of that name is served."""


@dataclass
class _ServedNetwork:
    """A network that is served, whether or not it is loaded."""

    source: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    net: Network | None = None
    error: str | None = None


class Networks:
    """The networks by the names under which they are served: those named, and those uploaded.

    May be used by many threads. A network that cannot be loaded raises the same error again.
    """

    def __init__(self, setting: ServiceSettings):
        self.setting = setting
        self._places = {name: _ServedNetwork(source) for name, source in setting.sources().items()}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The names of all networks, those that were named first."""
        self._find_uploads()
        return list(self._places)

    def __contains__(self, name: str) -> bool:
        return self._place(name) is not None

    def loaded(self, name: str) -> bool:
        """Whether a network is loaded."""
        place = self._place(name)
        return place is not None and place.net is not None

    def error(self, name: str) -> str | None:
        """Why a network could not be loaded, if it could not."""
        place = self._place(name)
        return None if place is None else place.error

    def get(self, name: str) -> Network:
        """The network of that name, loaded now if it is not yet.

        Raises :class:`UnknownNetworkError`, and what :func:`kerasviz.zoo.load.load` raises.
        """
        place = self._place(name)
        if place is None:
            raise UnknownNetworkError(f"no network {name!r}; near: {near(name, self.names())}")
        with place.lock:
            if place.net is None:
                if place.error is not None:
                    raise KerasvizError(place.error)
                try:
                    place.net = self._load(name)
                except KerasvizError as error:
                    place.error = str(error)
                    raise
            return place.net

    def load_all(self, loaded: Callable[[str], None] | None = None) -> None:
        """Load all networks; those that cannot be loaded have an :meth:`error` then."""
        for name in self.names():
            try:
                self.get(name)
            except KerasvizError:
                continue
            if loaded is not None:
                loaded(name)

    def source(self, name: str) -> ModelSource:
        """The file or zoo name of a network, and how it is read: an upload says so itself."""
        place = self._place(name)
        if place is None:
            raise UnknownNetworkError(f"no network {name!r}; near: {near(name, self.names())}")
        about = self._about(name)
        if about is None:
            return replace(self.setting.reading, path=place.source)
        from kerasviz.network.input_spec import preset

        wanted = about.get("preprocess")
        spec = None if wanted is None else preset(str(wanted))
        return ModelSource(place.source, input_spec=spec)

    def cli_args(self, name: str) -> tuple[str, ...]:
        """The options of a command that reads the network in the same way."""
        about = self._about(name)
        if about is None:
            return self.setting.cli_args
        wanted = about.get("preprocess")
        return () if wanted is None else ("--preprocess", str(wanted))

    def _load(self, name: str) -> Network:
        net = load(self.source(name))
        _check_pictures(self.setting.pictures / name, net)
        return net

    def _place(self, name: str) -> _ServedNetwork | None:
        if name not in self._places:
            self._find_uploads()
        return self._places.get(name)

    def _about(self, name: str) -> dict[str, Any] | None:
        if name in self.setting.sources():
            return None
        path = self.setting.uploads / name / ABOUT
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def _find_uploads(self) -> None:
        folder = self.setting.uploads
        if not folder.is_dir():
            return
        with self._lock:
            for about in sorted(folder.glob(f"*/{ABOUT}")):
                name = about.parent.name
                if name not in self._places:
                    file = json.loads(about.read_text(encoding="utf-8"))["file"]
                    self._places[name] = _ServedNetwork(str(about.parent / Path(file).name))


def load(source: ModelSource) -> Network:
    """Load a network as a service does: it has to be known which numbers it takes."""
    net = source.load()
    net.require_input_spec()
    return net


def _check_pictures(folder: Path, net: Network) -> None:
    """Raise :class:`UsageError` for a folder with pictures of another network or other numbers."""
    from kerasviz.network.input_spec import InputSpec
    from kerasviz.rendering.manifest import MANIFEST, read_manifest
    from kerasviz.rendering.store import Store

    if not (folder / MANIFEST).is_file():
        return
    Store(folder, net)
    recorded = InputSpec.from_json(read_manifest(folder)["network"]["input"])
    if recorded.identity() != net.require_input_spec().identity():
        raise UsageError(
            f"{str(folder)!r} holds pictures made with another --preprocess; name another --data"
        )
