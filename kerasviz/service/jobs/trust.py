"""Jobs that say how far finished pictures can be trusted: what they compare, and with what."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import digest
from kerasviz.network.network import Network
from kerasviz.service.jobs.jobs import PictureRequest
from kerasviz.service.uploads.receiving import remove

if TYPE_CHECKING:
    from kerasviz.examples.trust.assessment import Assessment, TrustOptions
    from kerasviz.rendering.store import Store

#: What the queue counts as the steps of such a job.
STEPS = 100
#: Photos that are computed at once.
TOGETHER = 8
#: The cost of a pixel that passes a network once, beside that of a step of a picture's pixel.
PASS = 0.5


@dataclass(frozen=True)
class TrustWork:
    """Describe what is compared: ``pictures`` and ``photos``, a ``judge`` and a ``tap``.

    ``pictures`` are files with their checksums, ``photos`` the ids of uploaded ones with the class
    that each is of ("" where that is not known), ``judge`` is the name of a served network with its
    checksum. Only these decide the numbers.
    """

    pictures: tuple[tuple[str, str], ...]
    photos: tuple[tuple[str, str], ...] = ()
    judge: tuple[str, str] | None = None
    tap: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the work as plain data, for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrustWork:
        """Return the work of plain data."""

        def pairs(name: str) -> tuple[tuple[str, str], ...]:
            return tuple((str(one), str(other)) for one, other in data[name])

        judge = data["judge"]
        return cls(pairs("pictures"), pairs("photos"), judge and (judge[0], judge[1]), data["tap"])

    def key(self, net: Network) -> str:
        """Return 16 hex digits that name the numbers of this work and a network."""
        judge = self.judge and self.judge[1]
        return digest([net.identity.sha256, {**self.to_json(), "judge": judge}])


def asked_of_trust(net: Network, work: TrustWork, pixels: int) -> PictureRequest:
    """Write a work as a row of the queue; ``pixels`` are those of one picture."""
    key = work.key(net)
    passes = len(work.pictures) + len(work.photos)
    return PictureRequest(
        key=key,
        text="trust",
        data=json.dumps({"trust": work.to_json()}),
        batchable=key,
        rows=1,
        batch=1,
        steps=STEPS,
        cost=PASS * passes * pixels,
    )


def photo_folder(data: Path, key: str) -> Path:
    """Return the folder where the photos of a job lie until it has ended."""
    return data / "trust" / key


def lay_photos(folder: Path, photos: Mapping[str, tuple[Path, ...]]) -> None:
    """Lay photos into a folder, in subfolders of their classes, so that others may go.

    They are links where the file system has them.
    """
    for of_class, files in photos.items():
        inside = folder / of_class if of_class else folder
        inside.mkdir(parents=True, exist_ok=True)
        for file in files:
            suffix = file.suffix if file.suffix.lower() in (".png", ".jpg", ".jpeg") else ".png"
            place = inside / f"{file.parent.name}-{file.stem}{suffix}"
            if place.exists():
                continue
            try:
                os.link(file, place)
            except OSError:  # none on this file system
                shutil.copyfile(file, place)


def sweep_photos(data: Path, live: set[str]) -> None:
    """Remove the photos of all jobs but live ones, which are named by the keys of their work."""
    folder = data / "trust"
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in live:
            remove(path)


def options_of(work: TrustWork, judge: Network | None, photos: Path) -> TrustOptions:
    """Return what the pictures of a work are compared with; ``photos`` is the folder of its own.

    Raises :class:`UsageError` where the photos have gone.
    """
    from kerasviz.examples.datasets import open_source
    from kerasviz.examples.trust.assessment import TrustOptions

    source = None
    if work.photos:
        if not photos.is_dir():
            raise UsageError("the photos are not here any more; send them again")
        source = open_source(str(photos))
    files = frozenset(file for file, _ in work.pictures)
    return TrustOptions(source, judge, work.tap, None, TOGETHER, None, None, files)


def check_work(store: Store, options: TrustOptions) -> Assessment:
    """Return the comparison of a work; raise :class:`UsageError` where nothing can be compared."""
    from kerasviz.examples.finished_pictures import with_held_inputs
    from kerasviz.examples.trust.assessment import Assessment

    assessment = Assessment(with_held_inputs(store), options)
    if options.images is None and options.judge is None and not assessment.agreeing:
        raise UsageError(
            "one picture of each target, and nothing to compare it with: give photos, a judge, or "
            "a second picture of the target with another seed"
        )
    assessment.check()
    return assessment


def compare(
    store: Store,
    work: TrustWork,
    options: TrustOptions,
    report: Callable[[float, str], None],
) -> dict[str, Any]:
    """Compute the numbers of a work, and return them as its job has them.

    Raises :class:`KerasvizError` where a picture is another one by now.
    """
    from kerasviz.examples.finished_pictures import with_held_inputs
    from kerasviz.examples.trust.assess import compute
    from kerasviz.examples.trust.summary import summary_of

    entries = store.entries
    for file, sha256 in work.pictures:
        if file not in entries or entries[file].sha256 != sha256:
            raise KerasvizError(f"{file} is another picture now, or none; ask again")
    assessment = compute(with_held_inputs(store), options, report)
    return {
        "pictures": assessment.records,
        "summary": summary_of(assessment.records),
        "notes": [note.replace("--", "") for note in assessment.notes],  # no options of a command
    }
