"""Read the input description from the metadata of an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kerasviz.errors import ModelError
from kerasviz.network.input_spec import InputSpec

SOURCE = "metadata of the file"
#: Nominal pixel ranges of ONNX's MetadataProps.md: (low, high).
_NOMINAL_RANGES = {
    "Normalized_0_1": (0.0, 1.0),
    "Normalized_1_1": (-1.0, 1.0),
    "NominalRange_0_255": (0.0, 255.0),
}


def input_spec_of(metadata: Mapping[str, str], path: Path) -> InputSpec | None:
    """Return the input description of a file's metadata, ``None`` if it has none.

    Two spellings are read. One is ``input_range`` "low,high" with ``mean``, ``std``, ``scale`` and
    ``channel_order``: the network takes ``(x - mean) * scale / std`` for x in that range, like
    Caffe. The other is ``Image.NominalPixelRange`` with ``Image.BitmapPixelFormat`` of the ONNX
    standard.

    >>> input_spec_of({"input_range": "0,255", "mean": "104,117,123", "channel_order": "BGR"},
    ...               Path("a.onnx"))
    InputSpec(scale=255.0, mean=(104.0, 117.0, 123.0), std=(1.0,), channel_order='bgr',
              source='metadata of the file')
    """
    nominal = metadata.get("Image.NominalPixelRange")
    if "input_range" in metadata:
        ends = _numbers(metadata["input_range"], "input_range", path)
        if len(ends) != 2:
            raise ModelError(f"{path}: metadata input_range should be two numbers, low,high")
        low, high = ends
    elif nominal in _NOMINAL_RANGES:
        low, high = _NOMINAL_RANGES[nominal]
    else:
        return None
    pixels = metadata.get("Image.BitmapPixelFormat", "Rgb8")
    order = metadata.get("channel_order", pixels.rstrip("8")).strip().lower()
    mean = _numbers(metadata.get("mean", "0"), "mean", path)
    std = _numbers(metadata.get("std", "1"), "std", path)
    (scale,) = _numbers(metadata.get("scale", "1"), "scale", path)[:1]
    if scale == 0 or 0 in std:
        raise ModelError(f"{path}: metadata scale and std must not be 0")
    return InputSpec(
        scale=high - low,
        mean=tuple(m - low for m in mean),
        std=tuple(s / scale for s in std),
        channel_order="bgr" if order == "bgr" else "rgb",
        source=SOURCE,
    )


def _numbers(text: str, key: str, path: Path) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.strip("[]() ").split(","))
    except ValueError as error:
        raise ModelError(f"{path}: metadata {key} should be numbers, not {text!r}") from error
    return numbers
