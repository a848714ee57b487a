"""The networks of a service, each loaded once at its first use."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.network.input_spec import preset
from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

if TYPE_CHECKING:
    from kerasviz.network.network import Network

#: The file beside an admitted upload: ``{"file": NAME, "preprocess": PRESET or null}``.
ABOUT = "about.json"


class UnknownNetworkError(UsageError):
    """No network of this name is served."""


class UndescribedInputError(UsageError):
    """Nobody has said which numbers the network takes."""


@dataclass
class _ServedNetwork:
    """A network that is served, loaded or not."""

    source: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    net: Network | None = None
    error: KerasvizError | None = None
    undescribed: Network | None = None


class Networks:
    """The named and uploaded networks, by the names under which they are served.

    May be used by many threads. A network that cannot be loaded raises the same error each time.
    """

    def __init__(self, setting: ServiceSettings):
        self.setting = setting
        self._served = {name: _ServedNetwork(source) for name, source in setting.sources().items()}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """List the names of all networks, uploads last."""
        self._find_uploads()
        return list(self._served)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def loaded(self, name: str) -> bool:
        """Tell whether a network is loaded."""
        served = self._find(name)
        return served is not None and served.net is not None

    def error(self, name: str) -> str | None:
        """Return why a network could not be loaded, if so."""
        served = self._find(name)
        return None if served is None or served.error is None else str(served.error)

    def undescribed(self, name: str) -> Network | None:
        """Return a network that cannot be used because its input is not described, if so.

        Raises :class:`UnknownNetworkError`.
        """
        served = self._require(name)
        with suppress(KerasvizError):
            self.get(name)
        return served.undescribed

    def describe_input(self, name: str, preprocess: str) -> None:
        """Take a preset for a network whose input is not described, and remember it for its file.

        Raises :class:`UsageError` for an unknown preset and a network whose input is described, and
        :class:`KerasvizError` where the cache cannot be written.
        """
        from kerasviz.zoo.remembered import Remembered, remember, remembered

        spec = preset(preprocess)
        net = self.undescribed(name)
        if net is None:
            raise UsageError(
                f"{name}: its input is described; start with --preprocess to change it"
            )
        sha256 = net.identity.sha256
        remember(sha256, Remembered(input_spec=spec, input_option=f"--preprocess {preprocess}"))
        if remembered(sha256).input_spec != spec:  # workers read it there
            raise KerasvizError(
                f"the user cache cannot be written; start with --preprocess {preprocess}"
            )
        self.get(name)

    def get(self, name: str) -> Network:
        """Return the network of a name, loading it at the first use.

        Raises :class:`UnknownNetworkError`, and what :func:`kerasviz.zoo.load.load` raises.
        """
        served = self._require(name)
        with served.lock:
            if served.net is None:
                if served.error is not None and served.undescribed is None:
                    raise KerasvizError(str(served.error))
                try:
                    net = self._load(name, served.undescribed)
                    served.undescribed = net if net.input_spec is None else None
                    served.net = self._checked(name, net)
                    served.error = None
                except KerasvizError as error:
                    served.error = error
                    raise
            return served.net

    def _load(self, name: str, undescribed: Network | None) -> Network:
        """Load a network, or take one that lacked a description which somebody has given since."""
        from kerasviz.zoo.remembered import recalled

        return self.source(name).load() if undescribed is None else recalled(undescribed)

    def load_all(self, loaded: Callable[[str], None] | None = None) -> None:
        """Load all networks; those that fail have an :meth:`error`."""
        for name in self.names():
            try:
                self.get(name)
            except KerasvizError:
                continue
            if loaded is not None:
                loaded(name)

    def source(self, name: str) -> ModelSource:
        """Return the source of a network; an upload has its own preprocessing."""
        served = self._require(name)
        about = self._about(name)
        if about is None:
            return replace(self.setting.reading, path=served.source)
        name_of_preset = about.get("preprocess")
        spec = None if name_of_preset is None else preset(str(name_of_preset))
        return ModelSource(served.source, input_spec=spec)

    def cli_args(self, name: str) -> tuple[str, ...]:
        """Return the options of a command that reads the network in the same way."""
        about = self._about(name)
        if about is None:
            return self.setting.cli_args
        name_of_preset = about.get("preprocess")
        return () if name_of_preset is None else ("--preprocess", str(name_of_preset))

    def _checked(self, name: str, net: Network) -> Network:
        try:
            net.require_input_spec()
        except UsageError as error:
            raise UndescribedInputError(str(error)) from error
        _check_pictures(self.setting.pictures / name, net)
        return net

    def _require(self, name: str) -> _ServedNetwork:
        served = self._find(name)
        if served is None:
            raise UnknownNetworkError(f"no network {name!r}; near: {near(name, self.names())}")
        return served

    def _find(self, name: str) -> _ServedNetwork | None:
        if name not in self._served:
            self._find_uploads()
        return self._served.get(name)

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
                if name not in self._served:
                    file = json.loads(about.read_text(encoding="utf-8"))["file"]
                    self._served[name] = _ServedNetwork(str(about.parent / Path(file).name))


def load(source: ModelSource) -> Network:
    """Load a network, and require a description of its input."""
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
