"""Atlases whose pictures were never optimized: a few are in the places of all, each file its own.

They are written as an atlas writes them, thousands in seconds.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.layout.appendix import layers_of
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.site.record import FigureRun
from kerasviz.io.files import checksum, digest
from kerasviz.io.images import to_image
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value
from kerasviz.optvis.environment import environment
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store

__all__ = ["dreams", "fill", "making", "outline", "unrendered"]

#: The number of a picture, by its request and its row in it.
Pick = Callable[[Request, int], int]


class _Outline:
    """A program with layers of given widths, that computes nothing."""

    def __init__(self, layers: Mapping[str, int]):
        self.inputs = {"image": Port("image", tf.float32, (None, None, None, 3))}
        self.values = {n: Value(n, "Conv2D", (None, None, None, c)) for n, c in layers.items()}
        self.outputs = [list(layers)[-1]]
        self.module_kinds: Mapping[str, str] = {}


def outline(layers: Mapping[str, int], name: str = "outline") -> Network:
    """A network that is only the names of its layers and their numbers of channels."""
    program: Any = _Outline(layers)
    identity = Identity(name, name, "zoo", "1" * 64)
    return Network(program, identity, input_spec=preset("unit"), main_taps=tuple(layers))


def dreams(count: int, size: tuple[int, int], seed: int = 0) -> list[Image.Image]:
    """Pictures [height, width] that are as hard to compress as optimized ones: 1/f noise.

    They have no full colours, so that these can be told from pictures.
    """
    draw, (height, width) = np.random.default_rng(seed), size
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    weights = 1 / np.maximum(frequencies, 1 / max(size)) ** 1.1
    found = []
    for _ in range(count):
        spectrum = np.fft.fft2(draw.normal(size=(height, width, 3)), axes=(0, 1))
        plane = np.fft.ifft2(spectrum * weights[..., None], axes=(0, 1)).real
        plane = plane / plane.std() @ draw.normal(0, 0.9, (3, 3))
        found.append(to_image(0.12 + 0.73 / (1 + np.exp(-plane))))
    return found


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _marked(png: bytes, words: str) -> bytes:
    """A PNG file with words in it, so that no two files are the same."""
    body = b"tEXt" + b"Comment\0" + words.encode("latin-1", "replace")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-12] + chunk + png[-12:]


def fill(
    store: Store, requests: Sequence[Request], images: Sequence[Image.Image], pick: Pick
) -> None:
    """Put pictures in the places of all requests, under content addresses."""
    here, files = environment(), [_png(image) for image in images]
    for number in range(256):
        (store.folder / "objects" / f"{number:02x}").mkdir(parents=True, exist_ok=True)
    manifest: Any = store._manifest
    manifest.add_environment(digest(here), here)
    for request in requests:
        settings, key = request.to_json(), request.key(store.net)
        manifest.add_request(name := digest(settings), settings)
        steps = request.recipe.steps
        curve = tuple((k * steps // 32, float(k)) for k in range(33))
        for row in range(request.rows):
            data = _marked(files[pick(request, row)], f"{key} {row}")
            sha256 = checksum(data)
            file = f"objects/{sha256[:2]}/{sha256}.png"
            (store.folder / file).write_bytes(data)
            manifest.add(
                Entry(
                    file=file,
                    sha256=sha256,
                    key=key,
                    target=request.text,
                    step=steps,
                    row=row,
                    compiled_batch=4,
                    score=float(row + 1),
                    request=name,
                    environment=digest(here),
                    curve=curve,
                )
            )
    store.merge()


def making(out: Path, net: Network, layers: Sequence[str], size: tuple[int, int]) -> FigureRun:
    """What an atlas of pictures [height, width] in ``out`` is made with."""
    order = FigureOptions(net, recipe("fast").replace(size=size), layers=tuple(layers))
    order = replace(order, layers=tuple(layers_of(order)))
    return FigureRun(Store(out / "pictures", net), order, CommandLine(net.name, recipe="fast"))


def unrendered(
    out: Path,
    net: Network,
    layers: Sequence[str],
    images: Sequence[Image.Image],
    pick: Pick | None = None,
) -> FigureRun:
    """Put the pictures of an atlas into ``out``: what its site is made of."""
    width, height = images[0].size
    made = making(out, net, layers, (height, width))
    requests = choose(APPENDIX_LAYER, made.options).requests
    fill(made.store, requests, images, pick or _spread(len(images)))
    return made


def _spread(count: int) -> Pick:
    return lambda request, row: zlib.crc32(f"{request.text} {row} {request.rows}".encode()) % count
