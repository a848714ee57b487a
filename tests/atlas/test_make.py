"""The atlas from Python, with a real worker, and what workers cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kerasviz
from kerasviz.io.images import decode
from kerasviz.network.network import Network
from kerasviz.zoo.model_source import ModelSource


@pytest.mark.slow
def test_an_atlas_from_python_is_the_one_of_the_command(
    net: Network,
    model_file: Path,
    tmp_path: Path,
    run_cli: Callable[..., Any],
) -> None:
    out, seen = tmp_path / "atlas", []
    options = {"steps": 2, "size": 16, "precision": "float32", "seed": 3}
    made = kerasviz.make_atlas(
        net, "relu2", out=out, workers=1, progress=lambda p: seen.append(p.finished), **options
    )
    assert (made.pictures, made.made) == (35, 35)
    assert seen[0] == 0 and seen[-1] == 35
    assert Path(made.index) == out / "index.html"
    words = [f"--{name}={value}" for name, value in options.items()]
    command = ("atlas", model_file, "relu2", "--preprocess", "torchvision", "--out", out, *words)
    ended = run_cli(*command, "--workers", 1)
    assert ended.out.startswith("nothing to do: 35 pictures are complete\n"), ended.err
    with pytest.raises(kerasviz.UsageError, match="seed: there 3, here 4"):
        kerasviz.make_atlas(net, "relu2", out=out, **{**options, "seed": 4})
    files = [path.read_bytes() for path in out.rglob("objects/*/*.png")]
    targets = {str((decode(data)[1] or {})["target"]) for data in files}
    assert "relu2:1" in targets


def test_workers_cannot_read_a_model_in_memory(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential(
        [keras.layers.Input((None, None, 3)), keras.layers.Conv2D(3, 3, name="conv")], name="small"
    )
    message = "the workers of an atlas read small from a file"
    with pytest.raises(kerasviz.UsageError, match=message) as caught:
        kerasviz.make_atlas(
            kerasviz.load(model, preprocess="unit"), "conv", out=tmp_path / "a", precision="float32"
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_the_way_to_read_a_model_is_recorded(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "kerasviz.atlas.make.render_atlas", lambda net, atlas, *_, **__: asked.update(atlas=atlas)
    )
    source = ModelSource(str(model_file), unsafe=True, input_spec=kerasviz.InputSpec())
    kerasviz.make_atlas(source, out=tmp_path / "a", precision="float32", size=16)
    assert asked["atlas"].source.unsafe and asked["atlas"].source.path == str(model_file)
