"""The whole backend suite of the onnx package: every case runs, and what fails is listed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner
from support.backend_exceptions import EXCEPTIONS

from kerasviz.errors import KerasvizError
from kerasviz.importers.onnx import read_onnx

#: Networks whose weights make logits of 1e10, all equal: their last bits, in which CPUs differ,
#: decide the softmax. The logits are compared.
HUGE = ("test_squeezenet",)
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
DATA = Path(onnx.__file__).parent


@functools.cache
def cases() -> dict[str, Any]:
    return {case.name: case for kind in KINDS for case in load_model_tests(kind=kind)}


def same(theirs: Any, ours: Any, rtol: float, atol: float) -> None:
    """The runner's own comparison, which wants the same shape and type too."""
    if isinstance(theirs, list):
        assert isinstance(ours, list) and len(ours) == len(theirs)
        for their, our in zip(theirs, ours, strict=True):
            same(np.asarray(their), our, rtol, atol)
        return
    Runner.assert_similar_outputs([theirs], [ours], rtol, atol)


def native(value: Any) -> Any:
    """What a run returned as the suite writes it: numpy, lists, and text instead of bytes."""
    if value is None or isinstance(value, list):
        return None if value is None else [native(item) for item in value]
    array = value.numpy()
    if isinstance(array, bytes):
        array = np.asarray(array, object)
    if getattr(array, "dtype", None) == np.dtype(object):
        texts = [b.decode() for b in array.reshape(-1)]
        return np.array(texts, object).reshape(array.shape)
    return np.asarray(array)


def run(path: Path, feeds: Sequence[Any]) -> list[Any]:
    program = read_onnx(path).program
    given = dict(zip(program.inputs, feeds, strict=True))
    found = program.compute(given, program.outputs, channels_last=False)
    return [native(found[name]) for name in program.outputs]


def check(case: Any, folder: Path) -> None:
    if case.kind == "real":  # a light model and one pair of arrays
        path = DATA.parent / case.url
        if not path.exists():
            pytest.fail(f"{case.url} is not in the onnx package")
        graph = onnx.load(path).graph
        initialized = {t.name for t in graph.initializer}
        (given,) = [i for i in graph.input if i.name not in initialized]
        shape = [d.dim_value for d in given.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        image = np.arange(count).reshape(shape) / count
        expected = numpy_helper.to_array(onnx.load_tensor(f"{str(path)[:-5]}_output_0.pb"))
        if case.name in HUGE:
            path, expected = without_softmax(path, image.astype(np.float32), folder)
        (ours,) = run(path, [image.astype(np.float32)])
        same(expected, ours, case.rtol, case.atol)
        return
    if case.model_dir is None:
        path = folder / "model.onnx"
        path.write_bytes(case.model.SerializeToString())
        sets = case.data_sets
    else:
        path = Path(case.model_dir) / "model.onnx"
        sets = [read_set(path, f) for f in sorted(path.parent.glob("test_data_set*"))]
    assert sets
    for feeds, expected in sets:
        found = run(path, [array(feed) for feed in feeds])
        assert len(found) == len(expected)
        for theirs, ours in zip(expected, found, strict=True):
            same(array(theirs), ours, case.rtol, case.atol)


def without_softmax(path: Path, image: Any, folder: Path) -> tuple[Path, Any]:
    """A copy of a network without its last operator, and what onnxruntime computes of it."""
    model = onnx.load(path)
    last = model.graph.node.pop()
    assert last.op_type == "Softmax"
    del model.graph.output[:]
    info = onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None)
    model.graph.output.append(info)
    onnx.save(model, folder / "logits.onnx")
    session = onnxruntime.InferenceSession(folder / "logits.onnx")
    (expected,) = session.run(None, {session.get_inputs()[0].name: image})
    return folder / "logits.onnx", expected


def read_set(path: Path, folder: Path) -> tuple[list[Any], list[Any]]:
    """The values of a data set on disk."""
    graph = onnx.load(path).graph
    initialized = {t.name for t in graph.initializer}
    given = [i for i in graph.input if i.name not in initialized]
    read = []
    for kind, infos in (("input", given), ("output", graph.output)):
        files = [folder / f"{kind}_{k}.pb" for k in range(len(infos))]
        assert sorted(files) == sorted(folder.glob(f"{kind}_*.pb"))
        read.append([read_value(f, info.type) for f, info in zip(files, infos, strict=True)])
    return read[0], read[1]


def read_value(path: Path, kind: Any) -> Any:
    data = path.read_bytes()
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def array(value: Any) -> Any:
    """A value of the suite, some of which are protocol buffers, as numpy."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(cases()))
def test_case(name: str, tmp_path: Path) -> None:
    if name not in EXCEPTIONS:
        check(cases()[name], tmp_path)
        return
    try:
        check(cases()[name], tmp_path)
    except (KerasvizError, AssertionError):
        return
    pytest.fail(f"{name} passes: take it off the list of exceptions ({EXCEPTIONS[name]})")


def test_the_list_of_exceptions_only_shrinks() -> None:
    known = cases()
    assert len(known) >= 2000
    assert set(EXCEPTIONS) <= set(known)
    print(f"{len(known) - len(EXCEPTIONS)} of {len(known)} cases pass")
    assert len(EXCEPTIONS) <= 14
