from __future__ import annotations

import gc
import warnings

import pytest
import tensorflow as tf

from kerasviz.network.live_weights import LiveWeights, WeightsChangedWarning


class Holder:
    """A model of variables."""

    def __init__(self, *numbers: object, dtype: tf.DType = tf.float32):
        self.variables = [tf.Variable(n, dtype=dtype) for n in numbers]


def watch(model: Holder) -> LiveWeights:
    return LiveWeights(model, lambda m: [tf.convert_to_tensor(v) for v in m.variables])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16, tf.int32])
def test_other_numbers_are_a_change_and_the_same_are_not(dtype: tf.DType) -> None:
    model = Holder([1, 2], [[3]], dtype=dtype)
    weights = watch(model)
    assert not weights.changed()
    model.variables[0].assign(tf.cast([1, 2], dtype))  # in other memory
    assert not weights.changed()
    model.variables[1].assign_add(tf.cast([[1]], dtype))
    assert weights.changed()
    model.variables[1].assign(tf.cast([[3]], dtype))
    assert not weights.changed()


def test_not_a_number_is_itself() -> None:
    model = Holder([float("nan"), 1.0])
    weights = watch(model)
    model.variables[0].assign([float("nan"), 1.0])
    assert not weights.changed()


def test_a_weight_more_is_a_change() -> None:
    model = Holder(1.0)
    weights = watch(model)
    model.variables.append(tf.Variable(1.0))
    assert weights.changed()


def test_the_warning_comes_once() -> None:
    model = Holder([1.0])
    weights = watch(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights.warn("net")
    model.variables[0].assign([2.0])
    with pytest.warns(WeightsChangedWarning, match="^the weights of net have changed since load"):
        weights.warn("net")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights.warn("net")


def test_the_model_is_not_kept_alive() -> None:
    model = Holder([1.0])
    weights = watch(model)
    del model
    gc.collect()
    assert not weights.changed()


def test_it_works_while_a_function_is_traced() -> None:
    model = Holder([1.0])
    weights = watch(model)
    model.variables[0].assign([2.0])

    @tf.function(autograph=False)
    def traced(x: tf.Tensor) -> tf.Tensor:
        assert weights.changed()
        return x

    traced(tf.zeros([]))
