"""``kerasviz verify``."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

Run = Callable[..., Any]
SHORT = ("--preprocess", "inception", "--recipe", "fast", "--steps", 3, "--size", 16)


@pytest.fixture(scope="module")
def rendered(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that the command line has made, once for all tests."""
    from kerasviz.cli import main

    out = tmp_path_factory.mktemp("rendered") / "pictures"
    options = (*SHORT, "--snapshots", "0", "--out", out)
    words = ("kerasviz", "render", model_file, "conv2:1", "conv2:2", "prob:1", *options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(word) for word in words])
        with contextlib.suppress(SystemExit):
            main()
    assert (out / "manifest.json").is_file()
    return out


@pytest.fixture
def folder(rendered: Path) -> Path:
    """A copy of them in the present folder."""
    return Path(shutil.copytree(rendered, "pictures"))


def test_untouched_folder_is_the_same(run_cli: Run, folder: Path) -> None:
    before = {p: p.read_bytes() for p in folder.iterdir()}
    ended = run_cli("verify", folder)
    assert (ended.code, ended.out, ended.err) == (0, "6 files: 6 same\n", "")
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_changed_and_missing_files_are_named(run_cli: Run, folder: Path) -> None:
    shutil.copy(folder / "conv2-1.png", folder / "conv2-2.png")
    (folder / "prob-1.png").unlink()
    ended = run_cli("verify", folder)
    first, *lines = ended.out.splitlines()
    assert ended.code == 1
    assert first == "6 files: 4 same, 1 changed, 1 missing"
    assert sorted(line.split(": ")[:2] for line in lines) == [
        ["conv2-2.png", "changed"],
        ["prob-1.png", "missing"],
    ]


def test_other_pixels_are_found(run_cli: Run, folder: Path) -> None:
    """A manifest that names another seed than that of the picture is found out."""
    path = folder / "manifest.json"
    recorded = json.loads(path.read_text())
    for request in recorded["requests"].values():
        request["seed"] = 7
    path.write_text(json.dumps(recorded))
    ended = run_cli("verify", folder, "--json")
    assert ended.code == 1
    data = json.loads(ended.out)
    assert not data["same"]


def test_difference_of_the_machine_is_reported(run_cli: Run, folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"numpy": "', '"numpy": "0.'))
    ended = run_cli("verify", folder)
    assert "environment: numpy: recorded 0." in ended.out


def test_json(run_cli: Run, folder: Path) -> None:
    data = json.loads(run_cli("verify", folder, "--json").out)
    assert data["same"] is True
    assert data["environment"] == []
    assert {f["result"] for f in data["files"]} == {"same"}
    assert {f["file"] for f in data["files"]} == {p.name for p in folder.glob("*.png")}


def test_of_what_a_sample_leaves_out_the_checksums_are_compared(run_cli: Run, folder: Path) -> None:
    said = {run_cli("verify", folder, "--sample", 1, "--seed", s).out for s in range(9)}
    assert said == {"6 files: 2 same, 4 unchanged\n", "6 files: 4 same, 2 unchanged\n"}
    assert run_cli("verify", folder, "--sample", 100).out == "6 files: 6 same\n"
    for path in folder.glob("*.png"):
        path.write_bytes(path.read_bytes()[:-1])
    ended = run_cli("verify", folder, "--sample", 1)
    assert (ended.code, ended.out.splitlines()[0]) == (1, "6 files: 6 changed")


def test_pictures_that_are_elsewhere_are_fetched(
    run_cli: Run, folder: Path, model_file: Path
) -> None:
    elsewhere = fsspec.filesystem("memory")
    elsewhere.put(str(folder), "/bucket/set/pictures", recursive=True)
    for url in ("memory://bucket/set", "memory://bucket/set/pictures/"):
        ended = run_cli("verify", url, "--model", model_file)
        assert (ended.code, ended.out) == (0, "6 files: 6 same\n"), ended.err
    elsewhere.rm("/bucket/set/pictures/prob-1.png")
    ended = run_cli("verify", "memory://bucket/set", "--model", model_file)
    assert "prob-1.png: missing" in ended.out
    ended = run_cli("verify", "memory://bucket/none")
    assert ended.code == 2
    assert "memory://bucket/none" in ended.err and "manifest.json" in ended.err


def test_files_outside_are_not_fetched(run_cli: Run, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["pictures"][0]["file"] = "../../../outside.png"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    fsspec.filesystem("memory").put(str(folder), "/bucket/bad/pictures", recursive=True)
    ended = run_cli("verify", "memory://bucket/bad")
    assert ended.code == 2
    assert "'../../outside.png'" in ended.err


def test_moved_model_has_to_be_named(run_cli: Run, model_file: Path) -> None:
    own = Path("own.keras")
    shutil.copy(model_file, own)
    run_cli("render", own, "conv2:1", *SHORT, "--out", "a/pictures")
    assert run_cli("verify", "a/pictures").code == 0
    assert run_cli("verify", "a").code == 0  # as in a folder of figures
    own.unlink()
    ended = run_cli("verify", "a/pictures")
    assert ended.code == 2
    assert "own.keras" in ended.err
    assert "--model" in ended.err
    assert run_cli("verify", "a/pictures", "--model", model_file).code == 0


def test_another_model_is_refused(run_cli: Run, folder: Path, other_model_file: Path) -> None:
    ended = run_cli("verify", folder, "--model", other_model_file)
    assert ended.code == 2
    assert "another model" in ended.err


def test_pictures_of_python_functions_are_counted_apart(
    run_cli: Run, folder: Path, model_file: Path
) -> None:
    import tensorflow as tf

    import kerasviz
    from kerasviz.network.input_spec import preset
    from kerasviz.optvis.objectives.targets import Target
    from kerasviz.rendering.request import make_requests
    from kerasviz.rendering.run import render_into
    from kerasviz.rendering.store import Store

    def contrast(tensors):
        return tf.reduce_mean(tensors["conv2"][..., 1] - tensors["conv2"][..., 0], [1, 2])

    net = kerasviz.load(model_file, input_spec=preset("inception"))
    target = Target("contrast", kerasviz.objectives.function(contrast, ["conv2"]))
    chosen = kerasviz.RECIPES["fast"].replace(steps=3, size=(16, 16))
    render_into(Store(folder, net), make_requests(net, [target], chosen))
    ended = run_cli("verify", folder)
    first, line = ended.out.splitlines()
    assert (ended.code, first) == (0, "7 files: 6 same, 1 by function")
    assert line == (
        "contrast.png: by function: made by the Python function 'contrast', and cannot be made "
        "again from data alone"
    )
    ended = run_cli("render", "--again", folder / "contrast.png", "--out", "again")
    assert (ended.code, ended.out) == (2, "") and not Path("again").exists()
    assert "was made by the Python function 'contrast', and cannot be made again" in ended.err
    assert ended.err.count("\n") == 1
    (folder / "contrast.png").write_bytes(b"other")
    assert run_cli("verify", folder).code == 1
