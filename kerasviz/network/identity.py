"""Identify networks: by the checksum of a file, or by that of what a model contains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: What a record's ``checksum`` is where its SHA-256 is not that of a file.
CONTENTS = "contents"


@dataclass(frozen=True)
class Identity:
    """Identify a network by its name, source, file format and SHA-256.

    ``signature`` is the one that was chosen of a SavedModel, ``None`` for its default.

    The SHA-256 is that of the file. A model in memory has none, so there it is ``by_contents``: of
    the structure and the weights, however they are stored. ``contents`` computes that one, for a
    file only when it is compared with a record of a model in memory.
    """

    name: str
    source: str
    format: str
    sha256: str
    signature: str | None = None
    by_contents: bool = False
    contents: Callable[[], str] | None = field(default=None, compare=False, repr=False)

    def like(self, recorded: Mapping[str, Any]) -> Identity:
        """Return this identity by the SHA-256 of the kind that a record has.

        The same model in a file has the name and the format of the record, which are in pictures.
        """
        if recorded.get("checksum") != CONTENTS or self.by_contents or self.contents is None:
            return self
        same = replace(self, sha256=self.contents(), by_contents=True)
        if same.sha256 != recorded["sha256"]:
            return same
        return replace(same, name=recorded["name"], format=recorded["format"])

    def to_json(self) -> dict[str, Any]:
        """Return what records keep of it: name, format, SHA-256, and how to read it."""
        return {
            "name": self.name,
            "format": self.format,
            "sha256": self.sha256,
            **({} if self.signature is None else {"signature": self.signature}),
            **({"checksum": CONTENTS} if self.by_contents else {}),
        }
