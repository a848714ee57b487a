"""``kerasviz directions``, and pictures of what it finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--size", "24x31")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(9):
        pixels = np.random.default_rng(k).integers(0, 256, (6, 7, 3), np.uint8)
        Image.fromarray(pixels).resize((40, 33)).save(folder / f"{k}.png")
    (folder / "broken.png").write_bytes(b"none")
    return folder


def test_directions_are_found_and_rendered(run_cli: Run, model_file: Path, photos: Path) -> None:
    asked = ("directions", model_file, "conv2", "--images", photos, "--count", 2, *SMALL)
    ended = run_cli(*asked, "--out", "parts.npz")
    lines = ended.out.splitlines()
    assert (ended.code, ended.notes) == (0, "")
    assert lines[0] == "found 2 directions of conv2 in 9 photos by nmf"
    assert lines[1].startswith("explained ") and lines[2] == "1 photos could not be read"
    assert lines[3] == f'wrote parts.npz; kerasviz render {model_file} "conv2@parts.npz"'
    first = Path("parts.npz").read_bytes()
    assert (
        run_cli(*asked, "--out", "parts.npz").code == 0 and Path("parts.npz").read_bytes() == first
    )
    small = ("--size", 20, "--steps", 3, "--preprocess", "inception", "--out", "p")
    made = run_cli("render", model_file, "conv2@parts.npz:nmf[0-1]#cosine=2", *small)
    assert made.code == 0 and made.out.startswith("made 2 pictures")
    names = {path.name for path in Path("p").glob("*.png")}
    assert names == {f"conv2@parts-nmf-{k}-cosine-2.png" for k in range(2)}
    assert "conv2@parts.npz:nmf[0]#cosine=2" in Path("p/index.html").read_text()


def test_a_concept_as_json(run_cli: Run, model_file: Path, photos: Path) -> None:
    Path("red").mkdir()
    for k in range(5):
        Image.new("RGB", (40, 40), (200 + k, 0, 0)).save(f"red/{k}.png")
    cav = ("--method", "cav", "--images", "red", "--against", photos, "--json")
    ended = run_cli("directions", model_file, "conv1", *cav, *SMALL)
    assert ended.code == 0
    about = json.loads(ended.out)
    assert about["report"]["accuracy"] > 0.8 and len(about["targets"]) == 1
    assert about["file"] == "out/small-directions/conv1-cav.npz" and Path(about["file"]).is_file()


def test_bad_use_is_one_line(run_cli: Run, model_file: Path, photos: Path) -> None:
    for words, line in [
        (("conv2", "--images", photos, "--method", "cav"), "needs against"),
        (("conv9", "--images", photos), "near: conv"),
        (("conv2", "--images", "nowhere"), "no images at 'nowhere'"),
        (("logits", "--images", photos), "nmf needs activations"),
        (("conv2", "--images", photos, "--count", 6), "5 channels gives at most 5"),
    ]:
        ended = run_cli("directions", model_file, *words, *SMALL)
        assert ended.code != 0 and line in ended.err and ended.err.count("\n") == 1, ended.err
    assert not Path("out").exists() or not list(Path("out").rglob("*.npz"))


def test_lengths_and_latents_are_said(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    np.save("v.npy", np.full((2, 5), 2.0))
    small = ("--size", 20, "--steps", 2, "--preprocess", "inception", "--out", "p")
    ended = run_cli("render", model_file, "conv2@v.npy[0]", *small)
    assert ended.code == 0 and "direction of length |v| = 4.472" in ended.err
    ended = run_cli("render", model_file, "conv2@v.npy", *small)
    assert "2 directions of lengths |v| = 4.472 to 4.472" in ended.err
    arrays = {
        "encoder.weight": np.eye(3, 5, dtype=np.float32),
        "encoder.bias": np.array([100, -100, 0], np.float32),
        "b_dec": np.zeros(5, np.float32),
    }
    save_file(arrays, "sae.safetensors")
    Path("cfg.json").write_text(json.dumps({"k": 1}))
    ended = run_cli("render", model_file, "conv2@sae.safetensors#latent=0-1", *small)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert "latent 0 is on at 100 % of the positions" in lines[1]
    assert "rank 1 of 3 latents" in lines[1]
    assert "latent 1 is off at all positions (rank 3 of 3 latents)" in lines[2]
    asked = ("render", model_file, "conv2@sae.safetensors#latent=0", *small, "--json")
    (report,) = json.loads(run_cli(*asked).out)["latents"]
    assert report["on"] and report["rank"] == 1 and report["share"] == 1
