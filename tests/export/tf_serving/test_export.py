"""Exports for TensorFlow Serving: their signatures, and what lies beside them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from support import tiny
from support.served import ROWS, columns

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.export.tf_serving import ExportSettings, export
from kerasviz.export.tf_serving.assets import write_assets
from kerasviz.export.tf_serving.configs import write_configs
from kerasviz.export.tf_serving.export import model_name
from kerasviz.export.tf_serving.original import original_of
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.photos import read_photo

Array = np.ndarray[Any, Any]


def images(*shape: int) -> Array:
    return np.random.default_rng(3).random(shape).astype(np.float32)


def test_own_inputs_encoded_images_and_taps(
    served: Any, answers: Any, photos: Any, tmp_path: Path
) -> None:
    net, (files, x) = served.net, photos
    for k, file in enumerate(files):
        (tmp_path / f"{k}.png").write_bytes(file)
    size = served.setting.image_size
    fitted = np.stack([read_photo(tmp_path / f"{k}.png", size, 3) for k in range(3)])
    assert set(answers["own"]) == set(answers["files"]) == {"prob"}
    want = net.run({"image": 2 * x - 1})["prob"]
    np.testing.assert_allclose(answers["own"]["prob"], want, atol=1e-6)
    found, want = answers["files"]["prob"], net.run({"image": 2 * fitted - 1})["prob"]
    np.testing.assert_allclose(found, want, atol=0.02)
    np.testing.assert_allclose(found[1:2], answers["file"]["prob"], atol=1e-6)
    taps = net.activations(x, served.setting.taps)
    assert set(answers["taps"]) == set(taps)
    for name, tensor in taps.items():
        np.testing.assert_allclose(answers["taps"][name], tensor, atol=1e-5, err_msg=name)


def test_every_tensor_has_the_rows_first(served: Any) -> None:
    assert set(served.made.signatures) == {
        *("serving_default", "serving_bytes", "activations", "visualize", "visualize_png")
    }
    for tensors in served.made.signatures.values():
        for shape in (*tensors["inputs"].values(), *tensors["outputs"].values()):
            assert shape[0] is None


def test_no_operator_but_those_of_a_server(served: Any) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((served.path / "saved_model.pb").read_bytes())
    (graph,) = (each.graph_def for each in saved.meta_graphs)
    names = {f.signature.name for f in graph.library.function}
    assert not [f for f in graph.library.function if "_XlaMustCompile" in f.attr]
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    operators = {node.op for node in nodes} - names
    assert not {op for op in operators if "Py" in op or "Xla" in op}
    # The weights are variables, each of them once.
    variables = tf.train.list_variables(str(served.path / "variables/variables"))
    weights = [w.shape for w in served.net.program.weights.values()]
    large = [shape.as_list() for shape in weights if shape.num_elements() >= 128]
    assert sorted(shape for name, shape in variables if "VARIABLE_VALUE" in name) == sorted(large)


# -- requests as clients send them -------------------------------------------------------------


def of_rest(body: str, signatures: Any) -> Any:
    """The answer of TensorFlow Serving's REST interface, by its documentation.

    ``instances`` are rows, ``inputs`` columns; ``{"b64": ...}`` are bytes; outputs whose name ends
    in ``_bytes`` are encoded so.
    """
    asked = json.loads(body)
    function = signatures[asked.get("signature_name", "serving_default")]
    specs = {s.name: s for s in function.structured_input_signature[1].values()}

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and list(value) == ["b64"]:
            return base64.b64decode(value["b64"])
        return [plain(v) for v in value] if isinstance(value, list) else value

    if "instances" in asked:
        rows = asked["instances"]
        named = [
            r if isinstance(r, dict) and "b64" not in r else {next(iter(specs)): r} for r in rows
        ]
        fed = {n: [plain(row[n]) for row in named] for n in specs}
    else:
        fed = {n: plain(v) for n, v in asked["inputs"].items()}
    given = {n: tf.constant(v, specs[n].dtype) for n, v in fed.items()}
    found = {n: t.numpy().tolist() for n, t in function(**given).items()}
    for name in [n for n in found if n.endswith("_bytes")]:
        found[name] = [{"b64": base64.b64encode(b).decode()} for b in found[name]]
    if "inputs" in asked:
        return {"outputs": found if len(found) > 1 else next(iter(found.values()))}
    rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return {"predictions": rows if len(found) > 1 else next(iter(found.values()))}


def test_rest_bodies_and_warm_up_records(served: Any, answers: Any, photos: Any) -> None:
    loaded = tf.saved_model.load(str(served.path)).signatures
    answer = of_rest(
        """{"signature_name": "visualize_png",
            "instances": [{"tap": 0, "unit": 1, "seed": 5, "steps": 20}]}""",
        loaded,
    )
    (row,) = json.loads(json.dumps(answer))["predictions"]
    assert row["steps"] == 20
    assert base64.b64decode(row["image_bytes"]["b64"]) == answers["png"]["image_bytes"][0]
    columnar = of_rest(
        """{"signature_name": "visualize",
            "inputs": {"tap": [0, 1], "unit": [1, 2], "seed": [5, 6], "steps": [20, 4]}}""",
        loaded,
    )["outputs"]
    for k, image in enumerate(columnar["images"]):
        np.testing.assert_array_equal(np.float32(image), answers["rows"]["images"][k])
    photo = base64.b64encode(photos[0][0]).decode()
    body = json.dumps(
        {"signature_name": "serving_bytes", "instances": [{"image_bytes": {"b64": photo}}] * 2}
    )
    (one, two) = of_rest(body, loaded)["predictions"]
    assert one == pytest.approx(two, rel=1e-5)
    assert sum(one) == pytest.approx(1, rel=1e-5)

    found = list(warm_ups(served.path))
    assert {name for name, _ in found} == set(loaded)
    taps = [inputs["tap"].tolist() for name, inputs in found if name == "visualize"]
    assert taps == [[0], [1], [2]]
    for name, inputs in found:
        assert {len(array) for array in inputs.values()} == {1}
        answers = loaded[name](**{n: tf.constant(a) for n, a in inputs.items()})
        assert {tensor.shape[0] for tensor in answers.values()} == {1}


def warm_ups(path: Path) -> Any:
    """The warm-up requests, parsed as the server does."""
    from tensorflow_serving.apis import prediction_log_pb2

    file = path / "assets.extra/tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == path.parent.name
        inputs = {n: tf.make_ndarray(tensor) for n, tensor in request.inputs.items()}
        yield request.model_spec.signature_name, inputs


def test_saved_model_cli(served: Any, answers: Any, tmp_path: Path) -> None:
    given = []
    for name, array in columns(ROWS[:3]).items():
        np.save(tmp_path / f"{name}.in.npy", array)
        given.append(f"{name}={tmp_path / name}.in.npy")
    program = Path(sys.executable).with_name("saved_model_cli")
    arguments = ["run", "--dir", served.path, "--tag_set", "serve", "--outdir", tmp_path]
    arguments += [
        "--signature_def",
        "visualize_png",
        "--inputs",
        ";".join(given),
        "--outdir",
        tmp_path,
    ]
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, want in answers["png"].items():
        found = np.load(tmp_path / f"{name}.npy", allow_pickle=True)
        np.testing.assert_array_equal(found, want[:3])


# -- what lies beside the graph ----------------------------------------------------------------


def test_assets(served: Any, tmp_path: Path) -> None:
    assets = served.path / "assets"
    taps = json.loads((assets / "taps.json").read_text())
    assert [(t["index"], t["name"], t["units"]) for t in taps["taps"]] == [
        *((0, "joined", 9), (1, "relu1", 6), (2, "logits", 5))
    ]
    assert taps["taps"][2]["unit_names"] == "labels.txt"
    assert [t["pre_activation"] for t in taps["taps"]] == [True, False, True]
    assert (taps["group"], taps["size"], taps["steps_max"]) == (2, [13, 17], 20)
    assert (assets / "labels.txt").read_text().splitlines() == list(tiny.LABELS)
    model = json.loads((assets / "model.json").read_text())
    assert model["network"]["sha256"] == served.net.identity.sha256
    assert model["environment"]["kerasviz"] == kerasviz.__version__
    (tmp_path / "labels.txt").write_text("a vocabulary of the model's own")
    write_assets(served.net, served.setting, tmp_path)
    assert (tmp_path / "labels.txt").read_text() == "a vocabulary of the model's own"
    assert (tmp_path / "kerasviz-labels.txt").read_text().startswith("goldfish")


def test_example_configurations(served: Any, tmp_path: Path) -> None:
    from tensorflow_serving.config import model_server_config_pb2

    (tmp_path / "b").symlink_to(served.path.parent)
    (tmp_path / "a" / "1").mkdir(parents=True)  # holds no model
    for _ in range(2):
        write_configs(tmp_path)
    text = (tmp_path / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("b", "/models/b", "tensorflow")
    assert "max_batch_size { value: 16 }" in (tmp_path / "batching.config").read_text()
    (tmp_path / "models.config").write_text("# mine\n")
    write_configs(tmp_path)
    assert (tmp_path / "models.config").read_text() == "# mine\n"


# -- signatures of the model's own ---------------------------------------------------------------


def small_keras() -> Any:
    layers = keras.layers
    image = keras.Input((15, 12, 3), name="image")
    x = layers.Conv2D(5, 3, activation="relu", name="conv")(image)
    x = layers.Conv2D(4, 3, activation="relu", name="next")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="prob")(x))


def test_a_saved_model_keeps_its_signatures(tmp_path: Path) -> None:
    model = small_keras()
    module: Any = tf.Module()
    module.model = model

    @tf.function(input_signature=[tf.TensorSpec([None, 15, 12, 3], tf.float32, name="image")])
    def classify(image: Any) -> Mapping[str, Any]:
        return {"prob": model(image)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def twice(x: Any) -> Mapping[str, Any]:
        return {"y": 2 * x}

    path = tmp_path / "shop" / "3"
    tf.saved_model.save(module, str(path), signatures={"serving_default": classify, "two": twice})
    net = kerasviz.load(path, input_spec=kerasviz.InputSpec())
    assert model_name(net) == "shop"
    tap = next(n for n, tap in net.taps.items() if tap.op == "Relu" and tap.channels == 4)
    setting = ExportSettings((tap,), recipe("fast").replace(size=(15, 12)), 1, image_size=(15, 12))
    with original_of(net) as original:
        made = export(net, tmp_path / "served", setting, original=original)
    assert made.kept == ("serving_default", "two")
    assert set(made.signatures) == {
        *("serving_default", "two", "serving_bytes", "activations", "visualize", "visualize_png")
    }
    x = images(2, 15, 12, 3)
    loaded = tf.saved_model.load(str(made.path)).signatures
    assert loaded["two"](x=tf.constant([1.5]))["y"].numpy() == [3.0]
    own = loaded["serving_default"](image=tf.constant(x))
    taps = loaded["activations"](images=tf.constant(x))
    np.testing.assert_allclose(own["prob"], model(x), atol=1e-6)
    np.testing.assert_allclose(taps[tap], net.activations(x, [tap])[tap], atol=1e-6)
    assert "serving_default" not in {name for name, _ in warm_ups(made.path)}


def test_a_keras_file_keeps_the_signatures_of_its_export(tmp_path: Path) -> None:
    small_keras().save(tmp_path / "small.keras")
    net = kerasviz.load(tmp_path / "small.keras")
    with original_of(net) as folder:
        names = set(tf.saved_model.load(str(folder)).signatures)
    assert "serving_default" in names
    assert not folder.exists()
    with pytest.raises(UsageError, match="no signatures to keep"), original_of(tiny.network()):
        pass


# -- what is refused -----------------------------------------------------------------------------


def test_settings_and_networks_that_cannot_be_served(tmp_path: Path) -> None:
    usual = recipe("fast").replace(size=(13, 17))
    net = tiny.network()
    with pytest.raises(UsageError, match="near: joined"):
        export(net, tmp_path, ExportSettings(("joind",), usual))
    with pytest.raises(UsageError, match="--preprocess"):
        export(tiny.network(input_spec=None), tmp_path, ExportSettings(("joined",), usual))
    with pytest.raises(UsageError, match="expected letters"):
        export(net, tmp_path, ExportSettings(("joined",), usual), name="a/b")
    with pytest.raises(ModelError, match="--image-size"):
        export(net, tmp_path, ExportSettings(("joined",), usual, image_size=(2, 2)))
    assert list(tmp_path.iterdir()) == []
