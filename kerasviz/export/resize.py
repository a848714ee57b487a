"""Give a network that was exported for one image size another size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Program, Value, static_shape
from kerasviz.types import Tensor

Size = tuple[int | None, int | None]

#: Images in a trace: an uncommon number, so that other lengths are not mistaken for it.
_IMAGES = 7


class _Resized(Described):
    """Wrap a program whose image input has another size."""

    def __init__(self, program: Program, port: Port, values: Mapping[str, Value]):
        self._program = program
        self._inputs = {**program.inputs, port.name: port}
        self._outputs = program.outputs
        self._values = dict(values)
        self._module_kinds = program.module_kinds
        self._left_out = getattr(program, "left_out", {})
        self.scope = getattr(program, "scope", None)

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        return self._program.compute(feeds, names, channels_last=channels_last, kernels=kernels)


def resized(net: Network, size: Size) -> Network:
    """Return the network for images of ``size`` (height, width), ``None`` for any.

    Raises :class:`ModelError` that names the node which requires the size of the file.
    """
    port = net.image_port
    before = net.fixed_size
    # A free length is probed with another length than the file's.
    probe = tuple(
        n if n is not None else (had or 224) + 32 * (k + 1)
        for k, (n, had) in enumerate(zip(size, before, strict=True))
    )
    words = "x".join("any" if n is None else str(n) for n in size)
    probing = _with_size(port, (probe[0], probe[1]))
    try:
        _shapes(net.program, probing, 1)
    except (ModelError, ValueError) as error:
        reason = str(error).split(" for '{{node")[0]
        raise ModelError(f"{net.name} does not allow images of {words}: {reason}") from error
    if None not in before:
        _check_rows(net, probing, before, words)
    port = _with_size(port, size)
    values = {}
    described = _shapes(net.program, port, None)
    for name, value in net.program.values.items():
        values[name] = replace(value, shape=described.get(name, None))
    return replace(net, program=_Resized(net.program, port, values), logits=net.classes.logits)


def _check_rows(net: Network, probing: Port, before: Size, words: str) -> None:
    """Refuse a size at which a value no longer has one row per image."""
    try:
        old = _shapes(net.program, net.image_port, _IMAGES)
    except (ModelError, ValueError):
        return  # a network for one image only
    try:
        new = _shapes(net.program, probing, _IMAGES)
    except (ModelError, ValueError) as error:
        reason = str(error).split(" for '{{node")[0]
        raise ModelError(f"{net.name} does not allow images of {words}: {reason}") from error
    for name, shape in old.items():
        now = new.get(name)
        if shape and now and shape[0] == _IMAGES and now[0] not in (None, _IMAGES):
            value = net.program.values[name]
            raise ModelError(
                f"{net.name} does not allow images of {words}: {value.op} {name!r} is made for "
                f"{before[0]}x{before[1]} and would mix the images of a batch"
            )


def _with_size(port: Port, size: Size) -> Port:
    shape = port.shape or ()
    if port.channels_first:
        return replace(port, shape=(*shape[:2], *size))
    return replace(port, shape=(shape[0], *size, shape[3]))


def _shapes(
    program: Program, port: Port, images: int | None
) -> dict[str, tuple[int | None, ...] | None]:
    """Return the shapes of the values, channels last, for a number of images."""
    ports = {**program.inputs, port.name: port}
    specs = {}
    for name, entry in ports.items():
        shape = entry.last_shape
        if name == port.name and shape is not None:
            shape = (images, *shape[1:])
        specs[name] = tf.TensorSpec(shape, entry.dtype)
    known = [name for name, value in program.values.items() if value.shape is not None]
    shapes: dict[str, tuple[int | None, ...] | None] = {}

    def run(*tensors: Tensor) -> None:
        results = program.compute(dict(zip(specs, tensors, strict=True)), known)
        for name, tensor in results.items():
            shapes[name] = static_shape(tensor)

    tf.function(run, autograph=False).get_concrete_function(*specs.values())
    return shapes
