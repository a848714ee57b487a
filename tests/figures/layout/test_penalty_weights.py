"""How penalties are weighted in networks whose activations have other sizes than the article's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from support import tiny

from kerasviz.errors import ModelError
from kerasviz.figures import CATALOGUE
from kerasviz.figures.layout import penalty_weights
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.penalty_weights import weight_factor, weighted
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe

FIGURE = CATALOGUE["frequency-penalization"]
SHORT = recipe("fast").replace(steps=2)


def times(factor: float) -> Network:
    """The tiny network with the last layer's weights times a factor; before it all is the same."""
    net = tiny.network()
    for side in ("left", "right"):
        net.program.weights[side] *= factor  # type: ignore[attr-defined]
    return replace(net, main_taps=("joined",))


def test_weights_follow_the_size_of_activations() -> None:
    plain = weight_factor(FIGURE, FigureOptions(times(1), SHORT))
    assert 0 < plain < 1  # a small network, of small weights
    assert weight_factor(FIGURE, FigureOptions(times(1 / 8), SHORT)) == pytest.approx(
        plain / 8, rel=0.5
    )
    assert weight_factor(FIGURE, FigureOptions(times(100), SHORT)) == pytest.approx(
        plain * 100, rel=1e-6
    )
    digits = f"{plain:e}".partition("e")[0].rstrip("0.")
    assert len(digits) == 1  # so that other roundings give the same


def test_networks_with_the_articles_layers_keep_its_weights(
    network_of: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penalty_weights, "render_batches", None)  # nothing is measured
    net = network_of({place.layer: 512 for place in FIGURE.places})
    assert weight_factor(FIGURE, FigureOptions(net, SHORT)) == 1
    assert weighted(FIGURE, 1) == FIGURE


@pytest.mark.parametrize("score", [0.0, -3.0, float("nan"), float("inf"), None])
def test_where_nothing_can_be_measured_they_stay(
    score: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rendered(net: Network, plans: Any) -> Any:
        if score is None:
            raise ModelError("not at that size")
        return [[SimpleNamespace(score=score)] for _ in plans]

    monkeypatch.setattr(penalty_weights, "render_batches", rendered)
    assert weight_factor(FIGURE, FigureOptions(tiny.network(), SHORT)) == 1


def test_the_figure_names_the_weights_that_it_has() -> None:
    order = FigureOptions(tiny.network(), SHORT, penalty_factor=0.02)
    choice, plain = choose(FIGURE, order), choose(FIGURE, FigureOptions(order.net, SHORT))
    assert any(
        note.startswith("Weights of penalties: 0.02 times the article's") for note in choice.notes
    )
    assert not any("Weights of penalties" in note for note in plain.notes)
    for ours, theirs in zip(choice.optimized, plain.optimized, strict=True):
        for a, b in zip(ours.request.objective.terms, theirs.request.objective.terms, strict=True):
            factor = 0.02 if a.kind in ("l1", "total_variation", "blur") else 1
            assert a.weight == pytest.approx(b.weight * factor)
    last = choice.blocks[-1].optimized[-1]
    assert "L1 -0.05, Total variation -0.06, Blur -0.2" in last.request.text
    assert [v.label for v in choice.controls[1].values] == ["0", "-0.001", "-0.01", "-0.05"]
    other = CATALOGUE["naive-noise"]  # rates and transforms have no such weights
    assert weighted(other, 0.02) == other
