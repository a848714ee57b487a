"""Types that many modules share; TensorFlow and numpy leave them open."""

from __future__ import annotations

from typing import Any

import numpy as np

#: A tf.Tensor; TensorFlow ships no types.
Tensor = Any
Array = np.ndarray[Any, Any]
#: Height and width in pixels.
Size = tuple[int, int]
