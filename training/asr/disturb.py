"""Noise, other voices and equalisers added to training audio on the fly, then A-law once more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft  # type: ignore[import-untyped]

from training.synth.channel import PHONE_RATE_HZ, Channel, alaw_bytes, alaw_decode

Floats = npt.NDArray[np.float32]
BANK, BANK_SECONDS = 160, 12
VOICES, NOISE, EQUALISER, AGAIN = 0.22, 0.22, 0.3, 0.4
SNR_DB = (3.0, 30.0)


def _unit_power(signal: Floats) -> Floats:
    """`signal` scaled to a mean square of 1; silence stays silence."""
    return signal / np.float32(np.sqrt(np.mean(signal * signal)) + 1e-9)


def loudness(signal: Floats) -> float:
    """Root mean square of the samples above a tenth of the peak; 0 for silence."""
    size = np.abs(signal)
    loud = signal[size > 0.1 * size.max()] if len(signal) else signal
    return float(np.sqrt(np.mean(loud * loud))) if len(loud) else 0.0


class Disturber:
    """Draws disturbances from one random generator; keeps a bank of coloured noises."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        channel = Channel(rng)
        self._bank = [channel.noise(BANK_SECONDS * PHONE_RATE_HZ) for _ in range(BANK)]

    def _cut(self, source: Floats, count: int) -> Floats:
        """`count` samples of `source` from a random place, repeated where it is shorter."""
        start = int(self._rng.integers(len(source)))
        return np.resize(np.roll(source, -start) if start else source, count)

    def _level(self, signal: Floats) -> np.float32:
        low, high = SNR_DB
        return np.float32(loudness(signal) * 10 ** (-self._rng.uniform(low, high) / 20))

    def _equalise(self, signal: Floats) -> Floats:
        """Random tilt and band limits, in the spectrum."""
        rng, size = self._rng, fft.next_fast_len(len(signal), real=True)
        hertz = np.arange(size // 2 + 1) * (PHONE_RATE_HZ / size)
        gains_db = np.interp(hertz, np.linspace(0, PHONE_RATE_HZ / 2, 7), rng.uniform(-7, 7, 7))
        low, high = rng.uniform(50, 400), rng.uniform(2600, 3900)
        gains_db -= 20 * np.log10(1 + (low / np.maximum(hertz, 1)) ** 4)
        gains_db -= 20 * np.log10(1 + (hertz / high) ** 12)
        shape = (10 ** (gains_db / 20)).astype(np.float32)
        changed: Any = fft.irfft(fft.rfft(signal, size) * shape, size)
        return np.asarray(changed[: len(signal)], np.float32)

    def __call__(self, signal: Floats, others: list[Floats]) -> Floats:
        """`signal` [n] in [-1, 1], disturbed; `others`: other people's speech, one to four signals."""
        rng = self._rng
        if rng.random() < EQUALISER:
            signal = self._equalise(signal)
        if others:
            crowd = sum(_unit_power(self._cut(voice, len(signal))) for voice in others)
            signal = signal + _unit_power(np.asarray(crowd, np.float32)) * self._level(signal)
        if rng.random() < NOISE:
            bank = self._bank[int(rng.integers(BANK))]
            signal = signal + self._cut(bank, len(signal)) * self._level(signal)
        if rng.random() < AGAIN:
            signal = alaw_decode(alaw_bytes(signal)).astype(np.float32) / np.float32(32768)
        return signal
