from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import tensorflow as tf
from fastapi.testclient import TestClient
from starlette.requests import Request
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from kerasviz.export.saved_model import Signature
from kerasviz.export.tf_serving.settings import usual_setting
from kerasviz.export.tf_serving.signatures import makers
from kerasviz.io.images import decode, encode, to_image
from kerasviz.network.input_spec import preset
from kerasviz.optvis.recipes import recipe
from kerasviz.service import Limits, ServiceSettings
from kerasviz.service.api.app import create_app
from kerasviz.service.api.tf_serving import _watch
from kerasviz.service.networks import load
from kerasviz.service.tf_serving.json_tensors import read
from kerasviz.service.tf_serving.predict import ClientGoneError, _run, _Served
from kerasviz.zoo.model_source import ModelSource

READING = ModelSource(input_spec=preset("unit"))
PREDICT = "/v1/models/small:predict"
X = np.random.default_rng(1).random((3, 19, 26, 3)).astype(np.float32)
PNG = encode(to_image(X[0]), "png")


@pytest.fixture(scope="module")
def client(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    setting = ServiceSettings(
        tmp_path_factory.mktemp("data"),
        models=(str(small_model),),
        workers=0,
        reading=READING,
        limits=Limits(rows=3),
    )
    app = create_app(setting)
    with TestClient(app, base_url="http://localhost") as started:
        assert app.state.service.loading.wait(120)
        yield started


@pytest.fixture(scope="module")
def process(small_model: Path) -> Callable[..., dict[str, Any]]:
    """Call a signature in this process."""
    net = load(replace(READING, path=str(small_model)))
    made = makers(net, usual_setting(net, recipe("fast")))

    def call(name: str, *inputs: Any) -> dict[str, Any]:
        signature = made[name]()
        found = signature.traced(*inputs)
        return {n: t.numpy() for n, t in zip(signature.outputs, found, strict=True)}

    return call


def post(client: TestClient, body: Any, path: str = PREDICT) -> Any:
    if not isinstance(body, bytes):
        body = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return client.post(path, content=body)


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def test_rows_and_columns_answer_what_the_signature_does(
    client: TestClient, process: Callable[..., dict[str, Any]]
) -> None:
    wanted = process("activations", X)
    assert set(wanted) == {"relu", "logits"}
    named = [{"images": x} for x in X]
    for rows in (X, named):
        found = post(client, {"signature_name": "activations", "instances": rows})
        assert found.status_code == 200
        predictions = found.json()["predictions"]
        for name, values in wanted.items():
            assert np.array_equal(np.float32([p[name] for p in predictions]), values)
    for columns in (X, {"images": X}):
        found = post(client, {"signature_name": "activations", "inputs": columns})
        outputs = found.json()["outputs"]
        assert all(np.array_equal(np.float32(outputs[n]), v) for n, v in wanted.items())


def test_a_single_output_has_no_name(
    client: TestClient, process: Callable[..., dict[str, Any]]
) -> None:
    (wanted,) = process("serving_default", X).values()
    rows = post(client, {"instances": X}).json()
    columns = post(client, {"inputs": X}, "/v1/models/small/versions/1:predict").json()
    assert list(rows) == ["predictions"] and list(columns) == ["outputs"]
    assert np.array_equal(np.float32(rows["predictions"]), wanted)
    assert np.array_equal(np.float32(columns["outputs"]), wanted)


def test_bytes_come_and_go_as_base64(
    client: TestClient, process: Callable[..., dict[str, Any]]
) -> None:
    (wanted,) = process("serving_bytes", np.array([PNG, PNG], object)).values()
    plain = {"signature_name": "serving_bytes"}
    for rows in ([b64(PNG)] * 2, [{"image_bytes": b64(PNG)}] * 2):
        found = post(client, {**plain, "instances": rows}).json()["predictions"]
        assert np.array_equal(np.float32(found), wanted)
    unpadded = {"b64": base64.urlsafe_b64encode(PNG).decode().rstrip("=")}
    found = post(client, {**plain, "inputs": [unpadded]}).json()["outputs"]
    (alone,) = process("serving_bytes", np.array([PNG], object)).values()
    assert np.array_equal(np.float32(found), alone)


def test_the_bodies_of_the_documentation_are_answered(client: TestClient) -> None:
    text = (Path(__file__).parents[3] / "docs/pages/start/tf-serving.md").read_text("utf-8")
    bodies = re.findall(r"'(\{\"signature_name\".*?\})'", text, re.DOTALL)
    assert bodies
    for body in bodies:
        asked = json.loads(body)
        for row in asked["instances"]:
            row |= {"unit": row["unit"] % 6, "steps": min(row["steps"], 3)}
        found = post(client, asked)
        assert found.status_code == 200, found.text
        (prediction,) = found.json()["predictions"]
        assert set(prediction) == {"image_bytes", "scores", "steps"}
        image, _ = decode(base64.b64decode(prediction["image_bytes"]["b64"]))
        assert image.size == (128, 128) and np.std(np.asarray(image)) > 1
        assert prediction["steps"] == asked["instances"][0]["steps"]


def test_metadata_and_status_are_the_messages_of_tensorflow_serving(client: TestClient) -> None:
    from google.protobuf import json_format

    found = client.get("/v1/models/small/metadata").json()
    signatures = found["metadata"]["signature_def"]
    message = json_format.ParseDict(signatures, get_model_metadata_pb2.SignatureDefMap())
    assert found["model_spec"] == {"name": "small", "signature_name": "", "version": "1"}
    wanted = {"serving_default", "serving_bytes", "activations", "visualize", "visualize_png"}
    assert set(message.signature_def) == wanted
    images = message.signature_def["activations"].inputs["images"]
    assert [d.size for d in images.tensor_shape.dim] == [-1, -1, -1, 3]
    row = message.signature_def["visualize_png"]
    assert sorted(row.inputs) == ["seed", "steps", "tap", "unit"]
    for path in ("/v1/models/small", "/v1/models/small/versions/1"):
        status = client.get(path).json()
        read = json_format.ParseDict(status, get_model_status_pb2.GetModelStatusResponse())
        assert [(v.version, v.state) for v in read.model_version_status] == [(1, 30)]


def test_visualize_has_the_shapes_of_its_metadata(client: TestClient) -> None:
    """They are told without tracing it, and so could be wrong."""
    found = client.get("/v1/models/small/metadata").json()
    told = found["metadata"]["signature_def"]["signature_def"]["visualize"]["outputs"]
    row = {"tap": [0], "unit": [0], "seed": [0], "steps": [1]}
    outputs = post(client, {"signature_name": "visualize", "inputs": row}).json()["outputs"]
    assert set(outputs) == set(told)
    for name, value in outputs.items():
        sizes = [int(d["size"]) for d in told[name]["tensor_shape"]["dim"]]
        assert np.shape(value)[1:] == tuple(sizes[1:]) and sizes[0] == -1


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: "),
        (b'{"instances": [NaN}', "JSON Parse error: "),
        (b'{"instances": [NaN], "signature_name": "\\ud800"}', "JSON Parse error: "),
        (b"[NaN," + b"[" * 100_000, "JSON Parse error: "),
        (b'{"instances": [NaN]}', "expected the shape"),
        (b'{"signature_name": "visualize", "inputs": {"tap": [NaN]}}', "expected type: int32"),
        (b"[" * 100_000, "JSON Parse error: "),
        ([1], "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": 1}, "to be an list/array"),
        ({"instances": [1], "inputs": [1]}, "expecting only one of"),
        ({"signature_name": 1, "instances": [1]}, "must be a string value"),
        ({"signature_name": "no", "instances": [1]}, 'name: "no" not found in signature def'),
        ({"instances": [[1, 2], [3]]}, "unexpected size"),
        ({"instances": ["x"]}, "is not of expected type: float"),
        ({"instances": [None]}, "is not of expected type: float"),
        ({"instances": [[[[1e39, 0, 0]]]]}, "without loss of precision"),
        ({"instances": [[1, 2, 3]]}, "expected the shape"),
        ({"signature_name": "activations", "instances": np.zeros((1, 1, 1, 3))}, ""),
        ({"signature_name": "serving_bytes", "instances": [{"b64": "!"}]}, "base64 decode"),
        ({"signature_name": "serving_bytes", "instances": [b64(b"no")]}, "image 0 is no PNG"),
        ({"signature_name": "serving_bytes", "instances": [7]}, "expected type: string"),
        ({"signature_name": "visualize", "instances": [1]}, "expecting list of objects"),
        ({"signature_name": "visualize", "inputs": {"tap": [0]}}, "Missing named input: unit"),
        ({"signature_name": "visualize", "instances": [{"tap": 0}]}, "keys must be equal to"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_line(
    client: TestClient, body: Any, line: str
) -> None:
    found = post(client, body)
    assert found.status_code == 400
    assert list(found.json()) == ["error"] and line in found.json()["error"]
    assert "\n" not in found.json()["error"] and len(found.json()["error"]) < 700
    assert "File" not in found.json()["error"], "no place in the code is told"


def test_rows_of_pictures_have_a_limit_and_a_dtype(client: TestClient) -> None:
    row = {"tap": 0, "unit": 0, "seed": 0, "steps": 1}
    body = {"signature_name": "visualize", "instances": [row] * 4}
    assert "at most 3" in post(client, body).json()["error"]
    body = {"signature_name": "visualize", "instances": [{**row, "seed": 0.5}]}
    assert "not of expected type: int32" in post(client, body).json()["error"]
    body = {"signature_name": "visualize", "instances": [{**row, "seed": 2**40}]}
    assert "not of expected type: int32" in post(client, body).json()["error"]


def test_other_names_and_versions_are_not_found(client: TestClient) -> None:
    for path, line in (
        ("/v1/models/no:predict", "Servable not found for request: Latest(no)"),
        (
            "/v1/models/small/versions/2:predict",
            "Servable not found for request: Specific(small, 2)",
        ),
    ):
        found = post(client, {"instances": [1]}, path)
        assert (found.status_code, found.json()) == (404, {"error": line})
    found = client.get("/v1/models/no")
    assert found.json() == {"error": "Could not find any versions of model no"}
    assert client.get("/v1/models/no/metadata").status_code == 404
    assert post(client, {}, "/v1/models/small:classify").status_code == 400


def test_a_signature_is_traced_once_while_others_are_asked() -> None:
    begun, go_on, traced = threading.Event(), threading.Event(), []

    def slow() -> str:
        begun.set()
        assert go_on.wait(60)
        traced.append("slow")
        return "slow"

    served = _Served(None, None)  # type: ignore[arg-type]
    served.__dict__["makers"] = {"slow": cache(slow), "quick": lambda: "quick"}
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(served.signature("slow"))) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(60) and served.signature("quick") == "quick"  # type: ignore[comparison-overlap]
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert found == ["slow", "slow"] and traced == ["slow"]


def test_no_more_rows_are_run_for_a_client_that_left() -> None:
    seen: list[list[int]] = []

    def double(rows: Any) -> list[Any]:
        seen.append(rows.numpy().tolist())
        return [rows * 2]

    signature = Signature(double, {"x": tf.TensorSpec([None], tf.int32)}, ["y"])
    inputs = {"x": np.arange(5)}
    found = _run(signature, inputs, 2, lambda: False)
    assert found["y"].tolist() == [0, 2, 4, 6, 8] and seen == [[0, 1], [2, 3], [4]]
    assert _run(signature, inputs, None, lambda: False)["y"].tolist() == found["y"].tolist()
    assert _run(signature, {"x": np.arange(0)}, 2, lambda: False)["y"].tolist() == []
    seen.clear()
    with pytest.raises(ClientGoneError):
        _run(signature, inputs, 2, lambda: len(seen) == 2)
    assert seen == [[0, 1], [2, 3]]


def test_pictures_of_several_rows_are_those_of_each_row_alone(client: TestClient) -> None:
    rows = [{"tap": 0, "unit": k, "seed": 1, "steps": 2} for k in range(3)]
    whole = post(client, {"signature_name": "visualize", "instances": rows}).json()["predictions"]
    for row, found in zip(rows, whole, strict=True):
        body = {"signature_name": "visualize", "instances": [row]}
        assert post(client, body).json()["predictions"] == [found]


def test_a_connection_that_closes_is_noticed() -> None:
    async def ask(kind: str) -> bool:
        async def receive() -> dict[str, str]:
            return {"type": kind}

        gone = threading.Event()
        await _watch(Request({"type": "http"}, receive), gone)
        return gone.is_set()

    assert asyncio.run(ask("http.disconnect"))
    assert not asyncio.run(ask("http.request"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "Inf", "-Inf"])
def test_numbers_that_are_not_finite_are_numbers(client: TestClient, number: str) -> None:
    image = json.dumps(X[:1].tolist())
    first = str(X[0, 0, 0, 0].item())
    body = f'{{"instances": {image.replace(first, number, 1)}, "signature_name": ""}}'
    answer = client.post(PREDICT, content=body.encode())
    assert answer.status_code == 200, answer.text
    plain = client.post(PREDICT, json={"instances": X[:1].tolist()})
    assert answer.text != plain.text


def test_names_of_such_numbers_inside_texts_stay() -> None:
    body = b'{"instances": [{"b64": "Inf"}, NaN, "a \\"NaN\\" b"], "signature_name": "NaN"}'
    request = read(body)
    assert request.signature == "NaN"
    assert request.value[0] == {"b64": "Inf"}
    assert np.isnan(request.value[1])
    assert request.value[2] == 'a "NaN" b'


def test_a_compressed_request_has_the_same_answer(client: TestClient) -> None:
    body = json.dumps({"instances": X.tolist()}).encode()
    plain = client.post(PREDICT, content=body)
    packed = client.post(PREDICT, content=gzip.compress(body), headers={"content-encoding": "gzip"})
    assert (packed.status_code, packed.content) == (200, plain.content)
