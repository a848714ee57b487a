"""Verify a folder of pictures, figures, examples or an atlas, also a remote one.

Importing this module does not import TensorFlow, which takes the threads that are recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import whole_number
from kerasviz.rendering.manifest import MANIFEST, read_manifest
from kerasviz.rendering.recorded import network_of, take_threads
from kerasviz.zoo.argument_names import named_arguments

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.rendering.progress import Report
    from kerasviz.rendering.verify import Verification


@named_arguments()
def verify(
    folder: str | os.PathLike[str],
    model: Any = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: bool | Report | None = None,
) -> Verification:
    """Render every picture of a folder again and compare the bytes, as ``kerasviz verify`` does.

    Nothing is written. Sprites, panels of examples, pictures whose photos are missing, pictures
    that Python functions made and pictures outside the sample are compared with their recorded
    checksums only.

    Args:
        folder: A folder of pictures, figures or examples, or an atlas; ``s3://`` and ``gs://``
            too.
        model: The network, or what :func:`kerasviz.load` takes; by default the model that the
            folder names.
        sample: The number of pictures to render again, in batches drawn at random; ``None`` for
            all.
        seed: The seed of the draw.
        progress: Where it is shown, as in :func:`kerasviz.render`.

    Returns:
        A result for each file in the manifest's order, and the differences between the recorded
        environments and this one; ``.same`` says whether all files are as they were.

    Raises:
        UsageError: For a folder that kerasviz did not make, pictures of another network, and a
            model that is not there.

    Example:
        >>> page = kerasviz.render(net, "block3b:7", steps=4, size=32).save("pictures")
        >>> kerasviz.verify("pictures", net).same
        True
    """
    from kerasviz.rendering.progress import displayed

    if sample is not None:
        whole_number("sample", sample)
    with opened(folder) as place:
        if (examples := verified_examples(place)) is not None:
            return examples
        net = network_of(place, model)
        with displayed(progress) as display:
            found = verified(place, net, sample, seed, display)
            display.end(found.summary)
        return found


@contextmanager
def opened(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the folder with the manifest, fetched where it is remote.

    TensorFlow will start with the threads that its pictures were made with.
    """
    from kerasviz.io.storage import local_folder

    text = os.fspath(folder)
    place = local_folder(text)
    if place is None:
        from kerasviz.atlas.download import fetched

        with fetched(text) as place:
            _take_threads(place)
            yield place
        return
    place = place if "://" in text else Path(text)  # relative, in what is said of it
    inner = place / "pictures"
    if not (place / MANIFEST).is_file() and (inner / MANIFEST).is_file():
        place = inner
    _take_threads(place)
    yield place


def _take_threads(folder: Path) -> None:
    if (folder / MANIFEST).is_file():
        take_threads(read_manifest(folder)["environments"].values())


def verified_examples(folder: Path) -> Verification | None:
    """Compare the files of a folder of examples with their checksums; ``None`` for others."""
    from kerasviz.examples.folder import MANIFEST as EXAMPLES
    from kerasviz.examples.folder import verify_examples
    from kerasviz.rendering.verify import Verification

    return Verification(verify_examples(folder), []) if (folder / EXAMPLES).is_file() else None


def verified(
    folder: Path,
    net: Network,
    sample: int | None,
    seed: int,
    progress: Report | None,
) -> Verification:
    """Render the pictures of a local folder again, or a sample of them, and compare the bytes."""
    from kerasviz.rendering.verify import VerifySample, verify_pictures

    drawn = None if sample is None else VerifySample(sample, seed)
    return verify_pictures(folder, net, progress, drawn)
