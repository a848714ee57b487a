"""Turn variables and lookup tables into constants, so that a graph needs no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.tensorflow.node import GraphNode
from kerasviz.network.program import Kernels
from kerasviz.types import Array, Tensor

#: Ops that look keys up in a table.
LOOKUPS = frozenset({"LookupTableFind", "LookupTableFindV2"})
#: Ops that take rows out of a variable, with those that take them out of a tensor.
GATHERS = {"ResourceGather": "GatherV2", "ResourceGatherNd": "GatherNd"}


#: Ops whose result does not change while no state changes.
READS = frozenset({"ReadVariableOp", "VariableShape", "LookupTableSize", "LookupTableSizeV2"})


def read_now(node: GraphNode, handle: Tensor) -> Array:
    """Return the result of an operation of :data:`READS`."""
    if node.op == "ReadVariableOp":
        return contents(handle, node.outputs[0][0])
    with tf.init_scope():
        if node.op == "VariableShape":
            out_type = node.outputs[0][0]
            result = tf.raw_ops.VariableShape(input=handle, out_type=out_type)
        else:
            result = tf.raw_ops.LookupTableSizeV2(table_handle=handle)
    value: Array = result.numpy()
    return value


def contents(handle: Tensor, dtype: Any) -> Array:
    """Return the current value of a variable."""
    with tf.init_scope():
        value: Array = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype).numpy()
    return value


def reading(node: GraphNode, key: str, handle: Tensor) -> GraphNode:
    """Return a node with the tensor ``key`` that reads a variable in every run."""
    dtype = node.outputs[0][0]

    def run(inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
        return [tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)]

    name, outputs = key.rpartition(":")[0], ((dtype, node.outputs[0][1]),)
    return GraphNode(name, "ReadVariableOp", (), (), {}, outputs, True, run)


def as_gather(node: GraphNode, weight: str) -> tuple[GraphNode, dict[str, Tensor]]:
    """Return a node that takes its rows out of the constant ``weight``, and its other constants."""
    groups = (("params", None), ("indices", None))
    if node.op == "ResourceGatherNd":
        inputs = (weight, node.inputs[1])
        return replace(
            node, op="GatherNd", inputs=inputs, groups=groups, attributes={}, stateful=False
        ), {}
    batch_dims = node.attributes["batch_dims"]
    axis = f"{node.name}/axis:0"
    gather = replace(
        node,
        op="GatherV2",
        inputs=(weight, node.inputs[1], axis),
        groups=(*groups, ("axis", None)),
        attributes={"batch_dims": batch_dims},
        stateful=False,
    )
    with tf.init_scope():
        return gather, {axis: tf.constant(batch_dims)}


def lookup(operation: Any, handle: Tensor) -> LookupTable:
    """Return the table that an operation of :data:`LOOKUPS` reads, with its current contents."""
    width = operation.inputs[2].shape.as_list()
    return LookupTable.of(handle, operation.get_attr("Tin"), operation.get_attr("Tout"), width)


@dataclass(frozen=True)
class LookupTable:
    """Hold the keys of a table in order, and their values.

    Text is ordered by its hash, of 63 bits, which is an exact order for the keys of the table.
    """

    order: Tensor
    keys: Tensor
    values: Tensor

    @classmethod
    def of(
        cls, handle: Tensor, key_type: Any, value_type: Any, width: Sequence[int]
    ) -> LookupTable:
        """Read a table with its current contents, of values of the shape ``width``.

        Raises :class:`ModelError` for a table of vectors as keys.
        """
        with tf.init_scope():
            keys, values = tf.raw_ops.LookupTableExportV2(
                table_handle=handle, Tkeys=key_type, Tvalues=value_type
            )
            if keys.shape.num_elements() != (keys.shape[0] or 0):
                raise ModelError("a lookup table whose keys are vectors is not supported")
            keys = tf.reshape(keys, [-1])
            # Dense tables repeat the key of an empty place, which nothing looks up.
            order, places = np.unique(_order(keys).numpy(), return_index=True)
            if len(order) != len(np.unique(keys.numpy())):
                raise ModelError("two keys of a lookup table have the same hash")
            values = tf.reshape(values, [-1, *width])
            return cls(tf.constant(order), tf.gather(keys, places), tf.gather(values, places))

    def __call__(self, inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
        """Return the values of keys of any shape, or the default where there is no such key."""
        keys, default = inputs
        width = self.values.shape[1:]
        if self.keys.shape[0] == 0:
            return [tf.broadcast_to(default, tf.concat([tf.shape(keys), width], 0))]
        wanted = _order(keys)
        places = tf.searchsorted(self.order, tf.reshape(wanted, [-1]))
        places = tf.reshape(tf.minimum(places, self.keys.shape[0] - 1), tf.shape(keys))
        known = tf.equal(tf.gather(self.keys, places), keys)
        for _ in width:
            known = known[..., tf.newaxis]
        result = tf.where(known, tf.gather(self.values, places), default)
        result.set_shape(keys.shape.concatenate(width))
        return [result]


def _order(keys: Tensor) -> Tensor:
    """Return numbers by which keys are ordered, equal for equal keys."""
    if keys.dtype == tf.string:
        return tf.strings.to_hash_bucket_fast(keys, 2**63 - 1)
    return tf.cast(keys, tf.int64) if keys.dtype.is_integer else keys
