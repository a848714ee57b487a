"""Read the input description and the labels from the metadata of an ONNX file."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kerasviz.errors import ModelError
from kerasviz.importers.imported import Imported
from kerasviz.network.class_names import names_in_text
from kerasviz.network.input_spec import InputSpec

SOURCE = "metadata of the file"
#: Nominal pixel ranges of ONNX's MetadataProps.md: (low, high).
_NOMINAL_RANGES = {
    "Normalized_0_1": (0.0, 1.0),
    "Normalized_1_1": (-1.0, 1.0),
    "NominalRange_0_255": (0.0, 255.0),
}
#: The tasks of Ultralytics' exports, all of which take RGB of 0 to 1.
_ULTRALYTICS_TASKS = ("detect", "segment", "classify", "pose", "obb")
#: Keys under which exporters keep the names of classes.
_LABEL_KEYS = ("names", "labels", "classes", "class_names", "class_labels", "id2label")


def described(imported: Imported, metadata: Mapping[str, str], path: Path) -> Imported:
    """Return what was imported, with what the metadata of its file says."""
    return replace(
        imported,
        input_spec=input_spec_of(metadata, path),
        labels=labels_of_metadata(metadata),
        size=size_of_metadata(metadata),
    )


def is_ultralytics(metadata: Mapping[str, str]) -> bool:
    """Return whether Ultralytics exported a file, with names of classes and a task.

    YOLOv5's exports name no task; its classifiers take other numbers than its detectors, so that
    nothing is assumed of them.
    """
    return metadata.get("task") in _ULTRALYTICS_TASKS and "names" in metadata


def labels_of_metadata(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the classes in a file's metadata, () if it has none.

    >>> labels_of_metadata({"names": "{0: 'cat', 1: 'dog'}"})
    ('cat', 'dog')
    """
    texts = (metadata[key] for key in _LABEL_KEYS if key in metadata)
    return next((names for names in map(names_in_text, texts) if names), ())


def size_of_metadata(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the (height, width) that Ultralytics' ``imgsz`` names, ``None`` for other files.

    >>> size_of_metadata({"task": "detect", "names": "{0: 'cat'}", "imgsz": "[480, 640]"})
    (480, 640)
    """
    if not is_ultralytics(metadata):
        return None
    try:
        sides = ast.literal_eval(metadata.get("imgsz", ""))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    pair = tuple(sides) if isinstance(sides, list | tuple) else (sides, sides)
    if len(pair) == 2 and all(type(side) is int and side > 0 for side in pair):
        return pair
    return None


def input_spec_of(metadata: Mapping[str, str], path: Path) -> InputSpec | None:
    """Return the input description of a file's metadata, ``None`` if it has none.

    Three spellings are read. One is ``input_range`` "low,high" with ``mean``, ``std``, ``scale``
    and ``channel_order``: the network takes ``(x - mean) * scale / std`` for x in that range, like
    Caffe. Another is ``Image.NominalPixelRange`` with ``Image.BitmapPixelFormat`` of the ONNX
    standard. The third is the metadata of Ultralytics, whose networks take RGB of 0 to 1.

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
    elif is_ultralytics(metadata):
        return InputSpec(source=f"{SOURCE} (Ultralytics)")
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
