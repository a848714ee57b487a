"""Freeze traced functions, so that their weights are constants."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from kerasviz.errors import ModelError, first_line


def frozen(function: Any) -> Any:
    """Return a ``ConcreteFunction`` with its variables as constants and its calls inlined.

    Control flow (``If``, ``While``) stays, since convolutional networks have none. Raises
    :class:`ModelError` for states that are no weights, such as lookup tables.
    """
    try:
        return convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (ValueError, RuntimeError, KeyError, TypeError, tf.errors.OpError) as error:
        raise ModelError(f"the weights cannot be made constants: {first_line(error)}") from error
