"""Sample a layer at random positions of photos into files, and continue what ended early.

The files grow photo by photo. Which of them are complete is noted every few seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.analysis.class_attribution import activations_at, attributed_positions
from kerasviz.atlas.activations.samples import ActivationSamples, open_samples, save_samples
from kerasviz.errors import UsageError, first_line
from kerasviz.examples.activation_samples import SampledTap
from kerasviz.examples.datasets import ImageBatch, Source, stream
from kerasviz.io.files import write_atomically
from kerasviz.network.positions import Positions, positions_of
from kerasviz.rendering.picture import network_provenance
from kerasviz.types import Array

#: Seconds after which the finished photos are noted.
EVERY = 5.0
#: The file that notes them.
PROGRESS = "partial.json"
#: The names and types of the files that grow.
TYPES = {"activations": np.float32, "attributions": np.float16, "positions": np.int32}
#: The largest number of 16 bits.
MOST_SHARE = 65504.0


@dataclass(frozen=True)
class PositionSampling:
    """Say what is sampled: a tap at ``count`` random positions of each photo.

    On a map of three rows and columns or more, those at the border are left out. Of tokens only
    those of patches count.
    """

    sampled: SampledTap
    count: int = 1

    def __post_init__(self) -> None:
        if not self.positions.extent:
            tap = self.sampled.tap
            raise UsageError(
                f"{tap} has no positions, of which an activation atlas takes samples; name a layer "
                "before it (kerasviz taps lists them in order)"
            )

    @cached_property
    def positions(self) -> Positions:
        """The positions of the tap in photos of the size."""
        return positions_of(self.sampled.net, self.sampled.tap, self.sampled.size)

    @cached_property
    def map(self) -> tuple[int, int]:
        """The (height, width) of the map; a row without a map is one line."""
        if self.positions.map is not None:
            return self.positions.map
        return 1, self.positions.extent[-1] or 0

    @cached_property
    def inner(self) -> Array:
        """The numbers of the positions that are drawn from, row by row."""
        height, width = self.map
        numbers = np.arange(height * width).reshape(height, width)
        if self.positions.grid is None and min(height, width) >= 3:
            numbers = numbers[1:-1, 1:-1]
        return numbers.ravel()

    @property
    def each(self) -> int:
        """The number of positions of each photo, at most as many as there are."""
        return min(self.count, len(self.inner))

    def draw(self, photo: int) -> Array:
        """Draw the positions of a photo, [K], which do not depend on other photos."""
        random = np.random.default_rng((self.sampled.seed, photo))
        return random.choice(self.inner, self.each, replace=False)

    def about(self, source: Source) -> dict[str, Any]:
        """Return all that decides the samples, as plain data."""
        net = self.sampled.net
        return {
            "network": network_provenance(net)["sha256"],
            "input": net.require_input_spec().identity(),
            "tap": self.sampled.tap,
            "photos": source.identity,
            "size": list(self.sampled.size),
            "limit": self.sampled.limit,
            "batch": self.sampled.batch,
            "positions": self.count,
            "seed": self.sampled.seed,
        }


def sample_positions(
    sampling: PositionSampling,
    source: Source,
    folder: Path,
    progress: Callable[[int, int], None],
) -> ActivationSamples:
    """Return the samples of photos, from the folder as far as they are there.

    The contributions to classes are left out where the network has no logits that depend on the
    tap, and where its operations do not allow them. Raises :class:`UsageError` for a folder with
    other samples, and photos none of which can be read.
    """
    about = sampling.about(source)
    known = open_samples(folder)
    if known is not None:
        _check_same(dict(known.about), about, folder)
        return known
    files = _GrowingFiles.of(sampling, source, folder, about)
    total = sampling.sampled.images(source)
    numbers = np.arange(files.photos, total)
    shape = (*sampling.sampled.size, sampling.sampled.net.focused((sampling.sampled.tap,)).channels)
    compute = files.compute
    for batch in stream(source, numbers, sampling.sampled.batch, shape):
        places = np.stack([sampling.draw(max(0, int(n))) for n in batch.numbers])
        files.add(batch, places, *compute(batch.images, places))
        progress(files.photos, total)
    return files.finish(source)


def _check_same(known: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    different = [name for name in asked if known.get(name) != asked[name]]
    if different:
        raise UsageError(
            f"{str(folder)!r} has samples with other {' and '.join(different)}; give the same or "
            "another --out"
        )


class _GrowingFiles:
    """The files of a sampling that is not finished: ``photos`` are done, with ``rows`` in all."""

    def __init__(
        self,
        sampling: PositionSampling,
        folder: Path,
        about: dict[str, Any],
        arrays: dict[str, Array],
    ):
        self.sampling, self.folder, self.about, self.arrays = sampling, folder, about, arrays
        self.photos = self.rows = self.unreadable = self.odd = 0
        self.note = ""
        self.compute: Callable[[Array, Array], tuple[Array, Array | None]]
        self._saved = time.monotonic()

    @classmethod
    def of(
        cls, sampling: PositionSampling, source: Source, folder: Path, about: dict[str, Any]
    ) -> _GrowingFiles:
        """Open the files of the same sampling, or make new ones."""
        compute, classes, note = _compiled(sampling)
        rows = sampling.sampled.images(source) * sampling.each
        shapes = {
            "activations": (rows, sampling.sampled.channels),
            "positions": (rows, 3),
            **({"attributions": (rows, classes)} if classes else {}),
        }
        path, done = folder / PROGRESS, None
        try:
            done = json.loads(path.read_bytes())
        except (OSError, ValueError):
            done = None
        if done is None or done["from"] != about or done["shapes"] != _plain(shapes):
            done = None
        arrays: dict[str, Array] = {
            name: np.lib.format.open_memmap(
                folder / f"partial-{name}.npy",
                "r+" if done else "w+",
                None if done else TYPES[name],
                None if done else shape,
            )
            for name, shape in shapes.items()
        }
        files = cls(sampling, folder, about, arrays)
        files.compute, files.note = compute, note
        if done is not None:
            for name in ("photos", "rows", "unreadable", "odd"):
                setattr(files, name, int(done[name]))
        return files

    def add(self, batch: ImageBatch, places: Array, values: Array, shares: Array | None) -> None:
        """Add the samples of a batch of photos."""
        width = self.sampling.map[1]
        for k, number in enumerate(batch.numbers):
            if number < 0:
                continue
            self.photos = int(number) + 1
            if not batch.readable[k]:
                self.unreadable += 1
                continue
            if not np.isfinite(values[k]).all():
                self.odd += 1
                continue
            rows = slice(self.rows, self.rows + self.sampling.each)
            self.rows = rows.stop
            self.arrays["activations"][rows] = values[k]
            self.arrays["positions"][rows, 0] = number
            self.arrays["positions"][rows, 1:] = np.stack(np.divmod(places[k], width), -1)
            if shares is not None:
                finite = np.nan_to_num(shares[k], posinf=MOST_SHARE, neginf=-MOST_SHARE)
                self.arrays["attributions"][rows] = np.clip(finite, -MOST_SHARE, MOST_SHARE)
        if time.monotonic() - self._saved >= EVERY:
            self._save()

    def finish(self, source: Source) -> ActivationSamples:
        """Write the finished files, and remove those that grew."""
        if not self.rows:
            raise UsageError(f"{source.label}: none of {self.photos} photos can be used")
        arrays = {name: array[: self.rows] for name, array in self.arrays.items()}
        shares = arrays.get("attributions")
        if shares is not None and not shares.any():
            shares = None
            self.note = f"the classes do not depend on {self.sampling.sampled.tap}"
        samples = ActivationSamples(arrays["activations"], shares, arrays["positions"], self.about)
        notes = {"photos": self.photos, "unreadable": self.unreadable, "not_finite": self.odd}
        save_samples(self.folder, samples, {**notes, "classes": self.note})
        self.arrays.clear()
        for path in (*self.folder.glob("partial-*.npy"), self.folder / PROGRESS):
            path.unlink(missing_ok=True)
        finished = open_samples(self.folder)
        assert finished is not None
        return finished

    def _save(self) -> None:
        for array in self.arrays.values():
            array.flush()  # type: ignore[attr-defined]
        done = {
            "from": self.about,
            "shapes": _plain({name: array.shape for name, array in self.arrays.items()}),
            **{name: getattr(self, name) for name in ("photos", "rows", "unreadable", "odd")},
        }
        write_atomically(self.folder / PROGRESS, json.dumps(done).encode())
        self._saved = time.monotonic()


def _plain(shapes: dict[str, Any]) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in sorted(shapes.items())}


def _compiled(
    sampling: PositionSampling,
) -> tuple[Callable[[Array, Array], tuple[Array, Array | None]], int, str]:
    """Compile a function from pictures [B, H, W, C] and places [B, K] to what is sampled.

    It returns activations [B, K, C] and contributions [B, K, classes]. Beside it are the number of
    classes, 0 without contributions, and then the reason.
    """
    sampled, positions = sampling.sampled, sampling.positions
    net, tap = sampled.net, sampled.tap
    shape = (sampled.batch, *sampled.size, net.focused((tap,)).channels)
    signature = [
        tf.TensorSpec(shape, tf.uint8),
        tf.TensorSpec((sampled.batch, sampling.each), tf.int32),
    ]

    def of_classes(pictures: Any, places: Any) -> Any:
        return attributed_positions(net, tf.cast(pictures, tf.float32) / 255, positions, places)

    def plain(pictures: Any, places: Any) -> Any:
        images = tf.cast(pictures, tf.float32) / 255
        layer = tf.cast(net.activations(images, [tap])[tap], tf.float32)
        return activations_at(positions, layer, places)

    note = "the network has no classes"
    if net.classes.logits in net.taps:
        traced = tf.function(of_classes, input_signature=signature, autograph=False)
        try:
            classes = int(traced.get_concrete_function().structured_outputs[1].shape[-1])
        except (LookupError, NotImplementedError, UsageError) as error:
            note = f"contributions to classes are not known: {first_line(error)}"
        else:
            return lambda p, n: tuple(a.numpy() for a in traced(p, n.astype(np.int32))), classes, ""
    traced = tf.function(plain, input_signature=signature, autograph=False)
    return lambda p, n: (traced(p, n.astype(np.int32)).numpy(), None), 0, note
