"""Turn the optimized spectrograms of a folder into sounds, and say how much the network hears."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, whole_number
from kerasviz.examples.finished_pictures import (
    FinishedPicture,
    finished_pictures,
    with_held_inputs,
)
from kerasviz.examples.measured import Measured
from kerasviz.io.files import write_atomically
from kerasviz.io.sounds import channels_of, wav_bytes
from kerasviz.network.front_ends.card import FrontEndCard, card_of
from kerasviz.network.front_ends.inversion import inverted, retention, retention_warning
from kerasviz.network.front_ends.program import axes_of
from kerasviz.network.front_ends.spectrogram import spectrogram
from kerasviz.network.network import Network
from kerasviz.network.signal_input import SignalInput
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.media.signal import SignalMedium
from kerasviz.rendering.recorded import network_of
from kerasviz.rendering.store import Store
from kerasviz.types import Array
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, with_data


@dataclass(frozen=True)
class Heard:
    """Hold the sound of an optimized spectrogram.

    Args:
        picture: The picture of the spectrogram, a file in its folder.
        file: The WAV file.
        kept: The activation by the sound's own spectrogram, over that by the optimized one; NaN
            where that is not above 0.
        warning: What to think of a sound that keeps little, "" for others.
    """

    picture: str
    file: Path
    kept: float
    warning: str


@named_arguments()
def listen(
    folder: str | os.PathLike[str],
    front_end: str | os.PathLike[str] | Mapping[str, Any],
    model: Model | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    data: Data | None = None,
) -> list[Heard]:
    """Turn the spectrograms in a folder into WAV files by a guessed front end, as ``kerasviz
    listen`` does.

    For networks of spectrograms whose front end nobody knows: where it is known, load the network
    with it, so that the sound itself is optimized. Bands become frequencies by non-negative least
    squares, phases are found by Griffin-Lim. The sound is analysed again, and the network asked
    what is left of the activation.

    Args:
        folder: A folder of pictures of a network that takes spectrograms, which ``render`` made.
        front_end: The guess: the name of a card, a JSON file, or its settings.
        model: The network, or what :func:`kerasviz.load` takes; by default the one that the folder
            names.
        out: The folder for the WAV files, by default ``folder`` with ``-sounds`` after its name.
        seed: Of the first phases.
        data: Arrays that further inputs are held at, or an ``.npz`` file of them.

    Returns:
        A sound for each picture, in the order of the folder.

    Raises:
        UsageError: For a folder without pictures of spectrograms, an unknown front end, and one of
            other bands than the network has.

    Example:
        >>> layers = [keras.Input((96, 64)), keras.layers.Conv1D(4, 3, name="conv1")]
        >>> model = keras.Sequential(layers)
        >>> net = kerasviz.load(model, axes="batch,frame,band", range_=(-7, 3))
        >>> r = kerasviz.render(net, "conv1:2", steps=16, out="bands")
        >>> [heard] = kerasviz.listen("bands", "yamnet", net)
        >>> heard.file.name
        'conv1-2.wav'

    Reference:
        Perraudin, Balazs, Søndergaard, "A fast Griffin-Lim algorithm" (2013).
    """
    place, number = Path(folder), whole_number("seed", seed, least=0)
    card = card_of(front_end if isinstance(front_end, Mapping) else Path(front_end))
    if not isinstance(card, FrontEndCard):
        raise UsageError("front end of pieces of a sound: expected one of spectrograms")
    store = with_held_inputs(Store(place, with_data(network_of(place, model), data)))
    net, given = store.net, store.net.image_input
    if not isinstance(given, SignalInput) or given.medium != "signal":
        raise UsageError(
            f"{net.name} takes {given.noun}s: kerasviz listen is for pictures of networks that "
            "take spectrograms, such as rendered with --axes batch,frame,band --range LOW,HIGH"
        )
    medium = SignalMedium(given, net.require_input_spec())
    target = Path(out) if out is not None else place.with_name(f"{place.name}-sounds")
    heard = []
    for picture in finished_pictures(store):
        numbers = _numbers(picture)
        layout = _Layout.of(numbers.shape, card)
        sound = inverted(card, layout.frames(numbers), number)
        wav, _ = wav_bytes(sound.astype(np.float32), card.rate)
        samples, _ = channels_of(io.BytesIO(wav))
        again = spectrogram(card, tf.constant(samples.T, tf.float32))[0].numpy()
        of_sound, of_picture = (
            _value(net, medium, picture, n) for n in (layout.spectrogram(again), numbers)
        )
        kept = retention(of_sound, of_picture)
        target.mkdir(parents=True, exist_ok=True)
        file = target / companion_file(picture.entry.file, ".wav")
        write_atomically(file, wav)
        heard.append(Heard(picture.entry.file, file, kept, retention_warning(kept)))
    return heard


def _numbers(picture: FinishedPicture) -> Array:
    """Return the numbers of a picture's spectrogram in the layout of the network."""
    array: Array = np.load(companion_file(str(picture.path), ".npy"), allow_pickle=False)
    return array


@dataclass(frozen=True)
class _Layout:
    """The layout of a spectrogram in a network: its shape, frames, and what comes first."""

    shape: tuple[int, ...]
    count: int
    frames_first: bool

    @classmethod
    def of(cls, shape: tuple[int, ...], card: FrontEndCard) -> _Layout:
        axes = axes_of(shape, card)
        if axes is None:
            text = " x ".join(map(str, shape))
            raise UsageError(
                f"spectrogram of {text} numbers: the front end has {card.width} bands; give one "
                "that fits, such as a JSON file with the number of bands"
            )
        order = [axis for axis in axes if axis in ("frame", "band")]
        count = shape[axes.index("frame")] if "frame" in order else 1
        return cls(shape, count, order[0] == "frame")

    def frames(self, numbers: Array) -> Array:
        """Return a spectrogram of the network as [frame, band]."""
        if self.frames_first:
            return numbers.reshape(self.count, -1)
        return numbers.reshape(-1, self.count).T

    def spectrogram(self, frames: Array) -> Array:
        """Return [frame, band] as the network has it, its end cut off or repeated to fit."""
        missing = max(0, self.count - len(frames))
        plain = np.pad(frames[: self.count], ((0, missing), (0, 0)), mode="edge")
        return (plain if self.frames_first else plain.T).reshape(self.shape)


def _value(net: Network, medium: SignalMedium, picture: FinishedPicture, numbers: Array) -> float:
    """Return what a picture was optimized for, of a spectrogram in the layout of the network."""
    values = medium.values_of(numbers)
    pre = picture.request.recipe.pre_activation
    structure = structure_of(picture.objective, net, pre)
    size = (values.shape[0], values.shape[1])
    measured = Measured(net, structure, pre, size, (picture,), (0,))
    return float(measured.values(tf.constant(values[None]))[0, 0])
