"""Ctrl-C while pictures are rendered from Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.tiny import network

import kerasviz
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.rendering.manifest import read_manifest
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.render import render_requests
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import make_requests

TARGETS = ["joined:1", "joined:2", "joined:3"]


def interrupting(reached: Callable[[RenderProgress], bool]) -> Callable[[RenderProgress], None]:
    """Send SIGINT to this process once a condition holds."""

    def report(progress: RenderProgress) -> None:
        if reached(progress):
            signal.raise_signal(signal.SIGINT)

    return report


def equal(first: Rendering, second: Rendering) -> None:
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.losses, second.losses)


def test_the_running_batch_is_as_it_was_at_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    net = network()
    partial = kerasviz.render(
        net,
        TARGETS,
        steps=80,
        size=13,
        snapshots=(16, 64),
        progress=interrupting(lambda p: p.step == 32),
    )
    equal(partial, kerasviz.render(net, TARGETS, steps=32, size=13))
    assert partial.interrupted and all(p.interrupted and p.steps == 32 for p in partial)
    assert not partial.missing and [list(p.snapshots) for p in partial] == [[16]] * 3
    words = "3 pictures interrupted after step 32 of 80"
    assert partial.interruption == words and capsys.readouterr().err.rstrip().endswith(words)


def test_finished_batches_are_complete_and_later_ones_missing(tmp_path: Path) -> None:
    net = network()
    targets = ["joined:1", "pooled:2", "logits:3"]  # three structures, so three batches
    whole = kerasviz.render(net, targets, steps=32, size=13)
    partial = kerasviz.render(
        net, targets, steps=32, size=13, progress=interrupting(lambda p: p.done == 1)
    )
    assert [p.target for p in partial] == ["joined:1", "pooled:2"]
    assert [p.interrupted for p in partial] == [False, True] and partial.missing == ("logits:3",)
    equal(partial[:1], whole[:1])
    equal(partial[1:], kerasviz.render(net, "pooled:2", steps=16, size=13))
    partial.save(tmp_path)
    assert [e["target"] for e in read_manifest(tmp_path)["pictures"]] == ["joined:1"]


def test_converged_rows_are_complete_and_waiting_ones_missing() -> None:
    """Rows enter as others converge; all have the bytes of runs of their own length."""
    net = network()
    recipe = kerasviz.RECIPES["fast"].replace(steps=400, size=(13, 13), patience=16)
    targets = [parse_target(f"joined:{k}", net)[0] for k in range(6)]
    requests = [replace(r, batch=2) for r in make_requests(net, targets, recipe, seed=4)]
    whole = render_requests(net, requests, progress=False)
    lengths = [p.steps for p in whole]
    end = min(lengths[:2]) + 16  # one of the first two has left, another has entered
    partial = render_requests(net, requests, interrupting(Counter(end // 16)))
    assert len(partial) + len(partial.missing) == 6 and len(partial) >= 3 and partial.missing
    assert any(p.interrupted for p in partial) and not all(p.interrupted for p in partial)
    for picture in partial:
        full = whole[[p.target for p in whole].index(picture.target)]
        assert picture.interrupted == (picture.steps < full.steps)
        if not picture.interrupted:
            np.testing.assert_array_equal(picture.image, full.image)
        np.testing.assert_array_equal(picture.history, full.history[: picture.steps])


class Counter:
    """Become true at the n-th call."""

    def __init__(self, number: int):
        self.left = number

    def __call__(self, _: RenderProgress) -> bool:
        self.left -= 1
        return self.left == 0


def test_without_any_picture_it_remains_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiling(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("kerasviz.rendering.render.optimize", compiling)
    with pytest.raises(KeyboardInterrupt):
        kerasviz.render(network(), TARGETS, steps=32, size=13)


SCRIPT = """
import kerasviz
kerasviz.load  # TensorFlow starts quietly
from support.tiny import network

r = kerasviz.render(network(), ["joined:1", "joined:2"], steps=10_000_000, size=13, progress=True)
print(r.interrupted, len(r), r[0].steps > 0, r[0].image.std() > 0)
print("on")
"""


def test_a_script_that_gets_a_signal_from_outside_continues_with_the_pictures() -> None:
    code = "import kerasviz.io.terminal as t\nt.INTERVAL = 0.2\n" + textwrap.dedent(SCRIPT)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=120)
    assert "0 of 2 pictures, step " in first, first + rest
    assert out.splitlines() == ["True 2 True True", "on"]
    assert "2 pictures interrupted after step" in rest.splitlines()[-1]
    assert process.returncode == 0
