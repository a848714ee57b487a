"""The files of somebody that the pages of the documentation name: networks, photos, a sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from docsite.photos import write_photos
from onnx import TensorProto, helper, numpy_helper

from kerasviz.io.sounds import wav_bytes
from support.onnx_models import write_convolutions

#: Tokens of the network of words, and channels of its layers.
VOCABULARY, WIDTH = 60, 8


def write_files(folder: Path) -> None:
    """Write all of them into a folder."""
    write_convolutions(folder / "model.onnx", 8)  # as someone's PyTorch export
    write_photos(folder / "photos")
    _write_speech(folder / "speech.onnx")
    write_yamnet(folder / "yamnet_body.onnx")
    _write_gpt2(folder / "gpt2.onnx")
    tokens = {
        "[UNK]": 0,
        **{"word" + "abcdefgh"[k % 8] * (k // 8 + 1): k for k in range(1, VOCABULARY)},
    }
    model = {"type": "WordLevel", "vocab": tokens, "unk_token": "[UNK]"}
    split = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "pre_tokenizer": split}))
    moments = np.arange(16000) / 16000
    tone = (0.3 * np.sin(2 * np.pi * 440 * moments)).astype(np.float32)
    (folder / "me.wav").write_bytes(wav_bytes(tone, 16000)[0])
    (folder / "recordings").mkdir()
    (folder / "recordings" / "tone.wav").write_bytes(wav_bytes(tone, 16000)[0])
    (folder / "texts").mkdir()
    (folder / "texts" / "some.txt").write_text("worda wordb wordcc")


def _write_speech(path: Path) -> None:
    """conv3 of a sound of half a second: 8 units."""
    nodes = [
        helper.make_node("Conv", ["wave", "conv3.weight"], ["conv3"], "/conv3/Conv", strides=[80]),
        helper.make_node("Relu", ["conv3"], ["heard"], "/Relu"),
    ]
    _save(path, nodes, {"conv3.weight": (8, 1, 200)}, ["wave", "n", 1, 8000], "heard")


def write_yamnet(path: Path) -> None:
    """conv4 of the 96 frames of 64 bands that YAMNet takes."""
    nodes = [
        helper.make_node("Conv", ["mel", "conv4.weight"], ["conv4"], "/conv4/Conv", strides=[4, 4]),
        helper.make_node("Relu", ["conv4"], ["heard"], "/Relu"),
    ]
    _save(path, nodes, {"conv4.weight": (6, 1, 8, 8)}, ["mel", "n", 1, 96, 64], "heard")


def _write_gpt2(path: Path) -> None:
    """Logits of the next of any number of tokens, after the module h.1.mlp."""
    nodes = [
        helper.make_node("Gather", ["wte.weight", "input_ids"], ["rows"], "/wte/Gather"),
        helper.make_node("MatMul", ["rows", "up.weight"], ["up"], "/h.1/mlp/c_fc/MatMul"),
        helper.make_node("Tanh", ["up"], ["active"], "/h.1/mlp/act/Tanh"),
        helper.make_node("MatMul", ["active", "head.weight"], ["logits"], "/lm_head/MatMul"),
    ]
    sizes = {
        "wte.weight": (VOCABULARY, WIDTH),
        "up.weight": (WIDTH, WIDTH),
        "head.weight": (WIDTH, VOCABULARY),
    }
    _save(path, nodes, sizes, ["input_ids", "n", "length"], "logits", TensorProto.INT64)


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    sizes: dict[str, tuple[int, ...]],
    given: Sequence[Any],
    output: str,
    kind: int = TensorProto.FLOAT,
) -> None:
    """Write a network with random weights; ``given`` are the name and the axes of its input."""
    draw = np.random.default_rng(0)
    name, *axes = given
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(name, kind, axes)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(draw.normal(0, 0.3, size).astype(np.float32), weight)
            for weight, size in sizes.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
