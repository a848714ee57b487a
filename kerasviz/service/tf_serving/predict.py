"""TensorFlow Serving's REST protocol over the signatures that ``kerasviz export`` writes.

Signatures are functions of this process, traced at their first use. Paths, bodies, errors and
statuses are those of TensorFlow Serving; the only version is 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import KerasvizError
from kerasviz.export.saved_model import SIGNATURE, Signature
from kerasviz.export.tf_serving import ExportSettings
from kerasviz.export.tf_serving.settings import usual_setting
from kerasviz.export.tf_serving.signatures import ROW, makers
from kerasviz.io.images import ImageFileError, open_image
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.media_recipes import of_medium
from kerasviz.service.networks import Networks
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.tf_serving.json_tensors import BadRequestError, answer, read

#: The only version of every network.
VERSION = "1"
#: Pixels of all encoded images of a request, at most: small files may hold very large images, which
#: take 15 bytes a pixel while they are decoded.
PIXELS = 50_000_000
#: Requests that wait or are answered, at most.
MOST_WAITING = 1000
VISUALIZING = ("visualize", "visualize_png")
FORMATS = ("PNG", "JPEG", "GIF", "BMP")


class NoServableError(KerasvizError):
    """No network has this name and version."""


class BusyError(KerasvizError):
    """Too many requests wait for an answer."""


class ClientGoneError(KerasvizError):
    """The client has disconnected."""


@dataclass
class _Served:
    """A network with the signatures traced so far."""

    net: Network
    setting: ExportSettings
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    @cached_property
    def makers(self) -> Mapping[str, Callable[[], Signature]]:
        return makers(self.net, self.setting)

    def signature(self, name: str) -> Signature:
        name = name or SIGNATURE
        if name not in self.makers:
            raise BadRequestError(f'Serving signature name: "{name}" not found in signature def')
        # Each has a lock of its own, because tracing may take a minute.
        with self.locks.setdefault(name, threading.Lock()):
            return self.makers[name]()


class Predictor:
    """Answers the requests of TensorFlow Serving's REST protocol.

    Callers enter ``predict_slots`` before quick requests, and ``render_slots`` before requests
    that optimize pictures.
    """

    def __init__(self, setting: ServiceSettings, networks: Networks):
        self.limits, self.networks = setting.limits, networks
        self.taps = setting.taps
        self.predict_slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        self.render_slots = asyncio.Semaphore(1)
        self._waiting = 0
        self._served: dict[str, _Served] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def queued(self) -> Iterator[None]:
        """Count a request while it waits and is answered; raises :class:`BusyError`."""
        if self._waiting >= MOST_WAITING:
            raise BusyError("too many requests wait")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def prepare(self, name: str) -> None:
        """Trace the most used signatures, so that the first request need not wait."""
        served = self._find(name, None)
        served.signature(SIGNATURE)
        served.signature("activations")

    def is_visualizing(self, body: bytes) -> bool:
        """Guess from its bytes whether a request may ask for pictures."""
        return len(body) < 2**20 and b"visualize" in body

    def predict(
        self, name: str, version: str | None, body: bytes, gone: Callable[[], bool] = lambda: False
    ) -> bytes:
        """Answer ``:predict``; rendering stops once the client is ``gone``.

        Raises :class:`NoServableError`, :class:`BadRequestError` and :class:`ClientGoneError`.
        """
        served = self._find(name, version)
        request = read(body)
        signature = served.signature(request.signature)
        inputs = request.inputs(signature.inputs)
        self._check(request.signature, inputs)
        step = served.setting.group if request.signature in VISUALIZING else None
        try:
            outputs = _run(signature, inputs, step, gone)
        except tf.errors.OpError as error:
            raise BadRequestError(_line(error)) from error
        return answer({name: outputs[name] for name in sorted(outputs)}, request.rows)

    def _check(self, signature: str, inputs: Mapping[str, Any]) -> None:
        if signature in VISUALIZING:
            rows = {name: len(column) for name, column in inputs.items()}
            if len(set(rows.values())) > 1:
                raise BadRequestError(f"the inputs differ in their rows: {rows}")
            if rows[ROW[0]] > self.limits.rows:
                raise BadRequestError(
                    f"{rows[ROW[0]]} pictures: at most {self.limits.rows} at once"
                )
        if signature == "serving_bytes":
            _check_images(inputs["image_bytes"])

    def status(self, name: str, version: str | None) -> dict[str, Any]:
        """Answer ``GET /v1/models/NAME``."""
        self._check_known(name, version, "Could not find any versions of model {}")
        state, code, line = "AVAILABLE", "OK", ""
        error = self.networks.error(name)
        if error is not None:
            state, code, line = "END", "FAILED_PRECONDITION", error
        elif not self.networks.loaded(name):
            state = "LOADING"
        status = {"error_code": code, "error_message": line}
        version_status = {"version": VERSION, "state": state, "status": status}
        return {"model_version_status": [version_status]}

    def metadata(self, name: str, version: str | None) -> dict[str, Any]:
        """Answer ``GET /v1/models/NAME/metadata`` with all signatures."""
        served = self._find(name, version)
        definitions = {n: _definition(n, *_shapes(served, n)) for n in sorted(served.makers)}
        return {
            "model_spec": {"name": name, "signature_name": "", "version": VERSION},
            "metadata": {"signature_def": {"signature_def": definitions}},
        }

    def _find(self, name: str, version: str | None) -> _Served:
        which = "Latest({})" if version is None else f"Specific({{}}, {version})"
        self._check_known(name, version, f"Servable not found for request: {which}")
        try:
            net = self.networks.get(name)
        except KerasvizError as error:
            raise NoServableError(f"Servable not found for request: {error}") from error
        with self._lock:
            if name not in self._served:
                recipe = of_medium(RECIPES["fast"], net)
                most = min(recipe.steps, self.limits.steps)
                taps = [tap for tap in self.taps if tap in net.taps]
                setting = usual_setting(net, recipe, taps=taps, steps_max=most)
                self._served[name] = _Served(net, setting)
            return self._served[name]

    def _check_known(self, name: str, version: str | None, line: str) -> None:
        if name not in self.networks or version not in (None, VERSION):
            raise NoServableError(line.format(name))


def _run(
    signature: Signature,
    inputs: Mapping[str, Any],
    step: int | None,
    gone: Callable[[], bool],
) -> dict[str, Any]:
    """Run a signature, ``step`` rows at a time or all at once, and return its outputs.

    Rows of pictures are independent, and a run cannot be interrupted: between two runs a client
    that is gone is noticed.
    """
    rows = len(next(iter(inputs.values()))) if step else 0
    parts: list[list[Any]] = []
    for first in range(0, max(rows, 1), step or 1):
        if gone():
            raise ClientGoneError("the client has gone")
        part = slice(first, first + step) if step else slice(None)
        tensors = [tf.constant(inputs[n][part], s.dtype) for n, s in signature.inputs.items()]
        parts.append([np.asarray(tensor.numpy()) for tensor in signature.traced(*tensors)])
    columns = zip(*parts, strict=True)
    outputs = [column[0] if len(column) == 1 else np.concatenate(column) for column in columns]
    return dict(zip(signature.outputs, outputs, strict=True))


def _line(error: BaseException) -> str:
    """Return the message of an error, which TensorFlow writes just before the node."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    nodes = [k for k, line in enumerate(lines) if line.startswith("[[")]
    found = lines[nodes[0] - 1] if nodes and nodes[0] else (lines or [type(error).__name__])[0]
    return found.split(" for '{{node")[0][:500]


def _check_images(strings: Iterable[bytes]) -> None:
    """Refuse images that decode into too many pixels, and none at all."""
    pixels = 0
    for k, data in enumerate(strings):
        try:
            with open_image(data, FORMATS) as image:
                width, height = image.size
        except ImageFileError as error:
            raise BadRequestError(f"image {k} is no PNG, JPEG, GIF or BMP file") from error
        pixels += width * height
        if pixels > PIXELS:
            raise BadRequestError(
                f"image {k} has {width}x{height} pixels; all together may have {PIXELS}"
            )
    if not pixels:
        raise BadRequestError("no images were given")


# -- metadata --------------------------------------------------------------------------------

Shapes = Mapping[str, tuple[Any, list[int | None] | None]]


def _shapes(served: _Served, name: str) -> tuple[Shapes, Shapes]:
    """Return dtypes and shapes of the inputs and outputs of a signature."""
    if name in VISUALIZING:  # tracing takes long, and the shapes are always the same
        size = (*served.setting.recipe.size, served.net.channels)
        outputs: dict[str, Any] = {"scores": (tf.float32, [None]), "steps": (tf.int32, [None])}
        if name == "visualize":
            outputs["images"] = (tf.float32, [None, *size])
        else:
            outputs["image_bytes"] = (tf.string, [None])
        return {column: (tf.int32, [None]) for column in ROW}, outputs
    signature = served.signature(name)
    inputs = {n: (s.dtype, _sizes(s.shape)) for n, s in signature.inputs.items()}
    found = zip(signature.outputs, signature.traced.outputs, strict=True)
    return inputs, {n: (t.dtype, _sizes(t.shape)) for n, t in found}


def _sizes(shape: Any) -> list[int | None] | None:
    return None if shape.rank is None else list(shape.as_list())


def _definition(name: str, inputs: Shapes, outputs: Shapes) -> dict[str, Any]:
    return {
        "inputs": {n: _info(f"{name}_{n}:0", *s) for n, s in sorted(inputs.items())},
        "outputs": {
            n: _info(f"StatefulPartitionedCall:{k}", *s)
            for k, (n, s) in enumerate(sorted(outputs.items()))
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def _info(name: str, dtype: Any, sizes: list[int | None] | None) -> dict[str, Any]:
    names = {"string": "DT_STRING", "float32": "DT_FLOAT", "float64": "DT_DOUBLE"}
    names |= {"float16": "DT_HALF"}
    shape = {
        "dim": [{"size": str(-1 if n is None else n), "name": ""} for n in sizes or ()],
        "unknown_rank": sizes is None,
    }
    kind = names.get(dtype.name, f"DT_{dtype.name.upper()}")
    return {"dtype": kind, "tensor_shape": shape, "name": name}
