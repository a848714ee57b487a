"""Follow through a graph which axis of every value holds the channels.

A convolution has its channels on axis 1, a product with weights on the last axis. From there on
reshapes, transposes, products and elementwise operations move them. Every axis of a value gets a
role: images, channels, positions, or none where that is unknown. Lengths that depend on the size of
an image are ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kerasviz.importers.onnx.axis_roles import (
    CHANNELS,
    IMAGES,
    POSITIONS,
    UNKNOWN,
    Axes,
    AxisRole,
    joined,
    reshaped,
)
from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.layout import Constant, Interleaved, LayoutTensor, OnnxValue, to_first
from kerasviz.importers.onnx.registry import Layout, layout_of

#: Operators whose output has the axes of their first input.
_SAME = frozenset(
    ("GroupNorm", "RotaryEmbedding", "ScatterND", "SimplifiedLayerNormalization", "Trilu")
)
_PRODUCTS = frozenset(("FusedMatMul", "Gemm", "MatMul", "MatMulInteger", "MatMulNBits"))


@dataclass(frozen=True)
class Extent:
    """Hold the lengths of a value in the model's layout, ``None`` if their number is unknown.

    ``image_like`` values have channels on axis 1 for certain.
    """

    lengths: Sequence[int | None] | None
    image_like: bool = False

    @classmethod
    def of(cls, value: OnnxValue | None) -> Extent:
        """Return what is known of a value; those stored with channels last are image-like."""
        lengths = None if value is None else lengths_of(value)
        return cls(lengths, isinstance(value, LayoutTensor) and value.channels_last)


@dataclass
class ChannelAxes:
    """Hold the axes of the values that were followed so far."""

    constants: Mapping[str, OnnxValue]
    _axes: dict[str, Axes] = field(default_factory=dict)

    def start(self, name: str, output: Extent) -> None:
        """Note an input of the graph; image-like ones have their channels on axis 1."""
        if output.lengths is not None:
            image = output.image_like and len(output.lengths) > 2
            self._axes[name] = _image(output.lengths) if image else _unknown(output.lengths)

    def follow(self, node: Node, outputs: Sequence[Extent]) -> None:
        """Note the outputs of a node whose inputs were followed."""
        for name, output in zip(node.outputs, outputs, strict=False):
            if name and output.lengths is not None:
                axes = self._after(node, output.lengths)
                if output.image_like and len(axes) > 2:
                    axes = (axes[0], axes[1].with_role(CHANNELS), *axes[2:])
                self._axes[name] = axes

    def axis(self, name: str) -> int | None:
        """Return the model's axis of the channels; ``None`` where it is the last or unknown.

        Of channels that are cut into several axes it is the last one, unless that has length 1.
        """
        axes = self._axes.get(name, ())
        channels = [
            k for k, axis in enumerate(axes) if k and axis.role == CHANNELS and axis.length != 1
        ]
        return channels[-1] if len(axes) > 2 and channels and channels[-1] < len(axes) - 1 else None

    def keeps_channels(self, node: Node) -> bool:
        """Return whether a reshape or transpose leaves all channels of its input on axis 1."""
        source, axes = self._axes.get(node.inputs[0], ()), self._axes.get(node.outputs[0], ())
        if min(len(source), len(axes)) < 3 or self.axis(node.outputs[0]) != 1:
            return False
        if node.op == "Transpose":
            return list(node.attributes.get("perm", ())) == to_first(len(axes))
        return node.op == "Reshape" and axes[1] == source[1]

    # -- rules of operators ------------------------------------------------------------------

    def _after(self, node: Node, lengths: Sequence[int | None]) -> Axes:
        source = self._axes.get("".join(node.inputs[:1]), ())
        unknown = _unknown(lengths)
        layout = layout_of(node)
        if layout is Layout.IMAGE and len(lengths) > 2:
            return _image(lengths, source)
        if node.op == "Reshape" and source:
            return reshaped(source, lengths)
        if node.op == "Transpose" and source:
            order = node.attributes.get("perm", range(len(source) - 1, -1, -1))
            return tuple(source[axis] for axis in order)
        if node.op in _PRODUCTS and len(node.inputs) > 1:
            return self._product(node, unknown)
        if node.op == "Einsum":
            return self._einsum(node, unknown)
        if node.op in ("ArgMax", "ArgMin", "Gather", "Squeeze", "Unsqueeze") or "Reduce" in node.op:
            return self._other_rank(node, source, unknown)
        if layout is Layout.FOLLOWS or node.op in _SAME:
            inputs = [self._axes[name] for name in node.inputs if name in self._axes]
            return joined(inputs, lengths)
        return unknown

    def _product(self, node: Node, unknown: Axes) -> Axes:
        """Return the rows of the first factor and the columns of the second."""
        a, b = (self._axes.get(name, ()) for name in node.inputs[:2])
        if len(unknown) < 2:
            return unknown
        rows = a[-2] if len(a) > 1 else UNKNOWN
        columns = b[-1] if len(b) > 1 else UNKNOWN
        if node.inputs[0] in self.constants:
            rows = AxisRole(CHANNELS)
        if node.inputs[1] in self.constants:
            columns = AxisRole(CHANNELS)
        outer = joined([a[:-2], b[:-2]], [axis.length for axis in unknown[:-2]])
        return (*outer, unknown[-2].with_role(rows.role), unknown[-1].with_role(columns.role))

    def _einsum(self, node: Node, unknown: Axes) -> Axes:
        """Return the roles of the letters; those of weights only are channels."""
        terms, _, result = str(node.attributes.get("equation", "")).replace(" ", "").partition("->")
        roles: dict[str, str] = {}
        for name, letters in zip(node.inputs, terms.split(","), strict=False):
            if len(self._axes.get(name, ())) == len(letters):
                for letter, axis in zip(letters, self._axes[name], strict=True):
                    roles[letter] = roles.get(letter) or axis.role
            elif name in self.constants:
                for letter in letters:
                    roles.setdefault(letter, CHANNELS if letter in result else "")
        if len(result) != len(unknown):
            return unknown
        return tuple(
            axis.with_role(roles.get(letter, ""))
            for letter, axis in zip(result, unknown, strict=True)
        )

    def _other_rank(self, node: Node, source: Axes, unknown: Axes) -> Axes:
        """Return the axes that are left, or those around the new ones."""
        rank = max(len(source), len(unknown))
        if len(source) == len(unknown):
            return joined([source], [axis.length for axis in unknown])
        numbers = [node.attributes["axes"]] if "axes" in node.attributes else []
        if "axis" in node.attributes or node.op == "Gather":
            numbers = [(node.attributes.get("axis", 0),)]
        elif not numbers:
            given = self.constants.get("".join(node.inputs[1:2]))
            numbers = [given.array.reshape(-1)] if isinstance(given, Constant) else []
        changed = {int(n) % rank for entry in numbers for n in entry}
        if rank - len(changed) != min(len(source), len(unknown)) or not changed:
            return unknown
        if len(source) > len(unknown):
            return tuple(axis for k, axis in enumerate(source) if k not in changed)
        rest = iter(source)
        return tuple(
            axis if k in changed or node.op == "Gather" else next(rest)
            for k, axis in enumerate(unknown)
        )


def _image(lengths: Sequence[int | None], source: Axes = ()) -> Axes:
    """Return the axes [N, C, ...]; a window slides over what ``source`` has there."""
    same = len(source) == len(lengths)
    behind = [(source[k].role if same else "") or POSITIONS for k in range(2, len(lengths))]
    return tuple(
        AxisRole(role, length)
        for role, length in zip((IMAGES, CHANNELS, *behind), lengths, strict=True)
    )


def _unknown(lengths: Sequence[int | None]) -> Axes:
    return tuple(AxisRole("", length) for length in lengths)


def lengths_of(value: OnnxValue) -> list[int | None] | None:
    """Return the lengths in the model's layout that are known before a run."""
    if isinstance(value, Interleaved):
        static = value.tensor.shape.as_list()
        order = range(len(static))
        return [static[value.stored_axis(k)] for k in order] if value.parts else static
    if not isinstance(value, LayoutTensor) or value.tensor.shape.rank is None:
        return None
    static = value.tensor.shape.as_list()
    rank = len(static)
    return [static[k] for k in to_first(rank)] if value.channels_last and rank > 2 else static
