"""Show one photograph under every preset of the input, for networks whose numbers are not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np

from kerasviz.errors import KerasvizError
from kerasviz.network.input_spec import PRESETS, InputSpec
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import has_positions
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.activations import read_body
from kerasviz.types import Array
from kerasviz.zoo.labels import imagenet_labels

#: The photograph that is shown where none is sent: Chelsea the cat, by Stefan van der Walt (CC0).
PHOTO = resources.files("kerasviz.service") / "page" / "cat.jpg"
#: Classes that are named for each preset.
GUESSES = 3


@dataclass(frozen=True)
class ClassGuess:
    """Hold a class that a network sees, with its share of all classes, 0 to 1."""

    unit: int
    label: str | None
    share: float


@dataclass(frozen=True)
class InputTrial:
    """Hold what a network makes of a photograph under a preset.

    Args:
        preset: Its name.
        numbers: The numbers that the network gets, in words.
        guesses: The classes that it sees, the most likely first; empty without classes.
        response: [h, w] How strongly the last layer with positions responds, 0 to 1; ``None`` for
            networks with classes and where there is no such layer.
        error: Why the network could not be run.
    """

    preset: str
    numbers: str
    guesses: tuple[ClassGuess, ...] = ()
    response: Array | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        shown = None if self.response is None else np.round(self.response, 3).tolist()
        return {**asdict(self), "guesses": [asdict(g) for g in self.guesses], "response": shown}


def try_presets(net: Network, data: bytes | None = None) -> list[InputTrial]:
    """Run a network on a photograph under every preset.

    Args:
        net: The network; what it knows of its input is not used.
        data: A PNG or JPEG file; by default the photograph of a cat.

    Raises:
        UsageError: For bytes that are no picture.
    """
    image = read_body(PHOTO.read_bytes() if data is None else data, usual_size(net), net.channels)
    return list(_trials(net, image))


def _trials(net: Network, image: Array) -> Iterator[InputTrial]:
    for name, spec in PRESETS.items():
        words = in_words(spec)
        try:
            tried = net.with_input_spec(spec)
            logits = net.classes.logits
            if logits is not None and logits in net.taps:
                yield InputTrial(name, words, guesses=_guesses(tried, logits, image))
            else:
                yield InputTrial(name, words, response=_response(tried, image))
        except (KerasvizError, ValueError) as error:
            yield InputTrial(name, words, error=" ".join(str(error).split()))


def in_words(spec: InputSpec) -> str:
    """Say which numbers a preset makes of an image.

    >>> in_words(PRESETS["inception"])
    '-1 to 1'
    >>> in_words(PRESETS["caffe"])
    '-124 to 151, blue first'
    """
    low = min((0 - mean) / std for mean, std in _pairs(spec))
    high = max((spec.scale - mean) / std for mean, std in _pairs(spec))
    order = ", blue first" if spec.channel_order == "bgr" else ""
    return f"{low:.3g} to {high:.3g}{order}"


def _pairs(spec: InputSpec) -> Sequence[tuple[float, float]]:
    count = max(len(spec.mean), len(spec.std))
    means, stds = (numbers * (count // len(numbers)) for numbers in (spec.mean, spec.std))
    return list(zip(means, stds, strict=True))


def _guesses(net: Network, logits: str, image: Array) -> tuple[ClassGuess, ...]:
    tap = net.taps[logits].name
    scores = np.asarray(net.activations(image[None], [tap])[tap]).reshape(-1).astype(np.float64)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:GUESSES]
    names = net.labels or _usual_names(len(shares))
    return tuple(ClassGuess(int(k), names[k] if names else None, float(shares[k])) for k in order)


def _usual_names(count: int) -> tuple[str, ...]:
    """Return the names that a thousand classes mostly have, none for another number.

    They are a help to see what a guess means; the network gets none of them.
    """
    names = imagenet_labels()
    return {len(names): names, len(names) + 1: ("background", *names)}.get(count, ())


def _response(net: Network, image: Array) -> Array | None:
    """Return the length of the vectors of the last main layer with positions, 0 to 1."""
    placed = [tap for tap in net.main_taps if has_positions(net.taps[tap].shape)]
    for tap in reversed(placed):
        found = np.asarray(net.activations(image[None], [tap])[tap])
        drawn = np.asarray(positions_of(net, tap, image.shape[:2]).on_map(found))[0]
        if min(drawn.shape[:2]) > 1:
            lengths: Array = np.linalg.norm(drawn.astype(np.float64), axis=-1)
            return lengths / max(float(lengths.max()), 1e-12)
    return None
