from __future__ import annotations

from typing import Any

import keras
import onnx
import pytest
import tensorflow as tf

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.importers.memory import MemoryOptions, read_object


@pytest.mark.parametrize("thing", [3, None, b"bytes", [1], print, tf.constant(1.0)])
def test_an_object_of_no_known_kind_gets_the_list_of_those(thing: Any) -> None:
    with pytest.raises(UsageError) as refused:
        kerasviz.load(thing)
    line = str(refused.value)
    kinds = ("a path", "hf://", "keras.Model", "onnx.ModelProto", "tf.Module", "torch.nn.Module")
    assert all(kind in line for kind in kinds) and "\n" not in line


def test_the_kind_of_the_object_is_named() -> None:
    with pytest.raises(UsageError, match=r"^no model is a onnx\S+\.GraphProto; load takes"):
        kerasviz.load(onnx.GraphProto())


def test_a_layer_is_told_how_to_become_a_model() -> None:
    with pytest.raises(UsageError, match=r"^a layer, Dense, is no model; give keras.Sequential"):
        kerasviz.load(keras.layers.Dense(2))


@pytest.mark.parametrize(
    ("model", "options", "line"),
    [
        (keras.Sequential(), {"signature": "serve"}, "signature is for SavedModels"),
        (keras.Sequential(), {"importer": "onnx-tf"}, "importer is for ONNX models, not for a Ker"),
        (keras.Sequential(), {"example_input": 1}, "example_input is for modules of PyTorch"),
        (onnx.ModelProto(), {"signature": "serve"}, "signature is for SavedModels"),
        (tf.Module(), {"folder": "."}, "folder is for ONNX models whose weights are in separate"),
    ],
)
def test_options_of_other_kinds_are_refused(model: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=f"^{line}"):
        read_object(model, MemoryOptions(**options))


def test_options_of_objects_are_refused_for_files() -> None:
    with pytest.raises(UsageError, match=r"^example_input is for modules of PyTorch, not for a f"):
        kerasviz.load("efficientnet-lite0", 1)
    with pytest.raises(UsageError, match=r"^folder is for ONNX models"):
        kerasviz.load("efficientnet-lite0", folder=".")
