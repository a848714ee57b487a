"""``kerasviz listen``: sounds of spectrograms, printed with what they keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.page_files import write_yamnet

Run = Callable[..., Any]


def test_sounds_are_written_beside_the_folder_and_told(run_cli: Run, tmp_path: Path) -> None:
    write_yamnet(tmp_path / "body.onnx")
    read = ("--axes", "batch,channel,frame,band", "--range", "-7,3")
    made = run_cli("render", tmp_path / "body.onnx", "conv4:1", *read, "--steps", 4, "--out", "p")
    assert made.code == 0, made.err
    ended = run_cli("listen", "p", "--front-end", "yamnet")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("p-sounds/conv4-1.wav: keeps ")
    assert Path("p-sounds/conv4-1.wav").read_bytes()[:4] == b"RIFF"
    guess = {"rate": 8000, "window": 256, "hop": 128, "bands": 64}
    Path("guess.json").write_text(json.dumps(guess))
    ended = run_cli("listen", "p", "--front-end", "guess.json", "--out", "mine", "--seed", 2)
    assert ended.code == 0 and Path("mine/conv4-1.wav").is_file(), ended.err


def test_bad_use_is_one_line(run_cli: Run) -> None:
    for words, line in [
        (("nowhere", "--front-end", "yamnet"), "holds no manifest.json"),
        (("nowhere",), "Missing option '--front-end'"),
    ]:
        ended = run_cli("listen", *words)
        assert ended.code and line in ended.err and len(ended.err.splitlines()) == 1
