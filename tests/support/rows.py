"""Rows of a batch that do not depend on their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.processor import VNNI


def assert_same_rows(found: Any, wanted: Any) -> None:
    """They are the same to the last bit, where products of TensorFlow are.

    On processors without VNNI its products of few numbers round those at the end of a block
    otherwise, wherever a row stands.
    """
    if VNNI:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6)
