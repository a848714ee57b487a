"""The loader: functions inside bodies, weights in other files, sparse and text constants, Ifs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.constant_branches import graphs_in
from kerasviz.importers.onnx.load import load_model


def save(path: Path, text: str) -> Path:
    path.write_bytes(parser.parse_model(text).SerializeToString())
    return path


def check(path: Path, feeds: dict[str, Any]) -> Any:
    program = read_onnx(path).program
    names = list(program.outputs)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = program.compute(feeds, names, channels_last=False)
    for name, wanted in zip(names, session.run(names, feeds), strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)
    return program


FUNCTIONS = """
<ir_version: 8, opset_import: ["": 17, "my": 1]>
test (float[2, 3] x, bool c) => (float[2, 3] y) {
    y = If (c) <
        then_branch = yes () => (float[2, 3] a) { a = my.outer <k = 3.0> (x) },
        else_branch = no () => (float[2, 3] a) { a = my.inner (x) }>
}
<domain: "my", opset_import: ["": 17, "my": 1]> inner (v) => (w) { w = Neg (v) }
<domain: "my", opset_import: ["": 17, "my": 1]> outer <k: float> (v) => (w) {
    n = my.inner (v)
    t = Constant <value_float: float = @k> ()
    w = Mul (n, t)
}
"""


@pytest.mark.parametrize("condition", [True, False])
def test_functions_that_call_functions_inside_a_branch(
    tmp_path: Path, image: Any, condition: bool
) -> None:
    check(save(tmp_path / "m.onnx", FUNCTIONS), {"x": image(2, 3), "c": np.array(condition)})


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    text = FUNCTIONS.replace("{ w = Neg (v) }", "{ w = my.outer <k = 1.0> (v) }")
    with pytest.raises(ModelError) as caught:
        read_onnx(save(tmp_path / "m.onnx", text))
    assert "\n" not in str(caught.value)


def test_definitions_of_onnx_inside_a_branch(tmp_path: Path, monkeypatch: Any, image: Any) -> None:
    """What a definition is written out as may need a definition too."""
    from kerasviz.importers.onnx import load

    hidden = {"Celu", "Elu", "MeanVarianceNormalization"}
    known = load.supported
    monkeypatch.setattr(load, "supported", lambda op, d, v: op not in hidden and known(op, d, v))
    text = """
    <ir_version: 8, opset_import: ["": 18]>
    test (float[2, 3, 4, 5] x, bool c) => (float[2, 3, 4, 5] y) {
        y = If (c) <
            then_branch = yes () => (float[2, 3, 4, 5] a) { a = Celu <alpha = 0.7> (x) },
            else_branch = no () => (float[2, 3, 4, 5] a) { a = MeanVarianceNormalization (x) }>
    }
    """
    path = save(tmp_path / "m.onnx", text)
    left = {node.op_type for graph in graphs_in(load_model(path).graph) for node in graph.node}
    assert not left & hidden
    for condition in (True, False):
        check(path, {"x": image(2, 3, 4, 5), "c": np.array(condition)})


# -- external data -------------------------------------------------------------------------------


def external(folder: Path, location: str, length: int | None = None) -> Path:
    """A model with one weight of 12 bytes in another file."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    if length is not None:
        weight.external_data.add(key="length", value=str(length))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "test",
        [info("x", TensorProto.FLOAT, [2, 3])],
        [info("y", TensorProto.FLOAT, [2, 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(exist_ok=True)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("length", [None, 12])
def test_external_data_in_a_folder_below(tmp_path: Path, length: int | None) -> None:
    path = external(tmp_path, "parts/w.bin", length)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "w.bin").write_bytes(np.array([1, 2, 3], np.float32).tobytes())
    program = read_onnx(path).program
    found = program.compute({"x": np.zeros((2, 3), np.float32)}, ["y"])["y"]
    np.testing.assert_array_equal(found, [[1, 2, 3]] * 2)


@pytest.mark.parametrize("kind", ["above", "absolute", "link", "linked folder", "none"])
@pytest.mark.parametrize("length", [None, 12])
def test_external_data_never_leaves_the_folder(
    tmp_path: Path, kind: str, length: int | None
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(12))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    location = {
        "above": "../secret.bin",
        "absolute": str(secret),
        "link": "link.bin",
        "linked folder": "linked/secret.bin",
        "none": "",
    }[kind]
    with pytest.raises(ModelError) as caught:
        read_onnx(external(folder, location, length))
    assert "leads out of the model's folder" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [8, 16, -1])
def test_external_data_of_a_wrong_length(tmp_path: Path, length: int) -> None:
    path = external(tmp_path, "w.bin", length)
    (tmp_path / "w.bin").write_bytes(bytes(12))
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)


def test_large_weights_are_read_after_the_functions_are_written_out(
    tmp_path: Path, image: Any
) -> None:
    """The inliner copies the model, which must stay below 2 GB for it."""
    path = save(tmp_path / "m.onnx", FUNCTIONS)
    model = onnx.load(path)
    weights = image(3, 2000)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    model.graph.node.append(helper.make_node("MatMul", ["y", "w"], ["z"]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 2000]))
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    check(path, {"x": image(2, 3, seed=2), "c": np.array(True)})


# -- constants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("inline", [True, False])
def test_sparse_weights_become_dense(tmp_path: Path, flat: bool, inline: bool) -> None:
    dense = np.zeros((3, 4), np.float32)
    dense[0, 1], dense[2, 3] = 5, -2
    places = np.array([1, 11]) if flat else np.array([[0, 1], [2, 3]])
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([5, -2], np.float32), "w"),
        numpy_helper.from_array(places, "places"),
        [3, 4],
    )
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if inline:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=sparse))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, [2, 3])],
        [info("y", TensorProto.FLOAT, [2, 4])],
        sparse_initializer=[] if inline else [sparse],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = read_onnx(path).program.compute({"x": x}, ["y"])["y"]
    np.testing.assert_array_equal(found, x @ dense)


def test_text_constants(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["": 20]>
    test (string[2] x) => (string[2] y) {
        a = Constant <value_string = "ä"> ()
        b = Constant <value_strings = ["1", "2"]> ()
        c = StringConcat (a, b)
        y = StringConcat (x, c)
    }
    """
    program = read_onnx(save(tmp_path / "m.onnx", text)).program
    found = program.compute({"x": np.array(["p", "q"], object)}, ["y"])["y"].numpy()
    assert [t.decode() for t in found] == ["pä1", "qä2"]


# -- Ifs whose condition is known ----------------------------------------------------------------

SQUEEZE = """
<ir_version: 8, opset_import: ["": 17]>
test (float[1, C, 5, 7] x) => (float y) {
    s = Shape (x)
    k = Constant <value = int64 {AXIS}> ()
    n = Gather <axis = 0> (s, k)
    one = Constant <value = int64 {1}> ()
    c = Equal (n, one)
    r = If (c) <
        then_branch = yes () => (float a) {
            axes = Constant <value = int64[1] {1}> ()
            t = Relu (x)
            a = Squeeze (t, axes)
        },
        else_branch = no () => (float t) { t = Tanh (x) }>
    y = Neg (r)
}
"""


@pytest.mark.parametrize("channels", [1, 3])
def test_an_if_that_shapes_decide_is_spliced(tmp_path: Path, image: Any, channels: int) -> None:
    text = SQUEEZE.replace("AXIS", "1").replace("C, 5", f"{channels}, 5")
    program = read_onnx(save(tmp_path / "m.onnx", text)).program
    x = image(1, channels, 5, 7)
    y = program.compute({"x": x}, ["y"], channels_last=False)["y"]
    np.testing.assert_allclose(y, -np.maximum(x, 0)[:, 0] if channels == 1 else -np.tanh(x), 1e-5)
    ops = [value.op for value in program.values.values()]
    assert "If" not in ops
    assert ("Relu" in ops) == (channels == 1)
    assert ("Tanh" in ops) == (channels == 3)
    many = program.compute({"x": image(4, channels, 5, 7)}, ["y"], channels_last=False)["y"]
    assert many.shape == ((4, 5, 7) if channels == 1 else (4, 3, 5, 7))


def test_the_number_of_images_decides_nothing(tmp_path: Path, image: Any) -> None:
    text = SQUEEZE.replace("AXIS", "0").replace("C, 5", "1, 5")
    program = read_onnx(save(tmp_path / "m.onnx", text)).program
    assert "If" in [value.op for value in program.values.values()]
    for count, shape in ((1, (1, 5, 7)), (2, (2, 1, 5, 7))):
        y = program.compute({"x": image(count, 1, 5, 7)}, ["y"], channels_last=False)["y"]
        assert y.shape == shape


def test_branches_with_the_same_names_inside(tmp_path: Path, image: Any) -> None:
    """Two Ifs, one in a branch of the other's kind; names are made unique where they meet."""
    branch = "{ t = Exp (SRC)\n u = Add (t, w)\n a = Mul (u, u) }"
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    test (float[2, 3] x) => (float[2, 3] y, float[2, 3] z) <float[3] w = {1, 2, 3}, bool yes = {1}>
    {
        p = If (yes) <
            then_branch = g () => (float[2, 3] a) BODY1,
            else_branch = h () => (float[2, 3] x2) { x2 = Identity (x) }>
        z = If (yes) <
            then_branch = g () => (float[2, 3] x) { },
            else_branch = h () => (float[2, 3] x2) { x2 = Identity (x) }>
        y = If (yes) <
            then_branch = g () => (float[2, 3] a) BODY2,
            else_branch = h () => (float[2, 3] x2) { x2 = Identity (x) }>
    }
    """
    text = text.replace("BODY1", branch.replace("SRC", "x"))
    text = text.replace("BODY2", branch.replace("SRC", "p"))
    path = save(tmp_path / "m.onnx", text)
    program = read_onnx(path).program
    x = image(2, 3) * 0.1
    found = program.compute({"x": x}, ["y", "z", "t", "t_2"], channels_last=False)
    w = np.array([1, 2, 3])
    p = (np.exp(x) + w) ** 2
    np.testing.assert_allclose(found["y"], (np.exp(p) + w) ** 2, rtol=1e-4)
    np.testing.assert_allclose(found["t_2"], np.exp(p), rtol=1e-4)
    np.testing.assert_array_equal(found["z"], x)
