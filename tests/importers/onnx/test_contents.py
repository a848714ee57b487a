from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerasviz.importers.onnx.contents import contents_of, file_contents

W = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def convolution(weight: np.ndarray = W, pad: int = 1) -> onnx.ModelProto:
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[pad] * 4, name="conv"),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_files_have_the_checksum_of_the_model(tmp_path: Path) -> None:
    known = contents_of(convolution(), Path("graph"))
    onnx.save(convolution(), tmp_path / "a.onnx")
    assert file_contents(tmp_path / "a.onnx") == known
    onnx.save(
        convolution(),
        tmp_path / "b.onnx",
        save_as_external_data=True,
        location="b.data",
        size_threshold=0,
    )
    assert (tmp_path / "b.data").stat().st_size >= W.nbytes
    assert file_contents(tmp_path / "b.onnx") == known
    loaded = onnx.load(tmp_path / "b.onnx", load_external_data=False)
    assert contents_of(loaded, tmp_path / "graph") == known
    assert contents_of(onnx.load(tmp_path / "b.onnx"), Path("graph")) == known


def test_how_numbers_are_stored_does_not_count() -> None:
    listed = convolution()
    numbers = W.ravel().tolist()
    tensor = helper.make_tensor("w", TensorProto.FLOAT, W.shape, numbers)
    assert tensor.float_data and not tensor.raw_data
    listed.graph.initializer[0].CopyFrom(tensor)
    assert contents_of(listed, Path("g")) == contents_of(convolution(), Path("g"))


def test_texts_for_readers_do_not_count() -> None:
    told = convolution()
    told.doc_string = told.graph.doc_string = told.graph.node[0].doc_string = "a text"
    trace = told.graph.node[0].metadata_props.add()
    trace.key, trace.value = "pkg.torch.onnx.stack_trace", "File a.py, line 3"
    assert contents_of(told, Path("g")) == contents_of(convolution(), Path("g"))


def test_weights_attributes_and_names_count() -> None:
    weight = W.copy()
    weight[3, 2, 1, 0] += 1e-3
    renamed = convolution()
    renamed.graph.node[0].output[0] = renamed.graph.node[1].input[0] = "other"
    models = [convolution(), convolution(weight), convolution(pad=0), renamed]
    assert len({contents_of(model, Path("g")) for model in models}) == len(models)


def test_the_model_stays_as_it_is() -> None:
    model = convolution()
    before = model.SerializeToString(deterministic=True)
    contents_of(model, Path("g"))
    assert model.SerializeToString(deterministic=True) == before


def test_tensors_in_bodies_and_constants_count() -> None:
    def model(value: float) -> onnx.ModelProto:
        number = numpy_helper.from_array(np.float32(value))
        body = helper.make_graph(
            [helper.make_node("Constant", [], ["a"], value=number)],
            "body",
            [],
            [helper.make_tensor_value_info("a", TensorProto.FLOAT, [])],
        )
        graph = helper.make_graph(
            [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)],
            "graph",
            [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        )
        return helper.make_model(graph)

    assert contents_of(model(1), Path("g")) != contents_of(model(2), Path("g"))
