from __future__ import annotations

import gc
import weakref

from support import tiny

from kerasviz.network.input_spec import preset
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.compile_cache import Compiled, cache_of
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.render import render


class Thing:
    def __init__(self):
        self.me = self  # only the collector frees it


def test_what_was_used_last_is_kept():
    kept, made = Compiled(most=4), []
    for key in [0, 1, 2, 3, 0, 4, 0, 3]:
        kept.of(key, lambda key=key: made.append(key) or Thing())
    assert made == [0, 1, 2, 3, 4, 3]
    assert list(kept) == [4, 0, 3]


def test_what_is_dropped_is_freed():
    kept = Compiled(most=2)
    things = [weakref.ref(kept.of(key, Thing)) for key in range(3)]
    assert [thing() is None for thing in things] == [True, True, False]
    gc.collect()
    assert things[2]() is kept[2]


def test_a_network_keeps_the_loops_that_are_in_use():
    net = tiny.network()
    cache_of(net).most = 4
    small = recipe("article").replace(size=(16, 16))
    first = structure_of(channel("joined", 1), net)
    loop = loop_for(net, first, small)
    for size in (17, 18, 19, 20, 21):
        loop_for(net, first, small.replace(size=(size, size)))
        assert loop_for(net, first, small.replace(steps=size, name="other")) is loop
    assert len(cache_of(net)) <= 4


def test_networks_of_another_input_share_no_loops_and_none_outlives_its_network():
    net = tiny.network()
    small = recipe("article").replace(size=(16, 16))
    structure = structure_of(channel("joined", 1), net)
    loop = loop_for(net, structure, small)
    assert loop_for(net.with_input_spec(preset("caffe")), structure, small) is not loop
    assert loop_for(net.with_input_spec(net.require_input_spec()), structure, small) is loop
    render(net, "joined:1", steps=1, size=16)
    gone = weakref.ref(net)
    del net, loop
    gc.collect()
    assert gone() is None
