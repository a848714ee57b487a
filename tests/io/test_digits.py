"""Numbers with as many digits as mean something."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pytest

from kerasviz.io.digits import rounded


@pytest.mark.parametrize("digits", [1, 3, 6])
def test_digits_count_from_the_first_that_is_not_zero(digits: int) -> None:
    rng = np.random.default_rng(digits)
    context = decimal.Context(prec=digits, rounding=decimal.ROUND_HALF_EVEN)
    for number in rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200):
        expected = float(context.create_decimal(decimal.Decimal(float(number))))
        assert rounded(number, digits) == expected
        assert rounded(rounded(number, digits), digits) == expected


def test_numbers_of_every_type_become_floats() -> None:
    for number in (7, True, 2.5, np.float32(0.1), np.int64(12345678), np.float16(3)):
        found = rounded(number)
        assert type(found) is float
        assert found == pytest.approx(float(number), rel=5e-6)
    assert rounded(np.float32(0.1)) == 0.1  # without the digits that float32 has not


def test_what_is_no_number_stays_so() -> None:
    assert rounded(math.inf) == math.inf and rounded(-math.inf) == -math.inf
    assert math.isnan(rounded(math.nan))
    assert math.copysign(1, rounded(-0.0)) == -1
