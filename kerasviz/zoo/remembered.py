"""Remember in the user cache what was given once about a model file, by its SHA-256."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import cache_folder, write_atomically
from kerasviz.network.input_spec import InputSpec
from kerasviz.zoo.facts import Facts

if TYPE_CHECKING:
    from kerasviz.network.network import Network


@dataclass(frozen=True)
class Remembered:
    """Hold what was given once about a model file.

    ``input_option`` and ``labels_option`` are the options as typed, such as ``--preprocess unit``.
    ``signature`` is the name of an entry point; ``axes`` and ``rate`` are those of signals.
    """

    input_spec: InputSpec | None = None
    input_option: str = ""
    labels: tuple[str, ...] = ()
    labels_option: str = ""
    signature: str | None = None
    axes: str | None = None
    rate: int | None = None

    @property
    def options(self) -> list[str]:
        """Return the options that were given, as typed."""
        values = {"signature": self.signature, "axes": self.axes, "rate": self.rate}
        others = [f"--{name} {value}" for name, value in values.items() if value is not None]
        return [text for text in (self.input_option, self.labels_option, *others) if text]

    def facts(self) -> Facts:
        """Return what is known about the input and the classes."""
        origins = {}
        if self.input_spec is not None:
            origins["input"] = f"remembered {self.input_option}"
        if self.labels:
            origins["labels"] = f"remembered {self.labels_option}"
        for name, value in (("axes", self.axes), ("rate", self.rate)):
            if value is not None:
                origins[name] = f"remembered --{name} {value}"
        described = (self.input_spec, self.labels)
        return Facts(*described, origins=origins, axes=self.axes, rate=self.rate)

    def updated(self, given: Remembered) -> Remembered:
        """Return this with what was given in place of what was known."""
        kept = self
        if given.input_spec is not None:
            kept = replace(kept, input_spec=given.input_spec, input_option=given.input_option)
        if given.labels:
            kept = replace(kept, labels=given.labels, labels_option=given.labels_option)
        values = {"signature": given.signature, "axes": given.axes, "rate": given.rate}
        changes: dict[str, Any] = {name: v for name, v in values.items() if v is not None}
        return replace(kept, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, for :meth:`from_json`."""
        spec = self.input_spec
        return {
            **asdict(self),
            "input_spec": None if spec is None else spec.to_json(),
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Remembered:
        """Make it from plain data."""
        spec = data["input_spec"]
        return cls(
            **{
                **data,
                "input_spec": None if spec is None else InputSpec.from_json(spec),
                "labels": tuple(data["labels"]),
            }
        )


def remembered(sha256: str) -> Remembered:
    """Return what was given for the file with this SHA-256; empty where nothing was."""
    try:
        return Remembered.from_json(json.loads(_file(sha256).read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, UsageError):
        # missing, or damaged
        return Remembered()


def recalled(net: Network) -> Network:
    """Return a network with the input that was remembered for its file since it was loaded."""
    facts = remembered(net.identity.sha256).facts()
    if facts.input_spec is None:
        return net
    origins = {**net.origins, "input": facts.origins["input"]}
    return replace(net, input_spec=facts.input_spec, origins=origins)


def remember(sha256: str, given: Remembered) -> Sequence[str]:
    """Remember what was given; return the options that were not remembered so far.

    Nothing is remembered where the cache cannot be written.
    """
    before = remembered(sha256)
    after = before.updated(given)
    if after == before:
        return []
    with suppress(OSError, KerasvizError):
        _file(sha256).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(after.to_json(), indent=1, ensure_ascii=False)
        write_atomically(_file(sha256), text.encode())
        changed = replace(
            given,
            input_option="" if after.input_spec == before.input_spec else given.input_option,
            labels_option="" if after.labels == before.labels else given.labels_option,
            signature=None if after.signature == before.signature else given.signature,
            axes=None if after.axes == before.axes else given.axes,
            rate=None if after.rate == before.rate else given.rate,
        )
        return changed.options
    return []


def forget(sha256: str) -> Sequence[str]:
    """Forget what was given for a file; return the options."""
    options = remembered(sha256).options
    try:
        _file(sha256).unlink(missing_ok=True)
    except OSError as error:
        raise KerasvizError(f"{_file(sha256)} cannot be removed: {error.strerror}") from error
    return options


def _file(sha256: str) -> Path:
    return cache_folder() / "remembered" / f"{sha256}.json"
