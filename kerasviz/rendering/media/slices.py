"""Draw volumes as three slices, and videos as a strip of frames or a GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from kerasviz.rendering.media.maps import coloured, enlarged, side_by_side, tiled
from kerasviz.rendering.media.scales import PlotAxis
from kerasviz.types import Array

#: Channels of a volume, and frames of a video, that are drawn, at most.
MOST_CHANNELS = 4
FRAMES = 12
#: Channels that are colours.
COLOURS = 3
FRAMES_ACROSS = 4
#: The side of a GIF in pixels at least, and the duration of a frame in milliseconds.
SIDE = 192
MILLISECONDS = 120


def slices(volume: Array, axes: Sequence[PlotAxis]) -> Image.Image:
    """Draw three planes of a volume [A, B, C, channels], a row for each channel.

    They meet where the channel is farthest from its median.
    """
    tiles = []
    for k in range(min(MOST_CHANNELS, volume.shape[3])):
        name = f", channel {k}" if volume.shape[3] > 1 else ""
        for number, (axis, place) in enumerate(
            zip(axes, strongest_place(volume[..., k]), strict=True)
        ):
            tiles.append((volume[..., k].take(place, number), f"{axis.name} {place}{name}"))
    return tiled(tiles, 3)


def strongest_place(volume: Array) -> tuple[int, ...]:
    """Return the place about which a volume [A, B, C] is farthest from its median.

    Distances are averaged over the neighbours, so that no single number decides.

    >>> volume = np.zeros((9, 9, 9))
    >>> volume[3:6, 1:4, 6:9] = -1
    >>> strongest_place(volume)
    (4, 2, 7)
    """
    far = np.abs(volume - np.median(volume)).astype(np.float64)
    for axis in range(volume.ndim):
        if volume.shape[axis] > 2:
            padded = np.pad(far, [(1, 1) if k == axis else (0, 0) for k in range(volume.ndim)])
            count = volume.shape[axis]
            far = sum(padded.take(range(k, k + count), axis) for k in range(3))
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(far)), volume.shape))


def film(video: Array, low: Array, high: Array, axes: Sequence[PlotAxis]) -> Image.Image:
    """Draw some frames of a video [T, H, W, channels] side by side, as evenly spaced as they go.

    Three channels are colours; of others the first one is drawn.
    """
    count = min(FRAMES, len(video))
    chosen = np.unique(np.linspace(0, len(video) - 1, count).round().astype(int))
    texts = [_moment(int(t), axes[0]) for t in chosen]
    if video.shape[-1] == COLOURS:
        frames = [_in_colours(video[t], low, high) for t in chosen]
        return side_by_side(list(zip(frames, texts, strict=True)), FRAMES_ACROSS)
    return tiled(
        [(video[t, ..., 0], text) for t, text in zip(chosen, texts, strict=True)], FRAMES_ACROSS
    )


def _moment(frame: int, axis: PlotAxis) -> str:
    return f"{frame / axis.rate:.3g} s" if axis.rate else f"frame {frame}"


def film_gif(video: Array, low: Array, high: Array) -> bytes:
    """Return a video [T, H, W, channels] as a GIF that repeats.

    Three channels are colours from the least to the largest number of their range.
    """
    factor = max(1, -(-SIDE // max(video.shape[1:3])))
    size = (video.shape[2] * factor, video.shape[1] * factor)
    frames = [enlarged(frame, size) for frame in _frames(video, low, high)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0
    )
    return buffer.getvalue()


def _frames(video: Array, low: Array, high: Array) -> list[Image.Image]:
    if video.shape[-1] == COLOURS:
        return [_in_colours(frame, low, high) for frame in video]
    least, most = float(video[..., 0].min()), float(video[..., 0].max())
    return [coloured(frame[..., 0], least, most) for frame in video]


def _in_colours(frame: Array, low: Array, high: Array) -> Image.Image:
    part = np.clip((frame - low) / (high - low), 0, 1)
    return Image.fromarray(np.rint(255 * part).astype(np.uint8))
