"""Render a picture again from the provenance in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.picture_files import Origin
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store


class RecordedStore(Store):
    """Store a picture that is rendered again; file and network keep their names.

    ``recorded`` is the provenance in ``file``. Raises :class:`UsageError` for another network.
    """

    def __init__(self, folder: Path, net: Network, file: Path, recorded: dict[str, Any]):
        network = recorded["network"]
        if net.identity.sha256 != network["sha256"]:
            raise UsageError(
                f"{str(file)!r} was made with another model, {network['name']} "
                f"({network['sha256'][:12]}…), not with {net.name} ({net.identity.sha256[:12]}…)"
            )
        super().__init__(folder, net.renamed(network["name"]))
        self.name, self.recorded = file.name, recorded

    @property
    def batch(self) -> Batch:
        """All rows of the recorded request, in the recorded batch size."""
        request = Request.from_json(self.recorded["target"], self.recorded)
        return Batch.of(self.net, [request], self.recorded["compiled_batch"])

    def _file(self, picture: Picture, step: int, origin: Origin, data: bytes) -> str:
        taken = self.entries.get(self.name)
        same = (picture.row, step) == (self.recorded["row"], self.recorded["step"])
        free = taken is None or taken.key == origin.key
        return self.name if same and free else super()._file(picture, step, origin, data)
