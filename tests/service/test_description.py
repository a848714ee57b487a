from __future__ import annotations

import numpy as np
from support.signals import matcher
from support.tiny import network

from kerasviz.service.description import describe_network


def test_networks_of_signals_have_their_recipe_alone():
    told = describe_network(
        matcher(np.ones((5, 2)), (30,), "batch,time,channel"), "it", filling=True
    )
    assert [recipe["name"] for recipe in told["recipes"]] == ["signal"]
    assert told["params"] == ["signal"] and told["recipes"][0]["size"] == [1, 30]
    assert told["input"]["medium"] == "signal" and told["input"]["axes"] == "batch,time,channel"
    assert told["filling"]["good"]["recipe"] == told["filling"]["rough"]["recipe"] == "signal"
    assert [layer["shape"] for layer in told["layers"]] == [[1, 26, 1], [1, 1, 1]]


def test_networks_of_images_have_none_of_signals():
    told = describe_network(network(), "it")
    names = [recipe["name"] for recipe in told["recipes"]]
    assert "fast" in names and not {"signal", "sound", "words"} & {*names}
    assert told["input"]["medium"] == "image" and "signal" not in told["params"]
