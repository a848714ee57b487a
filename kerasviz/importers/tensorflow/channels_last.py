"""Rewrite the channels-first part of a graph to channels last, which a CPU can compute.

A tensor that the file has as [N, C, H, W] is held as [N, H, W, C]. Operations that cannot take it
so get it transposed; their results are those of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.layouts import Layouts, to_last
from kerasviz.importers.tensorflow.node import CHANNELS_FIRST, IMAGES, PASS_THROUGH, GraphNode
from kerasviz.network.program import Kernels
from kerasviz.types import Array, Tensor

#: Attributes with one number (paddings: two) for each axis.
_BY_AXIS = ("strides", "ksize", "dilations", "explicit_paddings")
_UNARY = frozenset(
    {"Abs", "Cast", "Ceil", "Elu", "Erf", "Erfc", "Exp", "Expm1", "Floor", "IsFinite", "LeakyRelu"}
    | {"Log", "Log1p", "LogicalNot", "Neg", "OnesLike", "Reciprocal", "Relu", "Relu6", "Round"}
    | {"Rsqrt", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Square", "StopGradient"}
    | {"Tanh", "ZerosLike", *PASS_THROUGH}
)
_ELEMENTWISE = frozenset(
    {"Add", "AddN", "AddV2", "ClipByValue", "Div", "DivNoNan", "Equal", "Greater", "GreaterEqual"}
    | {"Less", "LessEqual", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mul", "MulNoNan"}
    | {"NotEqual", "Pow", "RealDiv", "SelectV2", "SquaredDifference", "Sub"}
)
_REDUCTIONS = frozenset({"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"})
_PADDINGS = frozenset({"MirrorPad", "Pad", "PadV2"})
#: Operations that do the same at every place of other axes than the last.
_ALONG_LAST = frozenset({"LogSoftmax", "Softmax"})
#: Operations whose result is channels first where their first input is.
_LIKE_ITS_INPUT = _UNARY | _ELEMENTWISE | _PADDINGS | {"ExpandDims", "StridedSlice", "ConcatV2"}
#: Masks of a strided slice with one bit for each axis, and those that change the axes.
_MASKS, _AXIS_MASKS = (
    ("begin_mask", "end_mask"),
    ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"),
)


def with_channels_last(frozen: FrozenGraph, inputs: Iterable[str] = ()) -> frozenset[str]:
    """Rewrite a graph in place.

    ``inputs`` are tensors that may be fed channels last. Return the tensors that are now held
    channels last although the file has them channels first, none for other graphs.
    """
    if not any(map(_is_channels_first, frozen.nodes.values())):
        return frozenset()
    rewriting = _Rewriting(frozen)
    rewriting.declare(inputs)
    rewriting.run()
    return frozenset(rewriting.first)


def _is_channels_first(node: GraphNode) -> bool:
    """Return whether an operation takes images channels first; statistics of rows are no images."""
    first = node.attributes.get("data_format") in CHANNELS_FIRST
    return first and node.op in IMAGES and not node.attributes.get("is_training")


def as_in_file(frozen: FrozenGraph, first: frozenset[str], key: str) -> str:
    """Return the key of a tensor in the layout of the file."""
    layouts = Layouts(frozen)
    layouts.first = set(first)
    layouts.nodes = frozen.nodes
    return layouts.plain(key)


class _Rewriting(Layouts):
    """Rewrite the nodes of a graph one after the other."""

    def __init__(self, frozen: FrozenGraph):
        super().__init__(frozen)
        #: The axes of other tensors that are the file's channels-first ones in another order.
        self._axes_of: dict[str, list[int]] = {}
        self._handlers: dict[str, Callable[[GraphNode], GraphNode | None]] = {
            **dict.fromkeys(_UNARY, self._elementwise),
            **dict.fromkeys(_ELEMENTWISE, self._elementwise),
            **dict.fromkeys(_REDUCTIONS, self._reduction),
            **dict.fromkeys(_PADDINGS, self._padding),
            **dict.fromkeys(("Concat", "ConcatV2"), self._concatenation),
            **dict.fromkeys(("Split", "SplitV"), self._split),
            "ExpandDims": self._expanded,
            "Squeeze": self._squeezed,
            "StridedSlice": self._sliced,
            "Transpose": self._transpose,
        }

    def declare(self, inputs: Iterable[str]) -> None:
        """Hold those inputs channels last that channels-first operations take."""
        wanted: set[str] = set()
        for node in reversed(self.frozen.nodes.values()):
            if _is_channels_first(node):
                wanted.add(self.frozen.source(node.inputs[IMAGES[node.op]]))
            elif f"{node.name}:0" in wanted and node.op in _LIKE_ITS_INPUT:
                wanted.update(map(self.frozen.source, node.inputs))
            elif node.op == "Transpose":
                rank = self.rank(node.inputs[0])
                if rank and self.numbers(node.inputs[1]) == to_last(rank):
                    wanted.add(self.frozen.source(node.inputs[0]))
        self.first = {key for key in inputs if key in wanted and (self.rank(key) or 0) > 2}

    def run(self) -> None:
        """Replace the nodes of the graph."""
        for node in self.frozen.nodes.values():
            if node.name in self.nodes:
                continue
            changed = self._changed(node)
            if changed is None:
                changed = replace(node, inputs=tuple(map(self.plain, node.inputs)))
            outputs = tuple(
                (dtype, _permuted(shape)) if f"{node.name}:{k}" in self.first else (dtype, shape)
                for k, (dtype, shape) in enumerate(changed.outputs)
            )
            self.nodes[node.name] = replace(changed, outputs=outputs)
        self.frozen.nodes.clear()
        self.frozen.nodes.update(self.nodes)

    def _changed(self, node: GraphNode) -> GraphNode | None:
        """Return a node that takes tensors channels last, ``None`` if it cannot."""
        if not any(f"{node.name}:{k}" in self.frozen.live for k in range(len(node.outputs))):
            return None
        if _is_channels_first(node) or self._is_misread(node):
            return self._of_images(node)
        known = self._axes_of.get(self.frozen.source(node.inputs[0])) if node.inputs else None
        if known is not None and node.op in _UNARY | _ALONG_LAST:
            self._axes_of[f"{node.name}:0"] = known
        if node.run is None and node.op in self._handlers:
            is_new = node.op == "Transpose" or any(map(self.is_first, node.inputs))
            return self._handlers[node.op](node) if is_new else None
        return None

    # -- operations ----------------------------------------------------------------------------

    def _is_misread(self, node: GraphNode) -> bool:
        """Return whether a bias [1, C, 1, 1] is added to the last axis, which has C places too.

        Keras 3 takes it for channels last then, against what it adds elsewhere.
        """
        if node.op != "BiasAdd" or not self.is_first(node.inputs[0]):
            return False
        squeeze = self.frozen.nodes.get(self.frozen.source(node.inputs[1]).rpartition(":")[0])
        if squeeze is None or squeeze.op != "Squeeze":
            return False
        source = self.frozen.source(squeeze.inputs[0]).rpartition(":")[0]
        shape = self.frozen.nodes[source].outputs[0][1] if source in self.frozen.nodes else None
        return (
            shape is not None
            and len(shape) > 2
            and (shape[0], *shape[2:]) == (1,) * (len(shape) - 1)
        )

    def _of_images(self, node: GraphNode) -> GraphNode:
        """Return an operation with a ``data_format`` for channels last."""
        image = IMAGES[node.op]
        rank = self.rank(node.inputs[image]) or (5 if "3D" in node.op else 4)
        order = to_last(rank)
        attributes = dict(node.attributes)
        attributes["data_format"] = b"NDHWC" if "3D" in node.op else b"NHWC"
        for name in _BY_AXIS:
            values = list(attributes.get(name) or ())
            if len(values) == rank:
                attributes[name] = [values[axis] for axis in order]
            elif len(values) == 2 * rank:
                attributes[name] = [n for a in order for n in values[2 * a : 2 * a + 2]]
        inputs = [self.plain(key) for key in node.inputs]
        inputs[image] = self.last(node.inputs[image]) if rank > 2 else inputs[image]
        if image == 2:  # a transposed convolution, whose first input is the shape of its result
            inputs[0] = self._reordered(node, inputs[0], order)
        if rank > 2:
            self.first.add(f"{node.name}:0")
        return replace(node, inputs=tuple(inputs), attributes=attributes)

    def _reordered(self, node: GraphNode, key: str, order: Sequence[int]) -> str:
        """Return a shape with its sizes in another order."""
        sizes = self.numbers(key)
        name = f"{node.name}/channels_last_sizes"
        if sizes is not None:
            return self.add_constant(name, np.asarray([sizes[a] for a in order], np.int32))
        places = self.add_constant(f"{name}/order", np.asarray(order, np.int32))
        axis = self.add_constant(f"{name}/axis", np.asarray(0, np.int32))
        groups = (("params", None), ("indices", None), ("axis", None))
        outputs = ((tf.int32, (len(order),)),)
        inputs = (key, places, axis)
        gather = GraphNode(name, "GatherV2", inputs, groups, {"batch_dims": 0}, outputs, False)
        self.nodes[name] = gather
        self.frozen.live.add(f"{name}:0")
        return f"{name}:0"

    def _elementwise(self, node: GraphNode) -> GraphNode | None:
        shape = node.outputs[0][1]
        if shape is None or len(shape) < 3:
            return None
        rank = len(shape)
        ranks = [self.rank(key) for key in node.inputs]
        if any(
            r not in (0, rank) and not self._is_fixed(k, rank)
            for k, r in zip(node.inputs, ranks, strict=True)
        ):
            return None
        inputs = [
            key if r == 0 else self._aligned(node, index, rank)
            for index, (key, r) in enumerate(zip(node.inputs, ranks, strict=True))
        ]
        self.first.add(f"{node.name}:0")
        return replace(node, inputs=tuple(inputs))

    def _is_fixed(self, key: str, rank: int) -> bool:
        """Return whether a tensor is constant, so that it can be brought to ``rank`` axes."""
        return self.frozen.is_constant(key) and (self._rank_of_constant(key) <= rank)

    def _rank_of_constant(self, key: str) -> int:
        return len(self.frozen.constant(key).shape)

    def _aligned(self, node: GraphNode, index: int, rank: int) -> str:
        """Return an operand with all axes of the result, channels last."""
        key = node.inputs[index]
        if not self.frozen.is_constant(key):
            return self.last(key)
        array: Array = self.frozen.constant(key).numpy()
        array = np.reshape(array, [1] * (rank - array.ndim) + list(array.shape))
        return self.add_constant(f"{node.name}/operand_{index}", np.transpose(array, to_last(rank)))

    def _axes(self, node: GraphNode, argument: str, rank: int) -> list[int] | None:
        """Return the axes that a constant argument names, of the tensors channels last."""
        axes = self.numbers(node.inputs[self._place(node, argument)])
        return None if axes is None else [to_last(rank).index(axis % rank) for axis in axes]

    @staticmethod
    def _place(node: GraphNode, argument: str) -> int:
        """Return the place of an argument among the inputs."""
        place = 0
        for name, count in node.groups:
            if name == argument:
                return place
            place += 1 if count is None else count
        raise KeyError(argument)

    def _reduction(self, node: GraphNode) -> GraphNode | None:
        rank = self.rank(node.inputs[0]) or 0
        axes = self._axes(node, "axis", rank)
        if axes is None:
            return None
        kept = [axis for axis in to_last(rank) if to_last(rank).index(axis) not in axes]
        keeps = bool(node.attributes["keep_dims"])
        if not keeps and kept != sorted(kept):
            return None  # the axes that are left would have another order
        if keeps:
            self.first.add(f"{node.name}:0")
        axis = self.add_constant(f"{node.name}/axes", np.asarray(axes, np.int32))
        return replace(node, inputs=(node.inputs[0], axis))

    def _padding(self, node: GraphNode) -> GraphNode | None:
        rank = self.rank(node.inputs[0]) or 0
        if not self.frozen.is_constant(node.inputs[1]):
            return None
        pads = self.frozen.constant(node.inputs[1]).numpy()[to_last(rank)]
        self.first.add(f"{node.name}:0")
        pads_key = self.add_constant(f"{node.name}/pads", pads)
        return replace(node, inputs=(node.inputs[0], pads_key, *node.inputs[2:]))

    def _concatenation(self, node: GraphNode) -> GraphNode | None:
        argument = "concat_dim" if node.op == "Concat" else "axis"
        place = self._place(node, argument)
        ranks = {self.rank(key) for k, key in enumerate(node.inputs) if k != place}
        rank = next(iter(ranks))
        axes = None if rank is None or len(ranks) > 1 else self._axes(node, argument, rank)
        if axes is None:
            return None
        inputs = [key if k == place else self.last(key) for k, key in enumerate(node.inputs)]
        inputs[place] = self.add_constant(f"{node.name}/axes", np.asarray(axes[0], np.int32))
        self.first.add(f"{node.name}:0")
        return replace(node, inputs=tuple(inputs))

    def _split(self, node: GraphNode) -> GraphNode | None:
        place = self._place(node, "split_dim" if node.op == "SplitV" else "axis")
        value = self._place(node, "value")
        argument = node.groups[place][0]
        axes = self._axes(node, argument, self.rank(node.inputs[value]) or 0)
        if axes is None or not self.is_first(node.inputs[value]):
            return None
        inputs = list(node.inputs)
        inputs[place] = self.add_constant(f"{node.name}/axes", np.asarray(axes[0], np.int32))
        self.first.update(f"{node.name}:{index}" for index in range(len(node.outputs)))
        return replace(node, inputs=tuple(inputs))

    def _transpose(self, node: GraphNode) -> GraphNode | None:
        rank, perm = self.rank(node.inputs[0]), self.numbers(node.inputs[1])
        if rank is None or rank < 3 or perm is None:
            return None
        if self.is_first(node.inputs[0]):
            order = [to_last(rank).index(axis) for axis in perm]
            self._axes_of[f"{node.name}:0"] = perm
        else:
            known = self._axes_of.get(self.frozen.source(node.inputs[0]), to_last(rank))
            if [known[axis] for axis in perm] != list(range(rank)):
                return None
            order = [perm[axis] for axis in to_last(rank)]
            self.first.add(f"{node.name}:0")
        if order == list(range(rank)):
            return replace(node, inputs=node.inputs[:1], groups=(), attributes={}, run=_same)
        key = self.add_constant(f"{node.name}/order", np.asarray(order, np.int32))
        return replace(node, inputs=(node.inputs[0], key))

    def _expanded(self, node: GraphNode) -> GraphNode | None:
        rank = (self.rank(node.inputs[0]) or 0) + 1
        axis = (self.numbers(node.inputs[1]) or [0])[0] % rank
        if axis < 2:
            return None
        self.first.add(f"{node.name}:0")
        place = np.asarray(to_last(rank).index(axis), np.int32)
        return replace(node, inputs=(node.inputs[0], self.add_constant(f"{node.name}/axes", place)))

    def _squeezed(self, node: GraphNode) -> GraphNode | None:
        rank = self.rank(node.inputs[0]) or 0
        axes = [axis % rank for axis in node.attributes["axis"]]
        if not axes or min(axes) < 2:
            return None
        if rank - len(axes) > 2:
            self.first.add(f"{node.name}:0")
        places = [to_last(rank).index(axis) for axis in axes]
        return replace(node, attributes={**node.attributes, "axis": places})

    def _sliced(self, node: GraphNode) -> GraphNode | None:
        rank = self.rank(node.inputs[0]) or 0
        bounds = [self.numbers(key) for key in node.inputs[1:]]
        if None in bounds or any(node.attributes[name] for name in _AXIS_MASKS):
            return None
        attributes = dict(node.attributes)
        missing = rank - len(bounds[0] or ())  # a slice may leave the last axes out
        for name in _MASKS:
            mask = attributes[name] | (((1 << missing) - 1) << (rank - missing))
            bits = [mask >> axis & 1 for axis in to_last(rank)]
            attributes[name] = sum(bit << place for place, bit in enumerate(bits))
        keys = []
        for name, numbers in zip(("begin", "end", "strides"), bounds, strict=True):
            full = [*(numbers or ()), *[1 if name == "strides" else 0] * missing]
            moved = np.asarray([full[axis] for axis in to_last(rank)], np.int32)
            keys.append(self.add_constant(f"{node.name}/{name}_last", moved))
        self.first.add(f"{node.name}:0")
        return replace(node, inputs=(node.inputs[0], *keys), attributes=attributes)


def _same(inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
    return list(inputs)


def _permuted(shape: tuple[int | None, ...] | None) -> tuple[int | None, ...] | None:
    return None if shape is None else tuple(shape[axis] for axis in to_last(len(shape)))
