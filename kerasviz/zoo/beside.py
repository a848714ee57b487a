"""Read what the files beside a model say: those of transformers, optimum and timm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasviz.network.class_names import names_of
from kerasviz.network.input_spec import InputSpec
from kerasviz.zoo.facts import Facts, joined
from kerasviz.zoo.labels import imagenet_labels

#: The names of files that are read, of a model's folder.
FILES = ("preprocessor_config.json", "processor_config.json", "config.json")
#: Numbers of means and factors are smaller.
_LARGE = 1e12
#: Bytes of the largest such file that is read.
_LARGEST = 16 * 2**20
#: The factor from 0..255 to 0..1, which image processors take unless their file names another.
_BYTE = 1 / 255


def facts_beside(path: Path) -> Facts:
    """Return what the files in a model's folder say; of a model that is a folder, those inside too.

    Repositories keep ONNX files in a folder ``onnx``, below their configuration.
    """
    folders = [*([path] if path.is_dir() else []), path.parent]
    if path.parent.name == "onnx":
        folders.append(path.parent.parent)
    return joined(_facts_in(folder) for folder in folders)


def _facts_in(folder: Path) -> Facts:
    data = {name: _read(folder / name) for name in FILES}
    config = data["config.json"]
    sources = [_of_processor(data[FILES[0]], FILES[0])]
    nested = data[FILES[1]].get("image_processor")
    if isinstance(nested, Mapping):
        sources.append(_of_processor(nested, FILES[1]))
    if isinstance(config.get("pretrained_cfg"), Mapping) or "architecture" in config:
        sources.append(_of_timm(config))
    else:
        sources.append(_of_transformers(config))
    return joined(sources)


def _read(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file, {} where there is none."""
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


# -- transformers ----------------------------------------------------------------------------


def _of_processor(data: Mapping[str, Any], origin: str) -> Facts:
    """Return the facts of an image processor of transformers.

    It multiplies numbers of 0..255 by ``rescale_factor``, subtracts ``image_mean`` and divides by
    ``image_std``; each of the two steps may be switched off.
    """
    if not any(key in data for key in ("image_mean", "rescale_factor", "do_rescale")):
        return Facts()  # that of sound or text
    mean, std = _numbers(data.get("image_mean")), _numbers(data.get("image_std"))
    factor = _number(data.get("rescale_factor", _BYTE)) if data.get("do_rescale", True) else 1.0
    normalizes = data.get("do_normalize", bool(mean))
    if not factor or (normalizes and not (mean and std and 0 not in std)):
        return _sized(_size(data), origin)
    shift = 0.0
    if data.get("rescale_offset") or data.get("offset"):  # to -1..1, as in EfficientNet and ViViT
        shift = 1.0
    if not normalizes:
        mean, std = (0.0,), (1.0,)
    elif data.get("include_top") and "EfficientNet" in _kind(data):  # divides by std twice
        std = tuple(s * s for s in std)
    spec = InputSpec(
        scale=255.0 * factor,
        mean=tuple(m + shift for m in mean),
        std=std,
        channel_order="bgr" if data.get("do_flip_channel_order") else "rgb",
        source=origin,
    )
    sized = _sized(_size(data), origin)
    return Facts(spec, (), sized.size, {"input": origin, **sized.origins})


def _kind(data: Mapping[str, Any]) -> str:
    return str(data.get("image_processor_type") or data.get("feature_extractor_type") or "")


def _size(data: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the (height, width) to which an image processor brings images."""
    keys = ("crop_size", "size") if data.get("do_center_crop", "crop_size" in data) else ("size",)
    for key in keys:
        value = data.get(key)
        if isinstance(value, Mapping):
            edge = value.get("shortest_edge")
            value = [value.get("height", edge), value.get("width", edge)]
        if size := _pair(value):
            return size
    return None


def _of_transformers(config: Mapping[str, Any]) -> Facts:
    """Return the labels and the size of a ``config.json`` of transformers.

    Names such as LABEL_0 are placeholders.
    """
    labels = names_of(config["id2label"]) if isinstance(config.get("id2label"), Mapping) else ()
    if all(label.startswith("LABEL_") for label in labels):
        labels = ()
    origins = {"labels": "config.json"} if labels else {}
    sized = _sized(_pair(config.get("image_size")), "config.json")
    return Facts(None, labels, sized.size, {**origins, **sized.origins})


# -- timm ------------------------------------------------------------------------------------


def _of_timm(config: Mapping[str, Any]) -> Facts:
    """Return the facts of a ``config.json`` of timm, whose older ones have them at the top."""
    nested = config.get("pretrained_cfg")
    settings = {**config, **(nested if isinstance(nested, Mapping) else {})}
    mean, std = _numbers(settings.get("mean")), _numbers(settings.get("std"))
    origins, spec = {}, None
    if mean and std and 0 not in std:
        spec = InputSpec(mean=mean, std=std, source="config.json")
        origins["input"] = "config.json"
    labels = _timm_labels(settings)
    if labels:
        origins["labels"] = "config.json"
    shape = settings.get("input_size")
    sides = shape[1:] if isinstance(shape, list) and len(shape) == 3 else None
    sized = _sized(_pair(sides), "config.json")
    return Facts(spec, labels, sized.size, {**origins, **sized.origins})


def _timm_labels(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return timm's labels; a tag that ends with ``in1k`` stands for those of ImageNet."""
    for key in ("label_names", "labels"):
        names = names_of(settings.get(key))
        if names:
            texts = settings.get("label_descriptions")
            texts = texts if isinstance(texts, Mapping) else {}
            return tuple(f"{texts[name]}, {name}" if name in texts else name for name in names)
    tag = str(settings.get("tag", ""))
    if tag.endswith("in1k") and settings.get("num_classes") == len(imagenet_labels()):
        return imagenet_labels()
    return ()


# -- values ----------------------------------------------------------------------------------


def _sized(size: tuple[int, int] | None, origin: str) -> Facts:
    return Facts() if size is None else Facts(size=size, origins={"size": origin})


def _number(value: Any) -> float | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if valid and abs(value) < _LARGE else None


def _numbers(value: Any) -> tuple[float, ...]:
    """Return numbers of JSON as a tuple, () for anything else."""
    numbers = [_number(entry) for entry in (value if isinstance(value, list) else [value])]
    return tuple(n for n in numbers if n is not None) if None not in numbers else ()


def _pair(value: Any) -> tuple[int, int] | None:
    """Return a (height, width) from one number or two; ``None`` for anything else."""
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) == 2 and all(type(side) is int and side > 0 for side in pair):
        return pair[0], pair[1]
    return None
