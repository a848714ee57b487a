"""Sample a layer at positions of windows on photos: the points of a small activation atlas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.analysis.class_attribution import activations_at, attributed_positions
from kerasviz.errors import UsageError
from kerasviz.io.files import checksum
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.rendering.photos import Photo, read_photo
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array, Size

#: How much larger than the network's images photos are read, so that windows are sharp.
LARGER = 2
#: Positions of each window, and windows that are computed at once.
EACH = 12
AT_ONCE = 8
#: The part of a window that an example shows around its position.
SHOWN = 2


@dataclass(frozen=True, eq=False)
class WindowPoints:
    """Hold a layer at positions of windows on photos.

    Args:
        photos: The photos.
        size: The (height, width) to which they are read, of which windows are parts.
        values: [N, C] The activations.
        shares: [N, classes] What each contributes to the logits; ``None`` where it is not known.
        seen: [classes] The mean probabilities of the windows; ``None`` without classes.
        photo: [N] The numbers of the photos.
        middles: [N, 2] (y, x) in pixels where the positions lie.
        sides: [N, 2] The height and width of the windows.
    """

    photos: tuple[Photo, ...]
    size: Size
    values: Array
    shares: Array | None
    seen: Array | None
    photo: Array
    middles: Array
    sides: Array

    def example(self, point: int) -> tuple[Photo, tuple[int, int, int, int]]:
        """Return the photo of a point, and the part around it: (top, left, height, width)."""
        box = []
        extents = [max(8, round(float(side) / SHOWN)) for side in self.sides[point]]
        for middle, extent, length in zip(self.middles[point], extents, self.size, strict=True):
            start = round(float(middle) - extent / 2)
            box.append((min(max(start, 0), length - extent), extent))
        (top, height), (left, width) = box
        return self.photos[int(self.photo[point])], (top, left, height, width)


def window_points(
    net: Network, tap: str, photos: Sequence[Photo], count: int, seed: int = 0
) -> WindowPoints:
    """Compute a layer at random positions of windows on photos.

    The first window of a photo is the whole of it, the others are squares of half the photo or
    more. The same photos, seed and network give the same points; they are computed once.

    Args:
        net: The network.
        tap: A layer with positions.
        photos: The photos.
        count: The number of windows, or one for each photo if there are more photos.
        seed: Draws windows and positions.

    Raises:
        UsageError: For a layer without positions, and files that are no pictures.
    """
    files = tuple(checksum(photo.file.read_bytes()) for photo in photos)
    key = (tap, files, count, seed)
    known = _points.setdefault(net, {})
    if key not in known:
        known[key] = _computed(net, tap, tuple(photos), count, seed)
    return known[key]


_points: WeakKeyDictionary[Network, dict[object, WindowPoints]] = WeakKeyDictionary()


def _computed(
    net: Network, tap: str, photos: tuple[Photo, ...], count: int, seed: int
) -> WindowPoints:
    size = usual_size(net)
    positions = positions_of(net, tap, size)
    if positions.map is None:
        raise UsageError(f"{tap} has no positions, of which an atlas takes samples")
    whole = (LARGER * size[0], LARGER * size[1])
    random = np.random.default_rng(seed)
    windows: list[tuple[int, tuple[int, int, int, int], Array]] = []
    each = max(1, count // len(photos))
    for number, photo in enumerate(photos):
        image = read_photo(photo.file, whole, net.channels)
        for k in range(each):
            scale = 1.0 if k == 0 else float(random.uniform(0.5, 0.9))
            height, width = (round(scale * side) for side in whole)
            top = int(random.integers(0, whole[0] - height + 1))
            left = int(random.integers(0, whole[1] - width + 1))
            part = image[top : top + height, left : left + width]
            windows.append((number, (top, left, height, width), _scaled(part, size)))
    drawn = [_draw(positions.map, random) for _ in windows]
    values, shares, seen = [], [], []
    for start in range(0, len(windows), AT_ONCE):
        images = np.stack([image for _, _, image in windows[start : start + AT_ONCE]])
        numbers = np.stack(drawn[start : start + AT_ONCE])
        found, own = _at(net, positions, images, numbers)
        values.append(found)
        shares.append(own)
        seen.append(_probabilities(net, images))
    points = [
        (number, *_middle(box, positions.map, int(place)), box[2], box[3])
        for (number, box, _), places in zip(windows, drawn, strict=True)
        for place in places
    ]
    about = np.array(points, float)
    known = [own for own in shares if own is not None]
    return WindowPoints(
        photos,
        whole,
        np.concatenate(values),
        np.concatenate(known) if len(known) == len(shares) else None,
        np.concatenate(seen).mean(0) if net.classes.logits in net.taps else None,
        about[:, 0].astype(int),
        about[:, 1:3],
        about[:, 3:],
    )


def _probabilities(net: Network, images: Array) -> Array:
    """Return the softmax of the logits [B, classes]; no classes without logits."""
    if net.classes.logits not in net.taps:
        return np.zeros((len(images), 0))
    logits = net.require_logits().name
    found = net.activations(tf.constant(images), [logits])[logits].numpy().astype(np.float64)
    means = found.reshape(len(images), -1, found.shape[-1]).mean(1)[:, net.classes.first :]
    powers = np.exp(means - means.max(1, keepdims=True))
    probabilities: Array = powers / powers.sum(1, keepdims=True)
    return probabilities


def _scaled(part: Array, size: Size) -> Array:
    """Scale a part of a photo [h, w, C] in [0, 1] to (height, width), smoothly."""
    planes = [
        np.asarray(Image.fromarray(part[..., k]).resize(size[::-1], Image.Resampling.LANCZOS))
        for k in range(part.shape[-1])
    ]
    scaled: Array = np.clip(np.stack(planes, -1), 0, 1)
    return scaled


def _draw(extent: Size, random: np.random.Generator) -> Array:
    """Draw positions of a map, counted row by row; those at the border of larger maps are not."""
    numbers = np.arange(extent[0] * extent[1]).reshape(extent)
    if min(extent) > 2:
        numbers = numbers[1:-1, 1:-1]
    inner = numbers.ravel()
    return random.choice(inner, min(EACH, len(inner)), replace=False)


def _middle(box: tuple[int, int, int, int], extent: Size, place: int) -> tuple[float, float]:
    y, x = divmod(place, extent[1])
    return box[0] + (y + 0.5) * box[2] / extent[0], box[1] + (x + 0.5) * box[3] / extent[1]


def _at(
    net: Network, positions: Positions, images: Array, numbers: Array
) -> tuple[Array, Array | None]:
    """Return activations [B * K, C] at positions, and contributions to classes where possible."""
    batch, places = tf.constant(images), tf.constant(numbers)
    try:
        if net.classes.logits not in net.taps:
            raise LookupError
        found, shares = attributed_positions(net, batch, positions, places)
        own = shares.numpy().reshape(-1, shares.shape[-1])
    except LookupError:  # an operation without a second derivative, or no classes
        values = net.activations(batch, [positions.tap])[positions.tap]
        found, own = activations_at(positions, tf.cast(values, tf.float32), places), None
    return found.numpy().reshape(-1, found.shape[-1]), own
