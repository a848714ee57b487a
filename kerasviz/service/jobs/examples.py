"""Jobs that search a folder of images for what the units of a network respond to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import UsageError
from kerasviz.io.files import digest
from kerasviz.network.network import Network
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.jobs.jobs import PictureRequest
from kerasviz.service.uploads.receiving import remove
from kerasviz.types import ClassesOf

if TYPE_CHECKING:
    from kerasviz.examples.datasets import ImageFiles
    from kerasviz.examples.search import Question

#: The text of such a work in the queue.
TEXT = "examples"
#: Images that are computed at once.
TOGETHER = 16
#: What a search does with as many steps as there are images: it looks at what units see, searches,
#: and writes.
PARTS = 3
#: The cost of a pixel that passes a network once, beside that of a step of a picture's pixel.
PASS = 0.5


@dataclass(frozen=True)
class ExamplesWork:
    """Describe a search of ``images`` images.

    ``folder`` is the id of the folder that was sent, ``name`` what its sender calls it, ``taps``
    are the layers, ``classes`` what the classes of the images are.
    """

    folder: str
    name: str
    taps: tuple[str, ...]
    images: int
    classes: ClassesOf

    def to_json(self) -> dict[str, Any]:
        """Return the work as plain data, for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExamplesWork:
        """Return the work of plain data."""
        return cls(**{**data, "taps": tuple(data["taps"])})

    def key(self, net: Network) -> str:
        """Return 16 hex digits that name this work on a network."""
        return digest([net.identity.sha256, self.to_json()])


def asked_of_examples(net: Network, work: ExamplesWork) -> PictureRequest:
    """Write a work as a row of the queue, whose steps are the images of each part."""
    key = work.key(net)
    height, width = usual_size(net)
    return PictureRequest(
        key=key,
        text=TEXT,
        data=json.dumps({"examples": work.to_json()}),
        batchable=key,
        rows=1,
        batch=1,
        steps=PARTS * work.images,
        cost=PASS * work.images * height * width,
    )


def classes_in(net: Network, folder: Path) -> ClassesOf:
    """Return what the classes of a folder's images are: its subfolders, or the network's answers.

    They are those that the network predicts where there are no two subfolders and it has classes.
    """
    if sum(path.is_dir() for path in folder.iterdir()) > 1:
        return "given"
    logits = net.classes.logits
    known = logits is not None and logits in net.taps and len(net.taps[logits].shape or ()) == 2
    return "predicted" if known and 2 <= (net.class_count or 0) <= 1024 else "none"


def source_of(folder: Path, name: str) -> ImageFiles:
    """Return the images of a folder under the name that its sender gave it."""
    from kerasviz.examples.datasets import ImageFiles, open_source

    source = open_source(str(folder))
    if not isinstance(source, ImageFiles):
        raise UsageError(f"{name}: no images; send PNG or JPEG files")
    return replace(source, label=name)


def question_of(net: Network, work: ExamplesWork, folder: Path) -> Question:
    """Return the search of a work.

    Raises :class:`UsageError` for a folder that is gone, and taps that cannot be searched.
    """
    from kerasviz.examples.search import Question

    if not folder.is_dir():
        raise UsageError("the images are not here any more; send them again")
    source = source_of(folder, work.name)
    return Question(net, work.taps, source, usual_size(net), batch=TOGETHER, classes=work.classes)


def search_folder(
    net: Network,
    work: ExamplesWork,
    folder: Path,
    place: Path,
    report: Callable[[int], None],
) -> dict[str, Any]:
    """Search a folder, put what was found into ``place``, and return the summary as plain data.

    It continues what an interrupted call of the same work began beside ``place``. ``report`` takes
    the number of steps that are done, of :data:`PARTS`. Examples that were in ``place`` are
    replaced at the end.
    """
    from kerasviz.examples.make import make_examples

    looked: list[str] = []  # at what units of a layer see

    def progress(fraction: float, text: str) -> None:
        if text.startswith("what"):
            looked.append(text)
            part, fraction = 0, (len(looked) - 1) / len(work.taps)
        else:
            part = 2 if text.startswith("writing") else 1
        report(round((part + min(fraction, 1.0)) * work.images))

    made = unfinished(place, work.key(net))
    found = make_examples(question_of(net, work, folder), made, progress)
    old = place.with_name(f".{place.name}-old")
    remove(old)
    if place.exists():
        place.rename(old)
    os.rename(made, place)
    remove(old)
    summary = {name: value for name, value in asdict(found).items() if name not in ("page", "made")}
    return {**summary, "names": list(found.names), "name": work.name}


def unfinished(place: Path, key: str) -> Path:
    """Return the folder of a search that has not ended."""
    return place.with_name(f".{place.name}-{key}")
