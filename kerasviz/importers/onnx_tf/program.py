"""Import ONNX models by way of the onnx-tf package, for comparison with it.

The network has the same inputs, values, names and roles as that of :mod:`kerasviz.importers.onnx`;
only the computation is onnx-tf's, traced once and frozen. onnx-tf keeps every value in the model's
layout, so images are transposed at the taps. onnx-tf computes pools whose padding TensorFlow lacks
in numpy: they have values, but no gradient.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, near
from kerasviz.importers.imported import Imported
from kerasviz.importers.onnx import ops  # noqa: F401 - registers what is known of layouts
from kerasviz.importers.onnx.activation_inputs import with_activation_inputs
from kerasviz.importers.onnx.aliases import module_kinds
from kerasviz.importers.onnx.channel_axes import ChannelAxes, Extent
from kerasviz.importers.onnx.contents import contents_of, file_contents
from kerasviz.importers.onnx.describe import (
    takes_channels_first,
    value_of,
    with_aliases,
    with_structure,
    with_weights,
)
from kerasviz.importers.onnx.executor import prefer_channels_last
from kerasviz.importers.onnx.graph import Graph, Node, read_graph
from kerasviz.importers.onnx.layout import to_first
from kerasviz.importers.onnx.load import copied_model, load_model
from kerasviz.importers.onnx.metadata import described
from kerasviz.importers.onnx.registry import Layout, layout_of
from kerasviz.importers.onnx_tf.compat import import_onnx_tf
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.program import GraphProgram, program_over
from kerasviz.importers.tensorflow.values import Naming
from kerasviz.network.program import PLAIN, Described, Edit, Kernels, Port, Value, static_shape
from kerasviz.types import Tensor

#: Errors of onnx-tf for models that it cannot translate, some only during the trace.
_ERRORS = (
    *(ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError),
    *(unittest.SkipTest, tf.errors.OpError, onnx.checker.ValidationError),
)


def read_onnx_tf(path: Path) -> Imported:
    """Read an ONNX file with onnx-tf.

    Raises :class:`UsageError` if onnx-tf is not installed, and :class:`ModelError` for a model that
    cannot be read or that onnx-tf does not know.
    """
    path = Path(path)
    return _read(load_model(path), path, partial(file_contents, path))


def read_onnx_tf_proto(model: Any, path: Path) -> Imported:
    """Read a ``ModelProto`` with onnx-tf; see :func:`kerasviz.importers.onnx.read_onnx_proto`."""
    return _read(copied_model(model, path), path, partial(contents_of, model, path))


def _read(model: Any, path: Path, contents: Callable[[], str]) -> Imported:
    graph = read_graph(model, path)
    try:
        program = _program(model, graph)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    imported = Imported(program, format="onnx-tf", contents=contents)
    return described(imported, graph.metadata, path)


def _program(model: Any, graph: Graph) -> OnnxTfProgram:
    """Make the program for any number of images, or for one if onnx-tf cannot do more."""
    for_one = [entry for entry in graph.inputs if entry.shape and entry.shape[0] == 1]
    if not for_one:
        return OnnxTfProgram(graph, _translated(model, graph, free=False))
    alone = _translated(model, graph, free=False)
    try:
        wide = _translated(_without_ones(model, graph, alone), graph, free=True)
        return OnnxTfProgram(graph, wide, alone=alone)
    except ModelError:
        return OnnxTfProgram(graph, alone, one_image=True)


@dataclass(frozen=True)
class _Translated:
    """Hold a trace of onnx-tf's translation: its function, and its tensors by ONNX name.

    ``module`` is kept because some of its nodes call back into Python.
    """

    module: Any
    function: Any
    tensors: Mapping[str, Tensor]


def _translated(model: Any, graph: Graph, *, free: bool) -> _Translated:
    """Translate and trace the model; with ``free`` for any number of images instead of one."""
    backend = import_onnx_tf()
    try:
        module = backend.prepare(model, device="CPU", logging_level="ERROR").tf_module
        specs = [_spec(entry, free) for entry in graph.inputs]
        kept: list[str] = []

        def call(*feeds: Tensor) -> list[Tensor]:
            names = (entry.name for entry in graph.inputs)
            values = module.gen_tensor_dict(dict(zip(names, feeds, strict=True)))
            computed = [o for node in graph.nodes for o in node.outputs]
            for name in dict.fromkeys([*computed, *graph.outputs]):
                if isinstance(values.get(name), tf.Tensor):
                    kept.append(name)
            return [values[name] for name in kept]

        function = tf.function(call, autograph=False).get_concrete_function(*specs)
    except _ERRORS as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1] if lines else type(error).__name__
        raise ModelError(f"onnx-tf cannot translate the model: {reason}") from error
    return _Translated(module, function, dict(zip(kept, function.outputs, strict=True)))


def _spec(entry: Any, free: bool) -> Any:
    if entry.dtype is None:
        raise ModelError(f"input {entry.name!r} is no tensor, which onnx-tf cannot take here")
    shape = entry.shape
    if free and shape and shape[0] == 1:
        shape = (None, *shape[1:])
    return tf.TensorSpec(shape, entry.dtype)


def _without_ones(model: Any, graph: Graph, alone: _Translated) -> Any:
    """Return a copy whose reshapes to one image keep the number of images instead.

    They are the reshapes whose input and output have one row.
    """
    rows: dict[str, np.ndarray[Any, Any] | None] = {}
    for node in graph.nodes:
        source = alone.tensors.get(node.inputs[0]) if node.op == "Reshape" else None
        if source is None or not source.shape.rank or source.shape.rank < 2 or source.shape[0] != 1:
            continue
        constant = graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        shape = node.attributes.get("shape") if constant is None else constant.array
        if shape is not None and len(shape) > 1 and shape[0] == 1:
            rows[node.outputs[0]] = None if constant is None else constant.array
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = []
    for proto in copy.graph.node:
        if proto.op_type != "Reshape" or proto.output[0] not in rows:
            continue
        array = rows[proto.output[0]]
        if array is None:
            next(a for a in proto.attribute if a.name == "shape").ints[0] = 0
        else:
            name = f"{proto.output[0]}/rows"
            # TensorFlow infers more of a shape with -1 than with 0.
            first = 0 if -1 in array else -1
            shape = np.concatenate([[first], array[1:]]).astype(np.int64)
            tensor = onnx.numpy_helper.from_array(shape, name)
            constants.append(onnx.helper.make_node("Constant", [], [name], value=tensor))
            proto.input[1] = name
    for constant in constants:
        copy.graph.node.insert(0, constant)
    return copy


class OnnxTfProgram(Described):
    """Implement :class:`kerasviz.network.program.Program` for a model that onnx-tf translated.

    With ``one_image`` it runs for one image at a time. ``alone`` is the translation for one image,
    in which more shapes are known.
    """

    def __init__(
        self,
        graph: Graph,
        translated: _Translated,
        *,
        one_image: bool = False,
        alone: _Translated | None = None,
    ):
        self._one_image = one_image
        self._translated = translated
        self._alone = {} if alone is None else {n: t.shape for n, t in alone.tensors.items()}
        function, tensors = translated.function, translated.tensors
        names = [entry.name for entry in graph.inputs]
        fed = dict(zip(names, function.inputs, strict=False))  # followed by the weights
        outputs = {name: tensors[name] for name in graph.outputs if name in tensors}
        if not outputs:
            raise ModelError("onnx-tf gives no tensor as the output of the model")
        naming = _Naming(tensors)
        self._program: GraphProgram = program_over(function.graph, fed, outputs, naming)
        self._same = naming.inputs(fed)
        self._inner = {**{n: n for n in self._program.outputs}, **naming.main}
        self._outputs = tuple(n for n in graph.outputs if n in self._inner or n in self._same)
        image_like = prefer_channels_last(graph.nodes)
        self._inputs: dict[str, Port] = {}
        for entry in graph.inputs:
            first = takes_channels_first(entry.name, entry.shape, graph.nodes, image_like)
            inner = self._program.inputs[entry.name]
            self._inputs[entry.name] = Port(
                entry.name, inner.dtype, entry.shape, first, as_floats=inner.as_floats
            )
        self._ranks = _ranks(graph, tensors)
        first_inputs = {name for name, port in self._inputs.items() if port.channels_first}
        images = _channels_on_axis_1(graph.nodes, first_inputs, image_like, self._ranks)
        self._axes = self._channel_axes(graph, tensors, images)
        self._values = self._described(graph, tensors)
        self._module_kinds = module_kinds(graph.nodes)

    def _channel_axes(
        self, graph: Graph, tensors: Mapping[str, Tensor], images: Collection[str]
    ) -> dict[str, int]:
        """Return the model's axis of the channels for values that do not have them last."""
        axes = ChannelAxes(graph.constants)
        for name, port in self._inputs.items():
            axes.start(name, Extent(port.shape, port.channels_first))
        result = {name: 1 for name in self._inputs if name in images}
        for node in graph.nodes:
            shapes = [self._shape(n, tensors[n]) if n in tensors else None for n in node.outputs]
            pairs = zip(node.outputs, shapes, strict=True)
            axes.follow(node, [Extent(shape, name in images) for name, shape in pairs])
            for name in node.outputs:
                axis = 1 if name in images else axes.axis(name)
                if axis is not None and self._ranks[name]:
                    result[name] = axis
        return result

    def _described(self, graph: Graph, tensors: Mapping[str, Tensor]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        known = set(self._inputs)
        for node in graph.nodes:
            for name in node.outputs:
                if name not in self._inner and name not in self._same:
                    continue
                shape = self._shape(name, tensors[name])
                axis = self._axes.get(name, -1)
                if shape is not None and axis > 0:
                    shape = tuple(shape[k] for k in _with_last(axis, len(shape)))
                value = value_of(name, node, shape, known, axis=axis)
                if node.op in ("Relu", "Clip") and self._is_rectifier(name):
                    value = replace(value, relu_input=node.inputs[0])
                values[name] = value
                known.add(name)
        described = with_activation_inputs(values, graph.nodes, graph.constants)
        named = with_aliases(described, graph.nodes, graph.outputs)
        structured = with_structure(named, graph.nodes, self._inputs)
        run = [node for node in graph.nodes if any(name in values for name in node.outputs)]
        return with_weights(structured, graph, run)

    def _shape(self, name: str, tensor: Tensor) -> tuple[int | None, ...] | None:
        """Return the shape in the model's layout, completed from the frozen graph."""
        inner = self._program.values.get(self._inner.get(name, ""))
        shape = static_shape(tensor) if inner is None else inner.shape
        one = self._alone.get(name)
        if shape is None and self._ranks[name] is not None:
            shape = (None,) * int(self._ranks[name] or 0)
        if shape is None or one is None or one.rank != len(shape) or one.rank == 0:
            return shape
        known = zip(shape[1:], one.as_list()[1:], strict=True)
        return (shape[0], *(length if n is None else n for n, length in known))

    def _is_rectifier(self, name: str) -> bool:
        """Return whether a value comes from TensorFlow's ReLU, whose gradient can be switched."""
        inner = self._program.values.get(self._inner.get(name, ""))
        return inner is not None and inner.op in ("Relu", "Relu6")

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute values by name; see :class:`kerasviz.network.program.Program`."""
        fed = {name: self._taken(name, feed, channels_last) for name, feed in feeds.items()}
        for name in names:
            if name not in self._inner and name not in self._same:
                raise UsageError(f"unknown value {name!r}; near: {near(name, self._values)}")
            if name in self._same and self._same[name] not in fed:
                raise UsageError(f"input {self._same[name]!r} is needed and was not given")
        inner = {name: self._inner[name] for name in names if name in self._inner}
        wanted = list(dict.fromkeys(inner.values()))
        edits = {self._inner[name]: self._inward(name, e) for name, e in kernels.edits.items()}
        given = {self._inner[name]: self._from_last(name, x) for name, x in kernels.given.items()}
        inward = replace(kernels, edits=edits, given=given)
        computed = self._program.compute(fed, wanted, kernels=inward)
        results = {}
        for name in names:
            result = computed[inner[name]] if name in inner else fed[self._same[name]]
            if channels_last and name in self._axes:
                order = _with_last(self._axes[name], int(self._ranks[name] or 0))
                result = tf.transpose(result, order)
            results[name] = result
        return results

    def _inward(self, name: str, edit: Edit) -> Edit:
        """Return an edit for the frozen graph, which has the values in the model's layout."""

        def last(name: str, tensor: Tensor) -> Tensor:
            order = _with_last(self._axes[name], int(self._ranks[name] or 0))
            return tf.transpose(tensor, order)

        def changed(tensor: Tensor, read: Callable[[str], Tensor]) -> Tensor:
            def outward(name: str) -> Tensor:
                tensor = read(self._inner[name])
                return last(name, tensor) if name in self._axes else tensor

            edited = edit(last(name, tensor) if name in self._axes else tensor, outward)
            return self._from_last(name, edited)

        return changed

    def _from_last(self, name: str, tensor: Tensor) -> Tensor:
        """Return a value whose channels are last in the model's layout."""
        if name not in self._axes:
            return tensor
        order = _with_last(self._axes[name], int(self._ranks[name] or 0))
        return tf.transpose(tensor, [order.index(k) for k in range(len(order))])

    def _taken(self, name: str, feed: Tensor, last: bool) -> Tensor:
        if name not in self._inputs:
            raise UsageError(f"no input {name!r}; inputs: {near(name, self._inputs)}")
        port = self._inputs[name]
        tensor = port.tensor(feed)
        rank = tensor.shape.rank
        fixed = self._one_image and port.shape and port.shape[0] == 1 and rank
        if fixed and tensor.shape[0] not in (1, None):
            raise ModelError(
                "onnx-tf translates this model for one image at a time, given "
                f"{tensor.shape[0]}; give --batch 1"
            )
        if last and port.channels_first and rank is not None:
            return tf.transpose(tensor, to_first(rank))
        return tensor


class _Naming:
    """Name the tensors of the frozen graph after the values of ONNX.

    ``main`` maps a value to the name that its tensor is computed by: copies (``Identity``,
    ``Dropout``) share one tensor in TensorFlow.
    """

    def __init__(self, tensors: Mapping[str, Tensor]):
        self._tensors = tensors
        self._sources: dict[str, str] = {}
        self.main: dict[str, str] = {}

    def __call__(self, frozen: FrozenGraph) -> Naming:
        names: dict[str, list[str]] = {}
        for name, tensor in self._tensors.items():
            key = self._sources[name] = frozen.source(tensor.name)
            if key in frozen.live and key not in frozen.broken:
                names.setdefault(key, []).append(name)
        order = [
            f"{node.name}:{k}" for node in frozen.nodes.values() for k in range(len(node.outputs))
        ]
        listed = {key: tuple(names[key]) for key in order if key in names}
        self.main = {name: spellings[0] for spellings in listed.values() for name in spellings}
        return Naming(listed)

    def inputs(self, fed: Mapping[str, Tensor]) -> dict[str, str]:
        """Return the values that are copies of an input, with that input."""
        by_key = {tensor.name: name for name, tensor in fed.items()}
        same = {n: by_key[key] for n, key in self._sources.items() if key in by_key}
        for name in same:
            self.main.pop(name, None)
        return same


def _with_last(axis: int, rank: int) -> list[int]:
    return [*(k for k in range(rank) if k != axis), axis]


def _ranks(graph: Graph, tensors: Mapping[str, Tensor]) -> dict[str, int | None]:
    """Return the rank of every value, from its input where TensorFlow does not know it."""
    ranks: dict[str, int | None] = {i.name: len(i.shape or ()) for i in graph.inputs}
    for node in graph.nodes:
        for name in node.outputs:
            rank = tensors[name].shape.rank if name in tensors else None
            if rank is None and layout_of(node) is not Layout.MODEL:
                rank = ranks.get(node.inputs[0])
            ranks[name] = rank
    return ranks


def _channels_on_axis_1(
    nodes: Sequence[Node], inputs: set[str], image_like: set[str], ranks: Mapping[str, int | None]
) -> set[str]:
    """Return the values with channels on axis 1: those of convolutions, and what follows them."""
    images = set(inputs)
    for node in nodes:
        layout = layout_of(node)
        for name in node.outputs:
            follows = layout is Layout.FOLLOWS and any(
                i in images and ranks.get(i) == ranks.get(name) for i in node.inputs
            )
            if (layout is Layout.IMAGE or follows or name in image_like) and (
                (ranks.get(name) or 0) > 2
            ):
                images.add(name)
    return images
