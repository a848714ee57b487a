"""Front ends in NumPy, in double precision and one frame after the other."""

from __future__ import annotations

import numpy as np


def mel(hz, scale):
    if scale != "slaney":
        return 1127 * np.log1p(hz / 700)
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def hertz(mels, scale):
    if scale != "slaney":
        return 700 * np.expm1(mels / 1127)
    return mels * 200 / 3 if mels < 15 else 1000 * 6.4 ** ((mels - 15) / 27)


def filters(kind, rate, fft, bands, low, high, area_norm):
    """The weights of each frequency in each band, one by one."""
    scale = "slaney" if kind == "slaney" else "htk"
    corners = [
        mel(low, scale) + k * (mel(high, scale) - mel(low, scale)) / (bands + 1)
        for k in range(bands + 2)
    ]
    weights = np.zeros((fft // 2 + 1, bands))
    for band in range(bands):
        edges = corners[band : band + 3]
        edges_hz = [hertz(edge, scale) for edge in edges]
        for line in range(fft // 2 + 1):
            at = line * rate / fft
            if kind in ("htk", "kaldi"):
                at, (left, middle, right) = mel(at, scale), edges
            else:
                left, middle, right = edges_hz
            if left < at <= middle:
                weights[line, band] = (at - left) / (middle - left)
            elif middle < at < right:
                weights[line, band] = (right - at) / (right - middle)
        if area_norm:
            weights[:, band] *= 2 / (edges_hz[2] - edges_hz[0])
    return weights


def spectrogram(card, sound):
    """The spectrogram [frames, bands] of a sound [T]."""
    sound = np.asarray(sound, np.float64)
    if card.padding == "silence" and card.frames:
        sound = np.pad(sound, (0, max(0, card.samples_of(card.frames) - len(sound))))
    length = card.fft if card.centred else card.window
    if card.centred:
        sound = np.pad(sound, card.fft // 2, mode="reflect")
    period = card.window - 1 if card.symmetric else card.window
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / period) for n in range(card.window)])
    early = (length - card.window) // 2
    frames = []
    for start in range(0, len(sound) - length + 1, card.hop):
        frame = sound[start + early : start + early + card.window].copy()
        if card.standardized:
            frames.append((frame - frame.mean()) / max(frame.std(), 1e-8))
            continue
        if card.remove_mean:
            frame -= frame.mean()
        if card.pre_emphasis:
            before = np.concatenate([frame[:1], frame[:-1]])
            frame = frame - card.pre_emphasis * before
        frames.append(np.abs(np.fft.rfft(frame * window, card.fft)) ** card.power)
    frames = np.stack(frames[:-1] if card.drop_last else frames)
    if card.standardized:
        return frames
    if card.bands:
        settings = card.rate, card.fft, card.bands, card.low, card.highest, card.area_norm
        frames = frames @ filters(card.mel, *settings)
    numbers = np.maximum(card.gain * frames + card.offset, card.floor)
    numbers = {"ln": np.log, "log10": np.log10, "none": np.asarray}[card.log](numbers)
    if card.dynamic_range:
        numbers = np.maximum(numbers, numbers.max() - card.dynamic_range)
    if card.padding == "zeros" and card.frames > len(numbers):
        numbers = np.pad(numbers, ((0, card.frames - len(numbers)), (0, 0)))
    return (numbers - card.mean) / card.sd
