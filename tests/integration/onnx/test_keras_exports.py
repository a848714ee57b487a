"""Keras applications, exported to ONNX by the test, against onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.keras_applications import export, narrow_application, settled
from support.onnx_models import session

from kerasviz.importers.onnx import read_onnx

FREE = (None, None, 3)

#: Name, input shape of the export, and the sizes of the images.
APPLICATIONS: list[tuple[str, Sequence[int | None], list[tuple[int, int]]]] = [
    ("ResNet50", FREE, [(64, 64), (75, 102)]),
    ("MobileNetV2", FREE, [(64, 64), (75, 102)]),
    ("MobileNetV3Small", FREE, [(64, 64), (75, 102)]),
    ("EfficientNetB0", FREE, [(64, 64), (75, 102)]),
    ("EfficientNetV2B0", FREE, [(64, 64), (75, 102)]),
    ("DenseNet121", FREE, [(64, 64), (75, 102)]),
    ("InceptionV3", FREE, [(80, 80), (91, 118)]),
    ("Xception", FREE, [(72, 72), (91, 118)]),
    # Its pads are computed for the size of the export.
    ("NASNetMobile", (96, 64, 3), [(96, 64)]),
    ("ConvNeXtTiny", FREE, [(64, 64), (75, 102)]),
    ("VGG16", FREE, [(48, 48), (51, 70)]),
]
TAPS = 10


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape", "sizes"), APPLICATIONS, ids=[a[0] for a in APPLICATIONS])
def test_application(
    name: str, shape: Sequence[int | None], sizes: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    model = narrow_application(name, shape, include_top=False, pooling="avg")
    settled(model)
    export(model, [side or 96 for side in shape[:2]], path)
    program = read_onnx(path).program
    inside = {o for node in onnx.load(path).graph.node for o in node.output}
    taps = [n for n in program.values if n in inside]
    spread = [taps[k] for k in np.linspace(0, len(taps) - 1, TAPS).round().astype(int)]
    names = list(dict.fromkeys([*spread, *program.outputs]))
    assert len(names) >= TAPS
    (given,) = [n for n, port in program.inputs.items() if port.shape and None in port.shape[:1]]
    # The exporter makes inputs of the constants of a Normalization layer.
    rng = np.random.default_rng(9)
    more = {
        n: rng.uniform(0.5, 1.5, port.shape).astype(np.float32)
        for n, port in program.inputs.items()
        if n != given
    }
    for k, size in enumerate(sizes):
        image = np.random.default_rng(k).uniform(0, 255, (1 + k, *size, 3)).astype(np.float32)
        if name.startswith(("ResNet", "DenseNet", "VGG")):
            image -= np.float32(120)
        if name in ("MobileNetV2", "InceptionV3", "Xception", "NASNetMobile"):
            image = image / np.float32(127.5) - 1
        wanted = session(path, names).run(names, {given: image, **more})
        found = program.compute({given: image, **more}, names, channels_last=False)
        for tap, array in zip(names, wanted, strict=True):
            ours = found[tap].numpy()
            assert ours.shape == array.shape, tap
            if array.dtype.kind != "f":
                assert (ours == array).all(), tap
                continue
            largest = np.abs(array).max()
            assert 1e-4 < largest < 1e5, f"{tap}: values up to {largest} say little"
            gap = np.abs(ours - array).max() / largest
            assert gap <= 1e-4, (size, tap, gap)
