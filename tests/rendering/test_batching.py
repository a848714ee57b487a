from dataclasses import replace

import numpy as np
import pytest
from support.batch_models import MODELS, SIZE
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import with_diversity
from kerasviz.rendering.batching import check_batch, make_batches
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request, make_requests

SMALL = recipe("article").replace(steps=6, size=(13, 17))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


def test_plans_have_canonical_sizes_and_keep_every_request():
    net = network()
    for count, sizes in ((1, [1]), (4, [4]), (16, [16]), (20, [8] * 3), (32, [16] * 2)):
        plans = make_batches(net, requests([i % 9 for i in range(count)]))
        assert [p.batch for p in plans] == sizes
        assert sum(p.rows for p in plans) == count


def test_big_pictures_get_small_batches():
    big = [
        Request("x", channel("joined", 1), SMALL.replace(size=(1024, 1024)), s) for s in range(9)
    ]
    assert {p.batch for p in make_batches(network(), big)} == {1}


def test_a_fixed_batch_is_padded_and_padding_does_not_show():
    net = network()
    alone = make_batches(net, requests([2], batch=4))
    assert [(p.batch, p.rows) for p in alone] == [(4, 1)]
    full = make_batches(net, requests([1, 2, 4, 5], batch=4))
    (picture,) = render_batch(net, alone[0])
    np.testing.assert_array_equal(picture.image, render_batch(net, full[0])[1].image)
    assert picture.batch == 4


def test_a_plan_of_what_is_missing_keeps_its_batch_size():
    net = network()
    (whole,) = make_batches(net, requests(range(4)))
    part = whole.only(lambda r: r.text == "joined:3")
    assert part.batch == 4 and len(part.requests) == 1
    np.testing.assert_array_equal(
        render_batch(net, part)[0].image, render_batch(net, whole)[3].image
    )
    assert whole.only(lambda r: False) is None


def test_groups_of_diverse_pictures_are_not_split():
    net = network()
    (target,) = parse_target("joined:1", net)
    many = [
        Request(f"{i}", with_diversity(target, net).objective, SMALL, i, rows=3) for i in range(6)
    ]
    for each in make_batches(net, many):
        assert each.rows % 3 == 0 and each.rows <= each.batch


def test_a_unit_out_of_range_is_found_before_anything_runs():
    with pytest.raises(UsageError, match="joined_pre_relu has the units 0 to 8"):
        make_batches(network(), requests([9]))


def test_a_network_for_batches_of_one_size_is_rendered_in_it(tmp_path):
    net = MODELS["folded"].load(tmp_path)
    targets = parse_target("inside:0-4", net)
    small = recipe("fast").replace(steps=4, size=SIZE)
    many = make_requests(net, targets, small)
    plans = make_batches(net, many)
    assert [(p.batch, p.rows) for p in plans] == [(2, 2), (2, 2), (2, 1)]
    pictures = [p.image for plan in plans for p in render_batch(net, plan)]
    for request, image in zip(many, pictures, strict=True):  # whatever else is in its batch
        (plan,) = make_batches(net, [request])
        np.testing.assert_array_equal(render_batch(net, plan)[0].image, image)
    (plan,) = make_batches(net, make_requests(net, targets[:1], small, rows=3))
    assert plan.batch == 4, "pictures that are optimized together are computed in two parts"
    before = make_batches(net, make_requests(net, parse_target("conv:0-3", net), small))
    assert [p.batch for p in before] == [4], "the layers before need no such batch"


def test_another_batch_than_the_networks_is_refused_with_its_own(tmp_path):
    net = MODELS["token"].load(tmp_path)
    small = recipe("fast").replace(steps=4, size=SIZE)
    (request,) = make_requests(net, parse_target("logits:1", net), small)
    for good in (None, 2, 4):
        check_batch(net, [replace(request, batch=good)])
    with pytest.raises(
        UsageError, match="batch 3: model computes logits:1 in batches of 2 only; give --batch 2"
    ):
        check_batch(net, [replace(request, batch=3)])
