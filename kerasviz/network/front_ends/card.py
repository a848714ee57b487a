"""Cards of front ends: how a sound becomes a spectrogram, as frozen data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError, check_choice, check_names, first_line, near
from kerasviz.network.front_ends.mel import MEL_KINDS
from kerasviz.network.front_ends.streaming import StreamCard

LOGARITHMS = ("ln", "log10", "none")
PADDINGS = ("", "silence", "zeros")
#: The words for the axes of a spectrogram in a layout.
AXES = ("batch", "frame", "band", "channel")


@dataclass(frozen=True)
class FrontEndCard:
    """Describe a front end, which :mod:`kerasviz.network.front_ends.spectrogram` computes.

    Frames of ``window`` samples every ``hop`` are multiplied by a Hann window and transformed to
    ``fft // 2 + 1`` frequencies, whose magnitudes to the power of ``power`` are gathered in
    ``bands``. Of these m the result is (log(max(gain m + offset, floor)) - mean) / sd, and no less
    than ``dynamic_range`` below the largest before the mean.

    Args:
        rate: The samples per second.
        window: The samples of a frame.
        hop: The samples from one frame to the next.
        fft: The length of the transform; 0 for that of the window.
        bands: The number of mel bands; 0 for the frequencies themselves.
        low: The lowest frequency of the bands in Hz.
        high: The highest; 0 for half of the rate.
        mel: The kind of the bands: ``htk`` (TensorFlow), ``kaldi``, ``slaney`` (librosa) or
            ``torchaudio``.
        area_norm: Whether wide bands count no more than narrow ones.
        power: 1 for magnitudes, 2 for energies.
        log: The logarithm: ``ln``, ``log10`` or ``none``.
        gain: The factor before the logarithm.
        offset: What is added before the logarithm.
        floor: The least number whose logarithm is taken.
        dynamic_range: How far below the largest number of a sound the others may lie, in units of
            the logarithm; 0 for any.
        mean: What is subtracted at last.
        sd: By what is then divided.
        symmetric: Whether the window ends as it begins, rather than being one period.
        centred: Whether frames lie about their moments, the ends of the sound being mirrored.
        drop_last: Whether the last frame is left out.
        pre_emphasis: The share of the sample before that is subtracted from each.
        remove_mean: Whether frames have the mean 0.
        standardized: Whether the result are the frames themselves, of mean 0 and deviation 1.
        frames: The frames that networks with this front end take; 0 for any.
        patch_hop: The frames between patches, where a long sound is cut into several.
        padding: What follows a sound that is too short: ``silence``, ``zeros`` (frames of 0 before
            the mean), or nothing, where it must not be too short.
        layout: The order of the axes, such as ``batch,band,frame``, where their lengths leave it
            open.

    Raises:
        UsageError: For impossible settings.
    """

    rate: int
    window: int
    hop: int
    fft: int = 0
    bands: int = 0
    low: float = 0.0
    high: float = 0.0
    mel: str = "htk"
    area_norm: bool = False
    power: int = 1
    log: str = "none"
    gain: float = 1.0
    offset: float = 0.0
    floor: float = 0.0
    dynamic_range: float = 0.0
    mean: float = 0.0
    sd: float = 1.0
    symmetric: bool = False
    centred: bool = False
    drop_last: bool = False
    pre_emphasis: float = 0.0
    remove_mean: bool = False
    standardized: bool = False
    frames: int = 0
    patch_hop: int = 0
    padding: str = ""
    layout: str = "frame,band"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fft", self.fft or self.window)
        self._check_lengths()
        check_choice("mel kind of a front end", self.mel, MEL_KINDS)
        check_choice("logarithm of a front end", self.log, LOGARITHMS)
        check_choice("padding of a front end", self.padding, PADDINGS)
        if self.log != "none" and not max(self.offset, self.floor) > 0:
            raise UsageError(
                "front end: the logarithm of silence needs an offset or a floor above 0, such as "
                '"offset": 0.001'
            )
        if not 0 <= self.low < self.highest <= self.rate / 2:
            raise UsageError(
                f"front end: bands from {self.low:g} to {self.highest:g} Hz; expected a range from "
                f"0 to half of the rate, {self.rate / 2:g} Hz"
            )
        if self.sd == 0 or not math.isfinite(self.sd) or not math.isfinite(self.mean):
            raise UsageError(f"front end: mean {self.mean}, sd {self.sd}; expected sd other than 0")
        if self.power not in (1, 2):
            raise UsageError(f"front end: power {self.power!r}; expected 1 or 2")
        self._check_layout()

    def _check_lengths(self) -> None:
        for name in ("rate", "window", "hop"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"front end: {name} {value!r}; expected a whole number, 1 or more")
        if self.fft < self.window:
            raise UsageError(
                f"front end: fft {self.fft} is shorter than the window, {self.window}; give "
                f"{1 << (self.window - 1).bit_length()}"
            )
        for name in ("bands", "frames", "patch_hop"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise UsageError(f"front end: {name} {value!r}; expected a whole number, or 0")

    def _check_layout(self) -> None:
        axes = [axis for axis in self.axes if axis not in ("batch", "channel")]
        if sorted(axes) != ["band", "frame"] or set(self.axes) > set(AXES):
            raise UsageError(
                f"front end: layout {self.layout!r}; expected an order of frame and band, such as "
                "batch,band,frame"
            )

    @property
    def axes(self) -> tuple[str, ...]:
        """The words of the layout."""
        return tuple(word.strip() for word in self.layout.split(","))

    @property
    def highest(self) -> float:
        """The highest frequency of the bands in Hz."""
        return self.high or self.rate / 2

    @property
    def width(self) -> int:
        """The numbers of a frame: bands, frequencies, or samples of a standardized frame."""
        if self.standardized:
            return self.window
        return self.bands or self.fft // 2 + 1

    def frames_of(self, samples: int) -> int:
        """Return the number of frames of a sound of some samples.

        >>> card_named("yamnet").frames_of(15600), card_named("whisper").frames_of(480000)
        (96, 3000)
        """
        if self.centred:
            return 1 + samples // self.hop - self.drop_last
        return max(0, 1 + (samples - self.window) // self.hop)

    def samples_of(self, frames: int) -> int:
        """Return the fewest samples of a sound of some frames.

        >>> card_named("yamnet").samples_of(96), card_named("whisper").samples_of(3000)
        (15600, 480000)
        """
        if self.centred:
            return (frames - 1 + self.drop_last) * self.hop
        return (frames - 1) * self.hop + self.window

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain data, for :meth:`from_json`."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Any, owner: str = "front end") -> FrontEndCard:
        """Return the card of plain data; missing settings are the defaults.

        Raises :class:`UsageError` for unknown, missing and impossible settings.
        """
        if not isinstance(data, Mapping):
            raise UsageError(f'{owner}: expected settings such as {{"rate": 16000, "hop": 160}}')
        check_names(owner, data, [f.name for f in fields(cls)])
        missing = [name for name in ("rate", "window", "hop") if name not in data]
        if missing:
            raise UsageError(f"{owner}: {missing[0]} is missing, a number of samples")
        defaults = {f.name: f.default for f in fields(cls)}
        for name, value in data.items():
            kind = type(defaults[name])
            wanted = {bool: bool, str: str}.get(kind, int | float)
            if not isinstance(value, wanted) or (kind is not bool and isinstance(value, bool)):
                raise UsageError(f"{owner}: {name} {value!r}; expected {_EXPECTED[wanted]}")
        return cls(**data)


_EXPECTED: dict[Any, str] = {bool: "true or false", str: "a text", int | float: "a number"}


def card_from_json(data: Any, owner: str = "front end") -> FrontEndCard | StreamCard:
    """Return the card of plain data: of chunks for recurrent networks, else of a spectrogram.

    Raises :class:`UsageError` for unknown, missing and impossible settings.
    """
    if isinstance(data, Mapping) and "chunk" in data:
        return StreamCard.from_json(data, owner)
    return FrontEndCard.from_json(data, owner)


@cache
def _packaged() -> dict[str, FrontEndCard | StreamCard]:
    text = resources.files(__package__).joinpath("cards.json").read_text(encoding="utf-8")
    return {name: card_from_json(data, name) for name, data in json.loads(text).items()}


def card_names() -> tuple[str, ...]:
    """Return the names of the front ends that the package has.

    >>> card_names()[:3]
    ('yamnet', 'vggish', 'whisper')
    """
    return tuple(_packaged())


def card_named(name: str | Path) -> FrontEndCard | StreamCard:
    """Return the card of a name, of a JSON file, or of JSON text.

    Raises :class:`UsageError` for an unknown name and a file that is no card.
    """
    if str(name) in _packaged():
        return _packaged()[str(name)]
    if str(name).lstrip().startswith("{"):
        return _card_of_text(str(name), "front end")
    path = Path(name)
    if path.suffix.lower() != ".json":
        names = near(str(name), card_names(), len(card_names()))
        raise UsageError(f"no front end {str(name)!r}; choose from {names}, or a .json file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no front end can be read: {first_line(error)}") from error
    return _card_of_text(text, str(path))


def card_of(front_end: str | Path | Mapping[str, Any]) -> FrontEndCard | StreamCard:
    """Return the card of a name, a JSON file or settings.

    >>> card_of("yamnet").rate
    16000
    """
    return card_from_json(front_end) if isinstance(front_end, Mapping) else card_named(front_end)


def _card_of_text(text: str, owner: str) -> FrontEndCard | StreamCard:
    """Return the card of JSON text."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{owner}: no front end can be read: {first_line(error)}") from error
    return card_from_json(data, owner)
