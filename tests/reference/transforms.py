"""Transforms (lucid, ``optvis/transform.py``), one pixel after the other.

``picks`` are what was drawn: a jitter's (down, right) offsets, a scale's factor, a rotation's
degrees, a resized crop's (side, down, right) as shares, a shrink's (share, least), nothing for
pad and crop.
"""

from __future__ import annotations

import numpy as np


def bilinear(image, y, x, fill):
    """The image [H, W, C] at a position, where everything outside is ``fill``."""
    height, width, channels = image.shape
    top, left = int(np.floor(y)), int(np.floor(x))
    total = np.zeros(channels)
    for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = 0 <= row < height and 0 <= column < width
            total += wy * wx * (image[row, column] if inside else fill)
    return total


def folded(image, steps, fill=0.5):
    """The steps done in one sampling of the image [H, W, C]; scale and rotate keep the size.

    ``steps`` are pairs of a name and its argument: ("pad", p), ("jitter", (d, down, right)),
    ("scale", factor), ("rotate", degrees), ("resized_crop", (side, down, right)), ("crop", None),
    ("shrink", (share, least)).
    Every pixel of the last canvas is followed back, in pixels from the upper left corner of each
    canvas.
    """
    sizes = [image.shape[:2]]
    for name, given in steps:
        height, width = sizes[-1]
        if name == "pad":
            height, width = height + 2 * given, width + 2 * given
        elif name == "jitter":
            height, width = height - given[0], width - given[0]
        elif name == "crop":
            height, width = image.shape[:2]
        elif name == "shrink":
            height, width = (int(side * shrunk(given, (height, width))) for side in (height, width))
        sizes.append((height, width))
    out = np.zeros((*sizes[-1], image.shape[2]))
    for row, column in np.ndindex(sizes[-1]):
        y, x = float(row), float(column)
        for (name, given), before in reversed(list(zip(steps, sizes[:-1], strict=True))):
            middle_y, middle_x = (before[0] - 1) / 2, (before[1] - 1) / 2
            if name == "pad":
                y, x = y - given, x - given
            elif name == "jitter":
                y, x = y + given[1], x + given[2]
            elif name == "scale":
                y, x = middle_y + (y - middle_y) / given, middle_x + (x - middle_x) / given
            elif name == "resized_crop":
                y, x = in_window(y, before[0], *given[:2]), in_window(x, before[1], *given[::2])
            elif name == "shrink":
                share = shrunk(given, before)
                after = [int(side * share) for side in before]
                y = middle_y + (y - (after[0] - 1) / 2) / share
                x = middle_x + (x - (after[1] - 1) / 2) / share
            elif name == "rotate":
                angle = np.pi * given / 180
                up, across = y - middle_y, x - middle_x
                x = middle_x + np.cos(angle) * across - np.sin(angle) * up
                y = middle_y + np.sin(angle) * across + np.cos(angle) * up
            else:
                y += int((before[0] - image.shape[0]) / 2)
                x += int((before[1] - image.shape[1]) / 2)
        out[row, column] = bilinear(image, y, x, fill)
    return out


def in_window(pixel, extent, side, move):
    """Where a pixel of a resized crop is: the window's first pixel is at ``move`` in -1 .. 1."""
    room = (1 - side) * (extent - 1)
    return room * (move + 1) / 2 + side * pixel


def shrunk(given, size):
    """The share of a shrink, at which no side of a size becomes shorter than its least."""
    share, least = given
    while share < 1 and min(size) * share < least:
        share = min(1.0, least / min(size))
    return share


def shrink(image, share, least):
    """Every pixel of the result, taken from where it is relative to the centre of the image."""
    share = shrunk((share, least), image.shape[:2])
    height, width = (int(side * share) for side in image.shape[:2])
    out = np.zeros((height, width, image.shape[2]))
    for row, column in np.ndindex(height, width):
        y = (image.shape[0] - 1) / 2 + (row - (height - 1) / 2) / share
        x = (image.shape[1] - 1) / 2 + (column - (width - 1) / 2) / share
        out[row, column] = bilinear(image, y, x, 0.0)
    return out


def resized_crop(image, side, down, right):
    """The window of a share of the sides, resized to the whole; its border lies on the image."""
    out = np.zeros_like(image)
    for row, column in np.ndindex(image.shape[:2]):
        y, x = (
            in_window(row, image.shape[0], side, down),
            in_window(column, image.shape[1], side, right),
        )
        out[row, column] = bilinear(image, y, x, 0.0)
    return out


def pad(image, pixels, fill=0.5, mode="constant"):
    around = ((pixels, pixels), (pixels, pixels), (0, 0))
    if mode == "reflect":
        return np.pad(image, around, mode="reflect")
    return np.pad(image, around, constant_values=fill)


def jitter(image, pixels, down, right):
    height, width = image.shape[:2]
    return image[down : height - pixels + down, right : width - pixels + right]


def scale(image, factor):
    """TensorFlow 1's bilinear resize: output i is taken at i in/out, held at the last pixel."""
    height, width, channels = image.shape
    new = [int(np.float32(factor) * np.float32(n)) for n in (height, width)]
    out = np.zeros((*new, channels))
    for row, column in np.ndindex(*new):
        y, x = row * height / new[0], column * width / new[1]
        top, left = int(y), int(x)
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
        lower = image[below, left] * (1 - (x - left)) + image[below, right] * (x - left)
        out[row, column] = upper * (1 - (y - top)) + lower * (y - top)
    return out


def rotate(image, degrees):
    """Nearest neighbour about the centre, black outside, with the reference library's pi."""
    height, width = image.shape[:2]
    angle = 3.14 * degrees / 180
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    out = np.zeros_like(image)
    for row, column in np.ndindex(height, width):
        up, across = row - middle_y, column - middle_x
        x = int(np.round(middle_x + np.cos(angle) * across - np.sin(angle) * up))
        y = int(np.round(middle_y + np.sin(angle) * across + np.cos(angle) * up))
        if 0 <= y < height and 0 <= x < width:
            out[row, column] = image[y, x]
    return out


def limited_gradient(gradient: np.ndarray, most: float, window: int) -> np.ndarray:
    """The gradient [H, W, C] of an image behind ``LimitGradient``, pixel by pixel."""
    height, width, _ = gradient.shape
    squares, reach = np.sum(gradient**2, axis=2), window // 2
    sizes = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            rows = slice(max(0, y - reach), y + reach + 1)
            sizes[y, x] = np.sqrt(squares[rows, max(0, x - reach) : x + reach + 1].mean())
    largest = most * sizes.mean()
    return gradient * np.where(sizes > largest, largest / np.maximum(sizes, 1e-300), 1.0)[..., None]
