"""Read sparse autoencoders of SAELens and sparsify: their latents, and which of them are on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, first_line
from kerasviz.io.arrays import StoredArray, file_checksum, opened_arrays
from kerasviz.optvis.objectives.direction_files import DirectionFile
from kerasviz.types import Array

#: The configuration beside the weights.
CONFIG = "cfg.json"
#: The arrays of encoders, by the programs that write them: SAELens and sparsify.
ENCODERS = ("W_enc", "encoder.weight")
#: The gates by the names that configurations have for them.
GATES = {
    "standard": "relu",
    "relu": "relu",
    "jumprelu": "jumprelu",
    "topk": "topk",
    "gated": "gated",
}
#: The arrays that a gate takes beside the encoder, a number for each latent.
_GATE_ARRAYS = {"jumprelu": ("threshold",), "gated": ("r_mag", "b_mag")}
#: Normalizations of the input by the names of SAELens.
_NORMS = {
    "none": "",
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "constant_norm_rescale",
}


@dataclass(frozen=True)
class AutoencoderConfig:
    """Hold what the configuration of an autoencoder says of its latents.

    ``encoder`` and ``bias`` are the names of arrays, latents are the slices of the encoder along
    ``axis``. ``subtracts`` is whether b_dec is subtracted from the input, ``k`` the number of
    latents that a gate ``topk`` keeps, ``by_norm`` whether it compares them times |W_dec|.
    """

    encoder: str
    axis: int
    bias: str
    subtracts: bool
    normalize: str
    gate: str
    k: int = 0
    by_norm: bool = False


@dataclass(frozen=True)
class FileLatent:
    """A latent as a file has it: norm(A) . ``vector`` + ``bias``, and its record."""

    vector: Array
    bias: float
    normalize: str
    source: DirectionFile


@dataclass(frozen=True)
class LatentState:
    """Tell whether a latent is on in one picture, at the position where it is strongest.

    Args:
        code: What its gate lets through there; 0 for a latent that is off.
        rank: Its place among all latents there, before the gate; 1 is the strongest.
        latents: The number of all latents.
        share: The share of positions at which it is on.
    """

    code: float
    rank: int
    latents: int
    share: float

    @property
    def on(self) -> bool:
        """Whether its gate is open anywhere."""
        return self.share > 0


def read_latents(path: Path, numbers: Sequence[int]) -> list[FileLatent]:
    """Read latents by their numbers.

    Raises:
        UsageError: For a file or configuration that is not of such an autoencoder.
    """
    path = path.expanduser()
    with opened_arrays(path) as arrays:
        config = read_config(path, arrays)
        encoder = arrays[config.encoder]
        count = encoder.shape[config.axis]
        wrong = [number for number in numbers if not 0 <= number < count]
        if wrong:
            raise UsageError(f"{path}#latent={wrong[0]}: it has the latents 0 to {count - 1}")
        columns = encoder.read(numbers, config.axis).astype(np.float32)
        biases = arrays[config.bias].read(numbers).astype(np.float64)
        if config.subtracts:
            products = columns.astype(np.float64) * arrays["b_dec"].read().astype(np.float64)
            biases -= [math.fsum(product) for product in products]  # in no order of their own
    sha256 = file_checksum(path)
    found = []
    for number, column, bias in zip(numbers, columns, biases, strict=True):
        if not (np.isfinite(column).all() and np.isfinite(bias)):
            raise UsageError(f"{path}#latent={number}: its numbers are not finite")
        source = DirectionFile(path.name, sha256, config.encoder, int(number), str(path))
        found.append(FileLatent(column, float(bias), config.normalize, source))
    return found


def read_config(path: Path, arrays: Mapping[str, StoredArray]) -> AutoencoderConfig:
    """Read the configuration beside the weights of an autoencoder.

    Raises:
        UsageError: For arrays of no autoencoder, and a configuration that says what is not known
            here.
    """
    if "W_enc" in arrays:
        make = _saelens
    elif "encoder.weight" in arrays:
        make = _sparsify
    else:
        raise UsageError(
            f"{path}: no sparse autoencoder; expected W_enc (SAELens) or encoder.weight "
            f"(sparsify), it has {', '.join(list(arrays)[:6])}"
        )
    file = path.parent / CONFIG
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: its configuration {CONFIG} is not beside it") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: no readable configuration: {first_line(error)}") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{file}: no configuration of an autoencoder")
    try:
        config = make(settings, file)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{file}: no configuration of an autoencoder: {error}") from error
    _check_arrays(path, config, arrays)
    return config


def _check_arrays(path: Path, config: AutoencoderConfig, arrays: Mapping[str, StoredArray]) -> None:
    """Check that an autoencoder has the arrays of its latents and of their gate, which fit."""
    of_latents = {config.bias, *_GATE_ARRAYS.get(config.gate, ())}
    of_channels = {"b_dec"} if config.subtracts else set()
    of_both = {config.encoder, *({"W_dec"} if config.by_norm else ())}
    if missing := sorted((of_latents | of_channels | of_both) - arrays.keys()):
        raise UsageError(f"{path}: it has no {', '.join(missing)}, which its latents need")
    encoder = arrays[config.encoder].shape
    if len(encoder) == 2:
        latents, channels = encoder[config.axis], encoder[1 - config.axis]
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(of_latents, (latents,))
        shapes.update(dict.fromkeys(of_channels, (channels,)))
        if config.by_norm:
            shapes["W_dec"] = latents, channels
        wrong = sorted(name for name, shape in shapes.items() if arrays[name].shape != shape)
    if len(encoder) != 2 or wrong:
        others = config.bias if len(encoder) != 2 else ", ".join(wrong)
        raise UsageError(f"{path}: {config.encoder} and {others} do not fit together")


def _saelens(settings: Mapping[str, Any], file: Path) -> AutoencoderConfig:
    architecture = str(settings.get("architecture", "standard"))
    function = settings.get("activation_fn_str", settings.get("activation_fn", "relu"))
    gate = GATES.get(architecture)
    if gate == "relu" and function != "relu":
        gate = GATES.get(str(function))
    if gate is None:
        known = "standard, jumprelu, topk and gated are"
        raise UsageError(f"{file}: {architecture} with {function} is not known; {known}")
    normalize = str(settings.get("normalize_activations", "none"))
    if normalize not in _NORMS:
        raise UsageError(
            f"{file}: the factor of {normalize} is not in the file; fold it into the weights "
            "(fold_activation_norm_scaling_factor of SAELens) and save them again"
        )
    kept = settings.get("k", (settings.get("activation_fn_kwargs") or {}).get("k", 0))
    return AutoencoderConfig(
        "W_enc",
        1,
        "b_gate" if gate == "gated" else "b_enc",
        bool(settings.get("apply_b_dec_to_input", False)),
        _NORMS[normalize],
        gate,
        int(kept or 0),
        bool(settings.get("rescale_acts_by_decoder_norm", False)),
    )


def _sparsify(settings: Mapping[str, Any], file: Path) -> AutoencoderConfig:
    activation = str(settings.get("activation", "topk"))
    if activation != "topk":
        raise UsageError(f"{file}: activation {activation} is not known; topk is")
    transcodes = bool(settings.get("transcode", False))
    kept = int(settings.get("k", 0))
    return AutoencoderConfig("encoder.weight", 0, "encoder.bias", not transcodes, "", "topk", kept)


def latent_state(path: Path, number: int, inputs: Array) -> LatentState:
    """Tell whether a latent is on for activations [positions, C], by its autoencoder's own gate."""
    from kerasviz.optvis.objectives.projections import normalized

    with opened_arrays(path) as arrays:
        config = read_config(path, arrays)
        weights = {name: array.read().astype(np.float32) for name, array in arrays.items()}
    encoder = weights[config.encoder] if config.axis else weights[config.encoder].T
    x = np.asarray(normalized(np.asarray(inputs, np.float32), config.normalize))
    if config.subtracts:
        x = x - weights["b_dec"]
    along = x @ encoder[:, number] + weights[config.bias][number]
    codes, before = [], []
    for part in np.array_split(x, max(1, len(x) // 256)):
        z = part @ encoder + weights[config.bias]
        codes.append(_gated(z, part, encoder, weights, config)[:, number])
        before.append((z > z[:, number : number + 1]).sum(axis=1))
    code = np.concatenate(codes)
    best = int(along.argmax())
    rank = int(np.concatenate(before)[best]) + 1
    return LatentState(float(code[best]), rank, encoder.shape[1], float(np.mean(code > 0)))


def _gated(
    z: Array, x: Array, encoder: Array, weights: Mapping[str, Array], config: AutoencoderConfig
) -> Array:
    """Return the codes [positions, latents] of values before the gate."""
    if config.gate == "jumprelu":
        return np.where(z > weights["threshold"], np.maximum(z, 0), 0)
    if config.gate == "gated":
        size = x @ (encoder * np.exp(weights["r_mag"])) + weights["b_mag"]
        return np.where(z > 0, np.maximum(size, 0), 0)
    if config.gate == "topk":
        if config.by_norm:
            z = z * np.linalg.norm(weights["W_dec"], axis=-1)
        kept = min(max(config.k, 1), z.shape[1])
        least = np.partition(z, -kept, axis=1)[:, -kept, None]
        return np.where(z >= least, np.maximum(z, 0), 0)
    return np.maximum(z, 0)
