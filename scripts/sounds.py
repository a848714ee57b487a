"""Listen to networks in the wild: optimize sounds, and ask the files themselves about the WAVs.

    python scripts/sounds.py notes nmp.onnx --out out/notes
    python scripts/sounds.py speech silero_vad.onnx --out out/speech

The first file is that of the wheel ``basic-pitch`` (notes from sound), the second that of
``silero-vad`` (speech or none). They are run by onnxruntime on the WAV files that were written.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

import kerasviz
from kerasviz.io.sounds import read_sound

#: MIDI numbers of notes that are asked for: A4 and eight others.
NOTES = (69, 45, 52, 57, 60, 64, 72, 76, 81)
#: The MIDI number of the first note of basic-pitch.
LOWEST_NOTE = 21
#: The lowest frequency in Hz of sounds for it: it does not hear what is below its first notes.
LOWEST_HZ = 100.0
#: The rate of basic-pitch.
NOTE_RATE = 22050
#: The octaves by which a frequency may miss a harmonic: half a semitone, as notes may.
TOLERANCE = 1 / 24
#: Harmonics that are counted.
HARMONICS = 10
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(midi: int) -> str:
    """Return the name of a note.

    >>> note_name(69), note_name(60)
    ('A4', 'C4')
    """
    return f"{NAMES[midi % 12]}{midi // 12 - 1}"


def hertz(midi: int) -> float:
    """Return the frequency of a note in Hz."""
    return 440 * 2 ** ((midi - 69) / 12)


def harmonic_share(samples: np.ndarray, rate: int, hz: float) -> tuple[float, float]:
    """Return the shares of a sound's energy at a frequency, and at all of its harmonics."""
    energy = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    octaves = np.log2(np.fft.rfftfreq(len(samples), 1 / rate)[1:] / hz)
    harmonics = np.log2(np.arange(1, HARMONICS + 1))
    near = np.abs(octaves[:, None] - harmonics) <= TOLERANCE
    first, every = (energy[1:] @ near[:, :1]).sum(), energy[1:] @ near.any(axis=1)
    return first / energy.sum(), every / energy.sum()


def notes_heard(session: onnxruntime.InferenceSession, samples: np.ndarray) -> np.ndarray:
    """Return how much of a note basic-pitch hears, [88], the mean over the moments."""
    name = session.get_inputs()[0].name
    outputs = session.run(None, {name: samples.astype(np.float32)[None, :, None]})
    note = next(
        array
        for info, array in zip(session.get_outputs(), outputs, strict=True)
        if info.name.endswith(":1")
    )
    return note[0].mean(axis=0)


def music() -> kerasviz.Recipe:
    """Return the recipe of docs/pages/howto/sound.md for networks that look for single tones."""
    sound = kerasviz.RECIPES["sound"]
    return sound.replace(
        name="music",
        optimizer="normalized-gradient",
        learning_rate=0.0005,
        parameterization=replace(sound.parameterization, lowest=LOWEST_HZ),
    )


def listen_to_notes(file: Path, out: Path, steps: int, notes: tuple[int, ...]) -> int:
    """Optimize a sound for each note; return how many the network calls by their name."""
    net = kerasviz.load(str(file), rate=NOTE_RATE)
    session = onnxruntime.InferenceSession(str(file))
    tap = next(name for name in net.program.outputs if name.endswith(":1"))
    targets = [f"{tap}:{midi - LOWEST_NOTE}" for midi in notes]
    rendering = kerasviz.render(net, targets, recipe=music(), steps=steps, out=out)
    print(
        f"{'note':5} {'Hz':>7} {'heard':>6} {'mean':>6} {'next':>6} {'peak Hz':>8} {'f':>5} "
        f"{'1-10f':>5} {'noise':>5}"
    )
    right = 0
    for midi, picture in zip(notes, rendering, strict=True):
        path = wav_of(out, picture.target)
        samples = read_sound(path).samples
        heard = notes_heard(session, samples)
        best, other = np.argsort(heard)[::-1][:2]
        right += best + LOWEST_NOTE == midi
        spectrum = np.abs(np.fft.rfft(samples))
        peak = np.argmax(spectrum) * NOTE_RATE / len(samples)
        first, harmonics = harmonic_share(samples, NOTE_RATE, hertz(midi))
        white = np.random.default_rng(0).normal(size=len(samples))
        _, by_chance = harmonic_share(white, NOTE_RATE, hertz(midi))
        print(
            f"{note_name(midi):5} {hertz(midi):7.1f} {note_name(best + LOWEST_NOTE):>6} "
            f"{heard[best]:6.3f} {heard[other]:6.3f} {peak:8.1f} {first:5.0%} {harmonics:5.0%} "
            f"{by_chance:5.0%}"
        )
    print(f"{right} of {len(notes)} sounds are called by the note that was asked for")
    return right


def speech_heard(session: onnxruntime.InferenceSession, samples: np.ndarray) -> np.ndarray:
    """Return the probabilities of speech of silero-vad, one for each 512 samples."""
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    found = []
    for start in range(0, len(samples) - 511, 512):
        chunk = np.concatenate([context, samples[start : start + 512]]).astype(np.float32)
        feeds = {"input": chunk[None], "state": state, "sr": np.array(16000, np.int64)}
        probability, state = session.run(None, feeds)
        context = chunk[-64:]
        found.append(float(probability[0, 0]))
    return np.array(found)


def listen_to_speech(file: Path, out: Path, steps: int, seconds: float) -> float:
    """Optimize sounds for speech and for its opposite; return the mean probability of speech."""
    net = kerasviz.load(str(file), front_end="silero-vad")
    session = onnxruntime.InferenceSession(str(file))
    settings = {"recipe": "sound", "steps": steps, "seconds": seconds}
    rendering = kerasviz.render(net, "output:0", out=out, **settings)
    found = speech_heard(session, read_sound(wav_of(out, rendering[0].target)).samples)
    noise = np.random.default_rng(0).normal(0, 0.1, round(16000 * seconds))
    others = {
        "optimized": found,
        "white noise": speech_heard(session, noise),
        "silence": speech_heard(session, 0 * noise),
        "220 Hz": speech_heard(
            session, 0.14 * np.sin(np.arange(len(noise)) * 2 * np.pi * 220 / 16000)
        ),
    }
    for name, speech in others.items():
        print(
            f"{name:12} mean {speech.mean():.3f}, last half {speech[len(speech) // 2 :].mean():.3f}"
        )
    return float(found.mean())


def wav_of(folder: Path, target: str) -> Path:
    """Return the WAV file beside the picture of a target."""
    from kerasviz.rendering.store import slug

    return folder / f"{slug(target)}.wav"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("notes", "speech"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/sounds"))
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--notes", default=",".join(map(str, NOTES)), help="MIDI numbers")
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    if given.kind == "notes":
        notes = tuple(int(note) for note in given.notes.split(","))
        listen_to_notes(given.file, given.out, given.steps, notes)
    else:
        listen_to_speech(given.file, given.out, given.steps, given.seconds)


if __name__ == "__main__":
    main()
