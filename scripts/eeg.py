"""Show what the networks of the wheel ``brainmaze-eeg-models`` look for in EEG, with numbers.

    pip download --no-deps brainmaze-eeg-models
    python scripts/eeg.py brainmaze_eeg_models-0.1.0-py3-none-any.whl --out out/eeg

The wheel (BSD) has two detectors of sleep spindles, oscillations of 11 to 16 Hz in 0.5 to 2
seconds, and two of seizures. Pictures are optimized by the recipe ``signal``; what they are called
is then asked of the file itself in onnxruntime.

- A spindle detector takes 30 s at 250 Hz twice: as they are, and as a scalogram (15 wavelets). Both
  are computed from one signal here, by the wavelets of the wheel's own module, so that the signal
  and its scalogram fit together. Beside it the signal is optimized alone, with a scalogram of 0.
- A seizure detector takes a spectrogram of 100 bands of 1 Hz, two frames a second, each band in
  standard deviations over the recording. It is an array of frames and bands.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import tensorflow as tf

import kerasviz
from kerasviz.network.network import Network
from kerasviz.rendering.rendering import Rendering

#: Spindle detectors: samples of a window and their rate in Hz.
SAMPLES = 7500
RATE = 250
#: The band of spindles in Hz.
BAND = (11.0, 16.0)
#: The confidence above which a second is looked at, and the frequencies that are compared there.
SURE = 0.9
HEARD = (6.0, 45.0)
#: Frames of a seizure detector, at 2 a second, and the class of seizures.
FRAMES = 120
SEIZURE = 3
#: Standard deviations to either side in spectrograms.
DEVIATIONS = 4


def main() -> None:
    """Optimize the pictures and print what they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the wheel, or the folder it was unpacked to")
    parser.add_argument("--out", type=Path, default=Path("out/eeg"))
    parser.add_argument("--steps", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = unpacked(options.wheel, Path(folder)) / "brainmaze_eeg_models"
        for kind in ("eeg", "ieeg"):
            file = root / "spindles" / "_models" / f"spindle-detector-{kind}.onnx"
            wavelets = module_of(root / "spindles" / "_cwt.py")
            spindles(file, wavelets, options.out / f"spindles-{kind}", options.steps)
            signal_alone(file, options.out / f"spindles-{kind}-signal-alone", options.steps)
        for name in ("modelA_paper", "modelB_full"):
            file = root / "seizure" / "_models" / f"{name}.onnx"
            seizures(file, options.out / f"seizures-{name}", options.steps)


def unpacked(wheel: Path, folder: Path) -> Path:
    """Return the folder of a wheel's files."""
    if wheel.is_dir():
        return wheel
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def module_of(file: Path) -> ModuleType:
    """Import one file of the wheel, without what the rest of the package needs."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Detector(tf.Module):
    """Compute the scalogram of a signal and run the spindle detector on both."""

    def __init__(self, net: Network, wavelets: ModuleType):
        super().__init__()
        self.program = net.program
        scales = tuple(float(scale) for scale in wavelets.SCALES)
        self.length, spectra, self.offsets = wavelets._plan(SAMPLES, scales, 10)
        self.spectra = tf.constant(spectra, tf.complex64)

    def scalogram(self, signal: Any) -> Any:
        """Return the magnitudes [B, 15, T] of the wavelet transform of signals [B, T]."""
        padded = tf.pad(signal, [[0, 0], [0, self.length - SAMPLES]])
        spectrum = tf.signal.fft(tf.cast(padded, tf.complex64))[:, None] * self.spectra
        waves = tf.signal.ifft(spectrum)
        parts = [waves[:, k, o : o + SAMPLES] for k, o in enumerate(self.offsets)]
        waves = tf.stack(parts, axis=1)
        return tf.sqrt(tf.square(tf.math.real(waves)) + tf.square(tf.math.imag(waves)) + 1e-12)

    @tf.function(
        input_signature=[tf.TensorSpec([None, SAMPLES], tf.float32, "signal")], autograph=False
    )
    def __call__(self, signal: Any) -> Any:
        """Return the logits [B, 30, 3] of each second: spindle, place, duration."""
        feeds = {
            "raw_signal": standard(signal)[..., None],
            "spectrogram": tf.transpose(standard(self.scalogram(signal)), [0, 2, 1]),
        }
        return self.program.compute(feeds, ["detection"])["detection"]


def standard(values: Any) -> Any:
    """Return values without their mean over time, by their deviation."""
    centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + 1e-12)


def spindles(file: Path, wavelets: ModuleType, out: Path, steps: int) -> None:
    """Optimize a signal together with its scalogram, and ask the file what it is."""
    detector = Detector(kerasviz.load(file), wavelets)
    net = kerasviz.load(detector, range_=(-100, 100), rate=RATE).renamed(out.name)
    target = net.program.outputs[0]
    made = kerasviz.render(net, f"{target}:0", steps=steps, out=out, progress=False)

    def confidence(signal: Any) -> Any:
        return asked(file, normal(signal), normal(wavelets.scalogram(signal)))

    report(out.name, numbers_of(made).reshape(-1).astype(np.float64), confidence)


def signal_alone(file: Path, out: Path, steps: int) -> None:
    """Optimize the signal of a detector with a scalogram of 0."""
    none = np.zeros((15, SAMPLES), np.float32)
    net = kerasviz.load(file, range_=(-4, 4), rate=RATE).with_data({"spectrogram": none})
    made = kerasviz.render(net, "detection:0", steps=steps, out=out, progress=False)
    signal = numbers_of(made).reshape(-1).astype(np.float64)
    report(out.name, signal, lambda given: asked(file, given, none))


def asked(file: Path, signal: Any, scalogram: Any) -> Any:
    """Return the confidences [30] of the file in onnxruntime, one for each second."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    feeds = {"raw_signal": signal[None, None], "spectrogram": scalogram[None]}
    arrays = {name: np.asarray(array, np.float32) for name, array in feeds.items()}
    (logits,) = session.run(["detection"], arrays)
    return 1 / (1 + np.exp(-logits[0, :, 0]))


def normal(values: Any) -> Any:
    """Return values without their mean over time, by their deviation, in float64."""
    centred = values - values.mean(-1, keepdims=True)
    return centred / centred.std(-1, keepdims=True)


def numbers_of(made: Rendering) -> Any:
    """Return the numbers of the first signal of a rendering in the network's layout."""
    return np.load(io.BytesIO(made[0].companions()[".npy"]))


def report(name: str, signal: Any, ask: Callable[[Any], Any]) -> None:
    """Print what a signal is called, the frequencies of its spindles, and what they decide."""
    confidence = ask(signal)
    sure = np.flatnonzero(confidence > SURE)
    print(
        f"{name}: called a spindle in {(confidence > 0.5).sum()} of {len(confidence)} seconds, "
        f"confidence {confidence.mean():.3f} on average, {confidence.max():.3f} at most; without "
        f"{BAND[0]:g}-{BAND[1]:g} Hz {ask(without(signal, *BAND)).mean():.3f}, without 18-26 Hz "
        f"{ask(without(signal, 18, 26)).mean():.3f}, without 0-8 Hz "
        f"{ask(without(signal, 0, 8)).mean():.3f} on average"
    )
    if not len(sure):
        return
    spectra = np.array([spectrum_about(signal, second) for second in sure])
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    heard = (hertz >= HEARD[0]) & (hertz <= HEARD[1])
    peaks = hertz[heard][spectra[:, heard].argmax(1)]
    inside = ((peaks >= BAND[0]) & (peaks <= BAND[1])).sum()
    print(
        f"{name}: 2 s about the {len(sure)} seconds above {SURE:g}, {HEARD[0]:g} to {HEARD[1]:g} "
        f"Hz: the mean spectrum is largest at {hertz[heard][spectra.mean(0)[heard].argmax()]:.1f} "
        f"Hz, {inside} of them are largest in {BAND[0]:g}-{BAND[1]:g} Hz "
        f"({', '.join(f'{peak:g}' for peak in peaks)})"
    )


def spectrum_about(signal: Any, second: int) -> Any:
    """Return the power of the frequencies of 2 s about a second, without its slow changes."""
    count = 2 * RATE
    start = int(np.clip((second + 0.5) * RATE - count / 2, 0, len(signal) - count))
    part, places = signal[start : start + count], np.arange(count)
    part = part - np.polyval(np.polyfit(places, part, 3), places)
    return np.square(np.abs(np.fft.rfft(part * np.hanning(count))))


def without(signal: Any, low: float, high: float) -> Any:
    """Return a signal without the frequencies of a band in Hz."""
    spectrum = np.fft.rfft(signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / RATE)
    spectrum[(hertz >= low) & (hertz <= high)] = 0
    return np.fft.irfft(spectrum, len(signal))


def seizures(file: Path, out: Path, steps: int) -> None:
    """Optimize the spectrogram of a seizure detector, and ask the file what it is."""
    limits = (-DEVIATIONS, DEVIATIONS)
    net = kerasviz.load(file, axes="batch,band,frame", range_=limits, rate=2)
    size = (100, FRAMES)
    made = kerasviz.render(net, "logits:3", steps=steps, size=size, out=out, progress=False)
    numbers = numbers_of(made)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (shares,) = session.run(["probs"], {"x": numbers[None].astype(np.float32)})
    level = numbers.mean(1)
    bands = [f"{k}-{k + 9} Hz {level[k : k + 10].mean():+.2f}" for k in range(0, 100, 20)]
    print(
        f"{out.name}: called a seizure with {shares[:, 0, SEIZURE].mean():.3f} on average; mean "
        f"deviation by band: {', '.join(bands)}; change from frame to frame "
        f"{np.abs(np.diff(numbers, axis=1)).mean():.2f}"
    )


if __name__ == "__main__":
    main()
