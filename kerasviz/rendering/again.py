"""Render a picture again from the provenance in its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.commands import again_command
from kerasviz.rendering.fill import fill_folder, render_in
from kerasviz.rendering.held_data import with_held
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.picture_files import Origin
from kerasviz.rendering.progress import RenderProgress, Report
from kerasviz.rendering.recorded import folder_of, read_provenance, source_of_picture
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import Request, python_note
from kerasviz.rendering.store import Store
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, with_data
from kerasviz.zoo.model_source import ModelSource


def check_recorded(file: Path, recorded: Mapping[str, Any]) -> None:
    """Raise :class:`UsageError` for a picture whose provenance cannot make it again."""
    if note := python_note(recorded):
        raise UsageError(
            f"{str(file)!r} was {note}: call render() with the function, whose source the file has"
        )


class RecordedStore(Store):
    """Store a picture that is rendered again; file and network keep their names.

    ``recorded`` is the provenance in ``file``. Raises :class:`UsageError` for another network, and
    for a picture that a Python function made.
    """

    def __init__(self, folder: Path, net: Network, file: Path, recorded: dict[str, Any]):
        check_recorded(file, recorded)
        network = recorded["network"]
        net = net.identified_like(network)
        if net.identity.sha256 != network["sha256"]:
            raise UsageError(
                f"{str(file)!r} was made with another model, {network['name']} "
                f"({network['sha256'][:12]}…), not with {net.name} ({net.identity.sha256[:12]}…)"
            )
        super().__init__(folder, net.renamed(network["name"]))
        self.name, self.recorded, self.source = file.name, recorded, folder_of(file)

    @property
    def batch(self) -> Batch:
        """All rows of the recorded request, in the recorded batch size."""
        request = Request.from_json(self.recorded["target"], self.recorded, self.source)
        return Batch.of(self.net, [request], self.recorded["compiled_batch"])

    @property
    def missing(self) -> list[Batch]:
        """The batch, unless its pictures are complete."""
        return [] if self.complete(self.batch.requests[0]) else [self.batch]

    def _file(self, picture: Picture, step: int, origin: Origin, data: bytes) -> str:
        taken = self.entries.get(self.name)
        same = (picture.row, step) == (self.recorded["row"], self.recorded["step"])
        free = taken is None or taken.key == origin.key
        return self.name if same and free else super()._file(picture, step, origin, data)


@named_arguments()
def render_again(
    file: str | os.PathLike[str],
    model: Model | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> Rendering:
    """Render the picture of a file again, as it records, like ``kerasviz render --again``.

    Args:
        file: A PNG file that kerasviz made.
        model: The network, or what :func:`kerasviz.load` takes; by default the one that the
            manifest near the file names.
        out: The folder for the picture, by default that of the file, which may have it complete.
        data: Arrays that inputs beside the image are held at; by default those that were recorded.
        progress: Where it is shown, as in :func:`kerasviz.render`.

    Returns:
        All pictures of the recorded request, as the files in ``out`` hold them.

    Raises:
        UsageError: For a file that records no optimization, and another network.

    Example:
        >>> r = kerasviz.render(net, "block3b:7", steps=4, size=32, out="pictures")
        >>> again = kerasviz.render_again("pictures/block3b-7.png", net, out="again")
        >>> bool((again.images == r.images).all())
        True
    """
    path = Path(file)
    recorded = read_provenance(path)
    check_recorded(path, recorded)
    if model is None or isinstance(model, str | os.PathLike | ModelSource):
        source = model if isinstance(model, ModelSource) else ModelSource(os.fspath(model or ""))
        model = source_of_picture(path, recorded["network"], source)
    store = recorded_store(path, recorded, with_data(as_network(model), data), out)
    return render_in(store, store.batch.requests, _commands, progress, store.missing)


def recorded_store(
    file: Path, recorded: dict[str, Any], net: Network, out: str | os.PathLike[str] | None = None
) -> RecordedStore:
    """Open the folder ``out``, by default that of the file, for a picture and its held inputs."""
    folder = folder_of(file)
    net = with_held(net, folder, recorded.get("data", {}))
    return RecordedStore(folder if out is None else Path(out), net, file, recorded)


def fill_again(
    store: RecordedStore, progress: Callable[[RenderProgress], None] | None = None
) -> int:
    """Render the recorded picture unless it is complete; return how many pictures were made."""
    return fill_folder(store, store.batch.requests, _commands, progress, store.missing).made


def _commands(store: Store) -> dict[str, str]:
    return {file: again_command(file) for file in store.entries}
