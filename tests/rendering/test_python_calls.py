"""The call that makes pictures again, read back by Python and by ``render`` itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.tiny import network

import kerasviz
from kerasviz.network.network import Network
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.rendering import render as module
from kerasviz.rendering.python_calls import python_call
from kerasviz.rendering.request import Request


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


def requested(net: Network, monkeypatch: pytest.MonkeyPatch, calls: str) -> list[Request]:
    """The requests that the text of calls makes."""
    asked: list[Request] = []

    def note(_: Network, requests: list[Request], __: Any = None) -> None:
        asked.extend(requests)

    with monkeypatch.context() as patch:
        patch.setattr(module, "render_requests", note)
        exec(calls, {"kerasviz": kerasviz, "net": net})
    return asked


@pytest.mark.parametrize(
    ("targets", "settings", "written"),
    [
        (["joined:1"], {}, 'kerasviz.render(net, "joined:1", precision="float32")'),
        (["relu1:2"], {}, 'kerasviz.render(net, "relu1:2", precision="float32")'),  # adapted
        (["joined:1"], {"recipe": "lucid", "size": (64, 96)}, 'recipe="lucid", size=(64, 96)'),
        (["joined:1", "logit:castle"], {"seed": 7, "snapshots": (4, 4)}, "snapshots=(4,)"),
        (["joined:1"], {"size": 20, "learning_rate": 0.1, "patience": 32}, "size=20, learning"),
        (['logit:"'], {}, None),
        (["joined:1"], {"pre_activation": False}, "pre_activation=False"),
        (["joined:1"], {"parameterization": Pixel()}, "Recipe.from_json("),
        (["joined:1"], {"alpha": True, "steps": 3}, "alpha=True"),
        (["joined:1"], {"alpha": True, "param": "cppn"}, "alpha=True"),
        (["joined:1 - 0.5*relu1:2", "left:0@center"], {"steps": 9}, "steps=9"),
    ],
)
def test_it_makes_the_same_requests(
    net: Network,
    monkeypatch: pytest.MonkeyPatch,
    targets: list[str],
    settings: dict[str, Any],
    written: str | None,
) -> None:
    if written is None:  # a quote in the name of a class
        net, targets = replace(net, labels=('a "b"', *net.labels[1:])), ['logit:a "b"']
    arguments = {"precision": "float32", **settings}
    call = f"kerasviz.render(net, {targets!r}, **arguments)"
    asked: list[Request] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "render_requests", lambda _, requests, __: asked.extend(requests))
        exec(call, {"kerasviz": kerasviz, "net": net, "arguments": arguments})
    text = python_call(net, asked)
    assert written is None or written in text.replace("\n    ", " ")
    assert requested(net, monkeypatch, text) == asked


def test_different_settings_are_calls_of_their_own(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = requested(
        net, monkeypatch, 'kerasviz.render(net, ["joined:1", "joined:2"], precision="float32")'
    )
    mixed = [first[0], replace(first[1], seed=5)]
    text = python_call(net, mixed)
    assert len(text.splitlines()) == 2 and requested(net, monkeypatch, text) == mixed
