"""Runs of the whole catalogue that are stopped by Ctrl-C and go on: all files come out the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny

from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import gradient_pictures, run

SHORT = recipe("fast").replace(steps=2, size=(24, 40))


def contents(folder: Path) -> dict[str, Any]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        pixels = draw.integers(0, 256, (9, 13, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((60, 44), Image.Resampling.BICUBIC).save(
            folder / f"{name}.png"
        )
    return folder


@pytest.mark.slow
def test_every_figure_comes_out_the_same_when_it_is_interrupted(
    tmp_path: Path, photos: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every eighteen batches, and after every second picture that is computed.

    Waves stand for what is optimized; the test of killed processes renders in earnest.
    """
    net = tiny.network()

    def make(name: str) -> None:
        options: dict[str, Any] = {"quick": True, "photos": photos}
        made = make_figures(net, (), SHORT, tmp_path / name, **options)
        assert not made.failed and {p.stem for p in made.paths} == set(CATALOGUE)

    make("whole")
    whole = contents(tmp_path / "whole")
    render_batches, compute = run.render_batches, gradient_pictures.compute

    def rendered(net: Any, plans: Any, *others: Any) -> Iterator[Any]:
        yield from render_batches(net, plans[:18], *others)
        if len(plans) > 18:
            raise KeyboardInterrupt

    def one(*arguments: Any) -> Any:
        one.count += 1  # type: ignore[attr-defined]
        if one.count % 3 == 0:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return compute(*arguments)

    one.count = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(run, "render_batches", rendered)
    monkeypatch.setattr(gradient_pictures, "compute", one)
    interruptions = 0
    while True:
        try:
            make("parts")
            break
        except KeyboardInterrupt:
            interruptions += 1
            manifest = json.loads((tmp_path / "parts/pictures/manifest.json").read_text())
            assert manifest["pictures"]
    assert interruptions > 6  # of both kinds
    assert one.count > 6  # type: ignore[attr-defined]
    assert contents(tmp_path / "parts") == whole
    once = len(drawn) // 2
    assert drawn[:once] == drawn[once:]  # nothing was rendered twice, or in another order
