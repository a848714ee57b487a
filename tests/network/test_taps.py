import pytest
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.network.program import Value
from kerasviz.network.taps import TapTable, UnknownTapError


@pytest.fixture(scope="module")
def taps():
    return network().taps


def test_every_value_is_a_tap_in_order(taps):
    assert list(taps)[:3] == ["conv1", "relu1", "left"]
    assert taps["joined"].channels == 9


def test_aliases_are_found_but_not_listed(taps):
    assert taps["block"] is taps["joined"] and "block" not in list(taps)
    assert taps["first"].name == "relu1" and "first" in taps["relu1"].aliases


def test_pre_activation_of_a_relu_is_its_input(taps):
    assert taps["relu1"].pre_activation == "conv1"
    assert taps["relu1_pre_relu"].name == taps["first_pre_relu"].name == "conv1"


def test_pre_activation_of_a_concatenation_joins_the_inputs_of_its_relus(taps):
    tap = taps["block_pre_relu"]
    assert tap.name == "joined_pre_relu" == taps["joined"].pre_activation
    assert tap.parts == ("left", "right") and tap.channels == 9


def test_no_pre_activation_without_a_relu(taps):
    assert taps["pooled"].pre_activation is None and "pooled_pre_relu" not in taps


def test_other_activations_have_pre_activations_that_stay_in_place():
    """Only a ReLU without a gradient is optimized before it; the others have a name."""
    conv = Value("conv", "Conv", (None, 8, 8, 4))
    silu = Value("silu", "Mul", (None, 8, 8, 4), activation_input="conv", aliases=("block",))
    relu = Value("relu", "Relu", (None, 8, 8, 4), relu_input="conv", activation_input="conv")
    both = Value("both", "Concat", (None, 8, 8, 8), parts=("silu", "relu"))
    taps = TapTable({value.name: value for value in (conv, silu, relu, both)})
    assert taps["silu_pre_activation"].name == taps["block_pre_activation"].name == "conv"
    assert (taps["silu"].pre_activation, taps["silu"].pre_relu) == ("conv", None)
    assert taps["relu_pre_activation"] is taps["relu_pre_relu"] is taps["conv"]
    assert taps["relu"].pre_relu == "conv"
    assert [taps["silu"].before(which) for which in (False, True, "any")] == [None, None, "conv"]
    assert [taps["relu"].before(which) for which in (False, True, "any")] == [None, "conv", "conv"]
    assert taps["both_pre_activation"].parts == ("conv", "conv")
    assert taps["both_pre_relu"].parts == ("silu", "conv")


def test_names_before_joined_relus_are_of_one_tap(taps):
    assert taps["joined_pre_activation"] is taps["joined_pre_relu"]
    assert "joined_pre_activation" not in list(taps)


def test_an_unknown_name_lists_the_near_ones(taps):
    with pytest.raises(UnknownTapError, match="unknown tap 'joind'; near: joined"):
        taps["joind"]
    with pytest.raises(UsageError):
        taps["zzz"]
