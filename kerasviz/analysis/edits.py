"""Edit a network: set units to numbers, and leave out weights between two layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

import numpy as np
import tensorflow as tf

from kerasviz.analysis.layer_weights import LayerWeights, layer_weights
from kerasviz.errors import UsageError, check_choice
from kerasviz.network.network import Network
from kerasviz.network.program import Edit
from kerasviz.types import Array, Tensor, WeightSign


def unit_edits(net: Network, values: Mapping[str, Mapping[int, float]]) -> dict[str, Edit]:
    """Return the edits that set units to numbers at all positions.

    Args:
        net: The network.
        values: The numbers by tap and unit. What is computed from a tap takes the edited one.

    Returns:
        Edits for :class:`kerasviz.network.program.Kernels`.

    Raises:
        UsageError: For taps and units that the network does not have.

    Example:
        >>> edits = unit_edits(net, {"block3b": {5: 0.0, 7: 0.0}})
        >>> list(edits)
        ['block3b']
    """
    edits: dict[str, Edit] = {}
    for tap, numbers in values.items():
        about = net.taps[tap]
        if about.channels is None:
            raise UsageError(f"{net.name}: {tap} has no known number of units; name another tap")
        whole = np.full(about.channels, np.nan, np.float32)
        for unit, number in numbers.items():
            if not 0 <= unit < about.channels:
                raise UsageError(
                    f"{net.name}: {tap} has the units 0 to {about.channels - 1}, given {unit}"
                )
            whole[unit] = number
        first = 0
        for part in about.parts:
            count = about.channels if len(about.parts) == 1 else net.taps[part].channels or 0
            own = whole[first : first + count]
            if not np.isnan(own).all():
                edits[part] = _set(own, edits.get(part))
            first += count
    return edits


def _set(numbers: Array, before: Edit | None) -> Edit:
    """Return the edit that sets channels to numbers where they are not NaN."""
    chosen = ~np.isnan(numbers)

    def edited(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
        value = value if before is None else before(value, read)
        return tf.where(chosen, tf.cast(np.nan_to_num(numbers), value.dtype), value)

    return edited


def without_weights(
    net: Network, source: str, target: str, sign: WeightSign = "all"
) -> dict[str, Edit]:
    """Return the edits that leave out the weights of a sign between two neighbouring layers.

    What the weights contribute is subtracted before the activation function of the later layer.

    Args:
        net: The network.
        source: The name of the earlier tap.
        target: The name of the later tap. The way between has to be linear.
        sign: The weights to leave out: "positive", "negative" or "all".

    Raises:
        UsageError: If the way is not linear, or there is none.

    Example:
        >>> edits = without_weights(net, "stem", "block3b", "negative")
        >>> list(edits)
        ['block3b_pre_relu']
    """
    check_choice("sign", sign, get_args(WeightSign))
    target = net.taps[target].pre_activation or target
    weights = layer_weights(net, source, target)
    left_out = weights.of_sign(sign)
    first = net.taps[source].parts
    later = net.taps[target]
    edits: dict[str, Edit] = {}
    start = 0
    for part in later.parts:
        count = weights.outputs if len(later.parts) == 1 else net.taps[part].channels or 0
        own = left_out.only(start, start + count)
        if own.kernel.any():
            edits[part] = _less(own, first)
        start += count
    return edits


def _less(weights: LayerWeights, source: tuple[str, ...]) -> Edit:
    """Return the edit that subtracts what weights contribute."""

    def edited(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
        parts = [read(part) for part in source]
        inputs = parts[0] if len(parts) == 1 else tf.concat(parts, -1)
        return value - weights.apply(inputs, value.shape)

    return edited
