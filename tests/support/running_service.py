"""A service on 127.0.0.1 with small networks, for a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kerasviz.service.api.app import create_app
from kerasviz.service.settings import ServiceSettings

#: Units of the layer that fills several windows.
WIDE = 1024


def small_network(path: Path, width: int = WIDE) -> Path:
    """A network of two branches and a wide layer, saved as ``path``; its weights are seeded."""
    draw = np.random.default_rng(1)
    nodes: list[Any] = []
    weights: list[Any] = []

    def weigh(name: str, *shape: int) -> str:
        values = draw.normal(0, 0.5, shape).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def convolve(source: str, name: str, given: int, units: int, side: int, stride: int = 1) -> str:
        kernel = weigh(f"{name}/weights", units, given, side, side)
        options = {"strides": [stride] * 2, "pads": [side // 2] * 4}
        nodes.append(helper.make_node("Conv", [source, kernel], [f"{name}/sums"], **options))
        nodes.append(helper.make_node("Relu", [f"{name}/sums"], [name]))
        return name

    first = convolve("image", "first", 3, 8, 3, 2)
    left = convolve(first, "mixed/left", 8, 4, 1)
    right = convolve(convolve(first, "mixed/reduce", 8, 4, 1), "mixed/right", 4, 6, 3)
    nodes.append(helper.make_node("Concat", [left, right], ["mixed/output"], axis=1))
    wide = convolve("mixed/output", "wide", 10, width, 1)
    nodes.append(helper.make_node("GlobalAveragePool", [wide], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"]))
    nodes.append(
        helper.make_node("MatMul", ["flat", weigh("answer/weights", width, 5)], ["logits"])
    )
    nodes.append(helper.make_node("Softmax", ["logits"], ["answer"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", 5])
    graph = helper.make_graph(nodes, "small", [image], [answer], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@contextmanager
def running(setting: ServiceSettings) -> Iterator[str]:
    """The address of a service that runs in the block."""
    import uvicorn

    config = uvicorn.Config(
        create_app(setting), host="127.0.0.1", port=0, log_level="error", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the service did not stop"
