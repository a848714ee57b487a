"""Reading ONNX files: what is refused, what is folded, and what the program says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper

from kerasviz.errors import ModelError, UsageError
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.metadata import input_spec_of
from kerasviz.importers.onnx.registry import Call, find, operator
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.program import Kernels


def small_net() -> list[Any]:
    return [
        helper.make_node("Conv", ["x", "w"], ["c"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "act"),
        helper.make_node("GlobalAveragePool", ["r"], ["g"], "pool"),
        helper.make_node("Flatten", ["g"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "m"], ["l"], "logits"),
        helper.make_node("Softmax", ["l"], ["p"], "prob"),
    ]


@pytest.fixture
def small(write: Any, image: Any, tmp_path: Path) -> Path:
    constants = {"w": image(4, 3, 3, 3), "m": image(4, 5)}
    inputs = {"x": (np.float32, ("n", 3, "h", "w"))}
    path: Path = write(tmp_path / "small.onnx", small_net(), inputs, constants, ["p"])
    return path


# -- files that are refused ------------------------------------------------------------------


def one_line(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_truncated(small: Path) -> None:
    data = small.read_bytes()
    for length in (len(data) - 1, len(data) // 2, 40):
        small.write_bytes(data[:length])
        assert "is not an ONNX model" in one_line(small)


def test_cut_behind_the_graph(small: Path) -> None:
    """The opset stands behind the graph: without it the operators have no certain meaning."""
    model = onnx.load(small)
    del model.opset_import[:]
    small.write_bytes(model.SerializeToString())
    assert "names no opset" in one_line(small)


def test_input_without_a_shape(small: Path) -> None:
    model = onnx.load(small)
    model.graph.input[0].type.Clear()
    small.write_bytes(model.SerializeToString())
    assert "input 'x' has no known type" in one_line(small)


@pytest.mark.parametrize("data", [b"", b"ir_version: 8\ngraph {}\n", b"\x89HDF\r\n\x1a\n" * 9])
def test_another_format(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert "is not an ONNX model" in one_line(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in one_line(tmp_path / "none.onnx")
    assert "cannot be read" in one_line(tmp_path)


def test_missing_external_data(small: Path) -> None:
    model = onnx.load(small)
    onnx.save(
        model,
        small,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert list(read_onnx(small).program.values) == ["c", "r", "g", "f", "l", "p"]
    (small.parent / "weights.bin").unlink()
    assert "weights in separate files" in one_line(small)


def test_a_file_of_unsupported_operators_lists_them_all(write: Any, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Invented", ["x"], ["u"], "up"),
        helper.make_node("Strange", ["x"], ["s"], "odd", domain="com.example"),
        helper.make_node("Add", ["u", "s"], ["d"]),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, (1, 3, 5, 5))}, {}, ["d"])
    message = one_line(path)
    assert "Invented 'up' (ai.onnx opset 13)" in message
    assert "Strange 'odd' (com.example opset 1)" in message


def test_nodes_may_stand_in_any_order(small: Path) -> None:
    """As onnxruntime allows it: its converter to float16 appends casts at the end."""
    model = onnx.load(small)
    wanted = read_onnx(small).program
    nodes = [model.graph.node[k] for k in (5, 1, 0, 4, 3, 2)]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    small.write_bytes(model.SerializeToString())
    program = read_onnx(small).program
    assert list(program.values) == list(wanted.values)
    x = {"x": np.ones((1, 3, 5, 6), np.float32)}
    np.testing.assert_array_equal(program.compute(x, ["p"])["p"], wanted.compute(x, ["p"])["p"])


# -- operators that are left out -------------------------------------------------------------


def lossy(write: Any, image: Any, folder: Path, broken: Any, outputs: list[str]) -> Path:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        broken,
        helper.make_node("Add", ["b", "r"], ["behind"]),
        helper.make_node("GlobalAveragePool", ["r"], ["pooled"]),
    ]
    constants = {"w": image(4, 3, 3, 3), "two": np.array([2, 2])}
    path: Path = write(
        folder / "m.onnx", nodes, {"x": (np.float32, ("n", 3, 6, 7))}, constants, outputs
    )
    return path


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (helper.make_node("Strange", ["r"], ["b"], domain="com.example"), "com.example opset 1"),
        (helper.make_node("Invented", ["r"], ["b"]), "ai.onnx opset 13"),
        (helper.make_node("Reshape", ["r", "two"], ["b"]), "cannot be computed"),
        (helper.make_node("Conv", ["r", "two"], ["b"]), "a kernel with 1 axes"),
        (helper.make_node("Reshape", ["two", "two"], ["b"]), "cannot be computed"),  # a constant
        (helper.make_node("Resize", ["r", "", "two"], ["b"], mode="odd"), "mode 'odd'"),
    ],
    ids=["domain", "operator", "reshape", "kernel", "constant", "attribute"],
)
def test_an_operator_that_cannot_be_run_costs_only_what_stands_behind_it(
    write: Any, image: Any, tmp_path: Path, broken: Any, reason: str
) -> None:
    program = read_onnx(lossy(write, image, tmp_path, broken, ["behind", "pooled"])).program
    assert list(program.values) == ["c", "r", "pooled"]
    assert list(program.outputs) == ["pooled"]
    assert program.left_out.keys() == {"b", "behind"}
    assert all(reason in text and "\n" not in text for text in program.left_out.values())
    x = image(2, 3, 6, 7)
    got = program.compute({"x": x}, ["pooled", "c"], channels_last=False)
    relu = np.maximum(got["c"].numpy(), 0)
    np.testing.assert_allclose(got["pooled"], relu.mean((2, 3), keepdims=True), 1e-5)
    with pytest.raises(ModelError, match="'behind' cannot be computed: .*" + reason[:8]):
        program.compute({"x": x}, ["behind"])


def test_outputs_that_are_left_out_give_way_to_what_they_take(
    write: Any, image: Any, tmp_path: Path
) -> None:
    broken = helper.make_node("Strange", ["r"], ["b"], domain="com.example")
    program = read_onnx(lossy(write, image, tmp_path, broken, ["behind"])).program
    assert list(program.outputs) == ["r"]


def test_a_body_with_an_unknown_operator_costs_its_node(
    write: Any, image: Any, tmp_path: Path
) -> None:
    def body(op: str, domain: str) -> Any:
        node = helper.make_node(op, ["r"], ["inner"], domain=domain)
        return helper.make_graph([node], "body", [], [onnx.ValueInfoProto(name="inner")])

    broken = helper.make_node(
        "If", ["yes"], ["b"], then_branch=body("Neg", ""), else_branch=body("Odd", "com.example")
    )
    path = lossy(write, image, tmp_path, broken, ["behind", "pooled"])
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("yes", onnx.TensorProto.BOOL, []))
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    path.write_bytes(model.SerializeToString())
    program = read_onnx(path).program
    assert list(program.values) == ["c", "r", "pooled"]
    assert "Odd 'inner' (com.example opset 1)" in program.left_out["behind"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(write: Any, image: Any, tmp_path: Path, bad: float) -> None:
    weights = image(4, 3, 3, 3)
    weights[1, 2, 0, 1] = bad
    constants = {"w": weights, "m": image(4, 5)}
    inputs = {"x": (np.float32, (1, 3, 6, 6))}
    path = write(tmp_path / "m.onnx", small_net(), inputs, constants, ["p"])
    assert "initializer 'w' has 1 of 108 entries that are NaN" in one_line(path)


def test_a_mask_may_be_infinite(write: Any, image: Any, tmp_path: Path) -> None:
    mask = np.where(np.tri(4, dtype=bool), 0, -np.inf).astype(np.float32)
    nodes = [
        helper.make_node("Add", ["x", "mask"], ["a"]),
        helper.make_node("Softmax", ["a"], ["y"]),
    ]
    inputs = {"x": (np.float32, (2, 4, 4))}
    path = write(tmp_path / "m.onnx", nodes, inputs, {"mask": mask}, ["y"])
    found = read_onnx(path).program.compute({"x": image(2, 4, 4)}, ["y"])["y"].numpy()
    assert np.isfinite(found).all() and not found[:, 0, 1:].any()
    mask[1, 1] = np.nan
    write(path, nodes, inputs, {"mask": mask}, ["y"])
    assert "initializer 'mask' has 1 of 16 entries that are NaN;" in one_line(path)


def test_damaged_initializer(small: Path) -> None:
    model = onnx.load(small)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    small.write_bytes(model.SerializeToString())
    assert "initializer 'w' is damaged" in one_line(small)


def test_broken_graph(small: Path) -> None:
    model = onnx.load(small)
    model.graph.node[1].input[0] = "nowhere"
    small.write_bytes(model.SerializeToString())
    assert "Relu 'act' uses 'nowhere'" in one_line(small)


def test_node_that_cannot_be_computed(write: Any, image: Any, tmp_path: Path) -> None:
    constants = {"w": image(4, 2, 3, 3), "m": image(4, 5)}  # the image has 3 channels
    inputs = {"x": (np.float32, (1, 3, 6, 6))}
    path = write(tmp_path / "m.onnx", small_net(), inputs, constants, ["p"])
    assert "Conv 'first' cannot be computed" in one_line(path)


# -- what a program says of itself -----------------------------------------------------------


def test_values(small: Path) -> None:
    program = read_onnx(small).program
    values = program.values
    assert list(values) == ["c", "r", "g", "f", "l", "p"]
    assert [v.op for v in values.values()][:3] == ["Conv", "Relu", "GlobalAveragePool"]
    assert values["c"].shape == (None, None, None, 4)
    assert values["g"].shape == (None, 1, 1, 4)
    assert values["r"].relu_input == "c"
    assert values["p"].softmax_input == "l"
    assert values["p"].aliases == ("prob",)
    assert program.outputs == ("p",)
    assert read_onnx(small).input_spec is None  # never guessed


def test_dead_nodes_and_old_initializers(small: Path) -> None:
    """Before IR 4 every initializer stands among the inputs; nodes without use are dropped."""
    model = onnx.load(small)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    model.graph.node.append(helper.make_node("Strange", ["r"], ["unused"]))
    small.write_bytes(model.SerializeToString())
    program = read_onnx(small).program
    assert list(program.inputs) == ["x"]
    assert "unused" not in program.values


def test_model_local_function(write: Any, image: Any, tmp_path: Path, tap_errors: Any) -> None:
    body = [
        helper.make_node("Sigmoid", ["a"], ["s"]),
        helper.make_node("Mul", ["a", "s"], ["b"]),
    ]
    function = helper.make_function(
        "mine", "Silu", ["a"], ["b"], body, [helper.make_opsetid("", 13)]
    )
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Silu", ["c"], ["y"], domain="mine"),
    ]
    inputs = {"x": (np.float32, (1, 3, 6, 6))}
    path = write(tmp_path / "m.onnx", nodes, inputs, {"w": image(4, 3, 3, 3)}, ["y"])
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(function)
    path.write_bytes(model.SerializeToString())
    assert max(tap_errors(path, {"x": image(1, 3, 6, 6)}).values()) < 1e-4


@pytest.mark.parametrize(
    ("shape", "first", "channels_first"),
    [
        (("n", 3, "h", "w"), "Conv", True),
        (("n", 32, 32, 3), "Transpose", False),
        (("n", "h", "w", "c"), "Transpose", False),
        (("n", 32, 32, 3), "Flatten", False),
        (("n", 1, 28, 28), "Flatten", True),
    ],
)
def test_where_the_channels_of_the_input_are(
    write: Any, image: Any, tmp_path: Path, shape: Any, first: str, channels_first: bool
) -> None:
    nodes = [helper.make_node("Mul", ["x", "two"], ["m"])]
    if first == "Transpose":
        nodes.append(helper.make_node("Transpose", ["m"], ["t"], perm=[0, 3, 1, 2]))
    elif first == "Flatten":
        nodes.append(helper.make_node("Flatten", ["m"], ["y"]))
    if first != "Flatten":
        taken = "t" if first == "Transpose" else "m"
        nodes.append(helper.make_node("Conv", [taken, "w"], ["y"]))
    constants = {"two": np.float32(2), "w": image(4, 3, 3, 3)}
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, shape)}, constants, ["y"])
    assert read_onnx(path).program.inputs["x"].channels_first is channels_first


# -- running ---------------------------------------------------------------------------------


def test_the_rectifier_is_used(small: Path, image: Any) -> None:
    program = read_onnx(small).program
    twice = Kernels(relu=lambda x: 2 * tf.nn.relu(x))
    feeds = {"x": image(2, 3, 7, 5)}
    plain = program.compute(feeds, ["r"], channels_last=False)["r"]
    other = program.compute(feeds, ["r"], channels_last=False, kernels=twice)["r"]
    np.testing.assert_allclose(other, 2 * plain, rtol=1e-6)


def test_rows_are_independent(small: Path, image: Any) -> None:
    program = read_onnx(small).program
    x = image(3, 7, 5, 3)
    every = program.compute({"x": x}, ["r", "p"])
    for k in range(3):
        one = program.compute({"x": x[k : k + 1]}, ["r", "p"])
        for name in ("r", "p"):
            np.testing.assert_allclose(every[name][k : k + 1], one[name], rtol=1e-5, atol=1e-6)


def test_wrong_names(small: Path, image: Any) -> None:
    program = read_onnx(small).program
    with pytest.raises(UsageError, match="unknown value 'rr'; near: r"):
        program.compute({"x": image(1, 7, 5, 3)}, ["rr"])
    with pytest.raises(UsageError, match="input 'x' is needed"):
        program.compute({}, ["r"])
    with pytest.raises(UsageError, match="no input 'y'; inputs: x"):
        program.compute({"y": image(1, 7, 5, 3)}, ["r"])


def test_inputs_and_constants_can_be_asked_for(small: Path, image: Any) -> None:
    program = read_onnx(small).program
    x = image(1, 3, 7, 5)
    found = program.compute({"x": x}, ["x", "m"], channels_last=False)
    np.testing.assert_array_equal(found["x"], x)
    np.testing.assert_array_equal(
        found["m"], numpy_helper.to_array(onnx.load(small).graph.initializer[1])
    )


def test_half_precision(write: Any, image: Any, tmp_path: Path) -> None:
    half = {"w": image(4, 3, 3, 3).astype(np.float16), "m": image(4, 5).astype(np.float16)}
    inputs = {"x": (np.float16, ("n", 3, "h", "w"))}
    path = write(tmp_path / "m.onnx", small_net(), inputs, half, ["p"])
    program = read_onnx(path).program
    found = program.compute({"x": image(2, 7, 6, 3).astype(np.float16)}, ["p"])["p"]
    assert found.dtype == tf.float16
    np.testing.assert_allclose(np.sum(found, -1), 1, atol=2e-2)


def test_two_opsets_do_not_meet(write: Any, image: Any, tmp_path: Path) -> None:
    """Softmax changed with opset 13; two programs in one process keep their own meaning."""
    x = image(2, 3, 4)
    sums = []
    for opset in (11, 13):
        node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
        path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, x.shape)}, None, None, opset)
        sums.append(read_onnx(path).program)
    old, new = (p.compute({"x": x}, ["y"], channels_last=False)["y"].numpy() for p in sums)
    np.testing.assert_allclose(old.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(new.sum(1), 1, rtol=1e-5)


def test_registry_takes_the_highest_version_not_above() -> None:
    from kerasviz.importers.onnx.graph import Node

    def node(opset: int) -> Node:
        return Node("", "Thing", "test.registry", opset, (), (), {})

    def first(call: Call) -> Any: ...

    def second(call: Call) -> Any: ...

    operator("Thing", since=3, domain="test.registry")(first)
    operator("Thing", since=9, domain="test.registry")(second)
    assert find(node(3)) is first
    assert find(node(8)) is first
    assert find(node(9)) is second
    assert find(node(99)) is second
    with pytest.raises(ModelError, match="not supported"):
        find(node(2))
    with pytest.raises(ValueError, match="registered twice"):
        operator("Thing", since=3, domain="test.registry")(second)


# -- the input description -------------------------------------------------------------------


def test_metadata(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    assert input_spec_of({}, path) is None
    assert input_spec_of({"mean": "1,2,3"}, path) is None  # of which range is not said
    caffe = {"input_range": "0,255", "mean": "104.0,117.0,123.0", "channel_order": "BGR"}
    spec = input_spec_of({**caffe, "scale": "0.5"}, path)
    assert spec is not None
    x = np.full((1, 1, 1, 3), (0.25, 0.5, 1.0), np.float32)  # RGB
    expected = (255 * np.array([1.0, 0.5, 0.25]) - [104, 117, 123]) * 0.5  # BGR
    np.testing.assert_allclose(spec.apply(tf.constant(x))[0, 0, 0], expected, rtol=1e-6)
    onnx_own = {"Image.NominalPixelRange": "Normalized_1_1", "Image.BitmapPixelFormat": "Bgr8"}
    assert input_spec_of(onnx_own, path) == InputSpec(
        2.0, (1.0,), (1.0,), "bgr", "metadata of the file"
    )
    for bad in ({"input_range": "0"}, {"input_range": "0,255", "mean": "a"}):
        with pytest.raises(ModelError, match="metadata"):
            input_spec_of(bad, path)
    with pytest.raises(ModelError, match="must not be 0"):
        input_spec_of({"input_range": "0,255", "scale": "0"}, path)
