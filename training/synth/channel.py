"""Telephone channel: resampling, formant warp, band, equaliser, reverb, noise, level, A-law, drop-outs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft  # type: ignore[import-untyped]

PHONE_RATE_HZ = 8000
Floats = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]
Bytes = npt.NDArray[np.uint8]


def _decode_table() -> Pcm:
    """The 256 A-law values of ITU-T G.711 as 16-bit samples."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _encode_table() -> Bytes:
    """Nearest A-law code for each 16-bit sample, indexed by sample + 32768."""
    order = np.argsort(_DECODE, kind="stable")
    values = _DECODE[order].astype(np.int64)
    edges = (values[1:] + values[:-1] + 1) // 2
    table: Bytes = order[np.searchsorted(edges, np.arange(-32768, 32768), side="right")].astype(np.uint8)
    return table


_DECODE = _decode_table()
_ENCODE = _encode_table()


def alaw_encode(pcm: Pcm) -> Bytes:
    """int16 samples to A-law bytes."""
    codes: Bytes = _ENCODE[pcm.astype(np.int32) + 32768]
    return codes


def alaw_decode(codes: Bytes) -> Pcm:
    """A-law bytes to int16 samples."""
    pcm: Pcm = _DECODE[codes]
    return pcm


def alaw_bytes(signal: Floats) -> Bytes:
    """Float samples in [-1, 1] (clipped) to A-law bytes."""
    return alaw_encode(to_pcm(signal))


def to_pcm(signal: Floats) -> Pcm:
    """Float samples in [-1, 1] (clipped) to int16."""
    pcm: Pcm = np.clip(np.rint(signal * 32768.0), -32768, 32767).astype(np.int16)
    return pcm


def resample(pcm: Pcm, from_hz: int, to_hz: int) -> Pcm:
    """int16 samples at another rate, by FFT, band limited at 95 % of the lower Nyquist frequency."""
    return to_pcm(_spectrum_resample(pcm.astype(np.float32) / 32768.0, float(from_hz), to_hz)[0])


def _spectrum_resample(signal: Floats, from_hz: float, to_hz: int, shape: Any = None) -> tuple[Floats, int]:
    """Resample [n] and, if given, multiply the spectrum by shape(frequencies_hz, fft_length)."""
    count = fft.next_fast_len(len(signal) + 256, real=True)
    spectrum = fft.rfft(signal, count)
    out_count = max(2, round(count * to_hz / from_hz / 2) * 2)
    bins = out_count // 2 + 1
    moved = np.zeros(bins, np.complex64)
    kept = min(bins, len(spectrum))
    moved[:kept] = spectrum[:kept]
    hertz = np.arange(bins, dtype=np.float32) * np.float32(to_hz / out_count)
    moved[hertz > 0.475 * min(to_hz, from_hz)] = 0
    if shape is not None:
        moved *= shape(hertz, out_count)
    out = fft.irfft(moved, out_count)[: int(len(signal) * to_hz / from_hz)]
    return (out * np.float32(to_hz / from_hz)).astype(np.float32), out_count


class Channel:
    """Random telephone channels; keeps a few past signals as babble."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.added = "nothing"
        """What the last `apply` added: nothing, voices, hum or noise."""
        self._babble: list[Floats] = []

    def _band(self, hertz: Floats, count: int) -> npt.NDArray[np.complex64]:
        """Band-pass, random equaliser and sometimes a room, as a spectrum."""
        rng = self.rng
        low, high = rng.uniform(60, 380), rng.uniform(3000, 3800)
        response = 1 / np.sqrt(1 + (low / np.maximum(hertz, 1)) ** (2 * rng.uniform(1, 5)))
        response /= np.sqrt(1 + (hertz / high) ** (2 * rng.uniform(4, 12)))
        response *= 10 ** (np.interp(hertz, np.linspace(0, 4000, 7), rng.uniform(-6, 6, 7)) / 20)
        if rng.random() > 0.3:
            return np.asarray(response, np.complex64)
        length = int(PHONE_RATE_HZ * rng.uniform(0.05, 0.3))
        room = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / rng.uniform(4, 9)))
        room *= rng.uniform(0.05, 0.35) / (np.sqrt((room**2).sum()) + 1e-9)
        room[0] += 1
        return np.asarray(response * fft.rfft(room, count), np.complex64)

    def noise(self, count: int) -> Floats:
        """Noise [count] of unit power: coloured, babble of earlier signals, or mains hum."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.3 and len(self._babble) > 8:
            self.added, mixed = "voices", np.zeros(count, np.float32)
            for _ in range(rng.integers(1, 5)):
                voice = self._babble[rng.integers(len(self._babble))]
                mixed += np.resize(np.roll(voice, rng.integers(len(voice))), count)
        elif kind < 0.4:
            time = np.arange(count) / PHONE_RATE_HZ
            self.added, mixed = "hum", np.zeros(count, np.float32)
            for harmonic in range(1, 10):
                mixed += (rng.random() * np.sin(2 * np.pi * 50 * harmonic * time + rng.random() * 6)).astype(
                    np.float32
                )
        else:
            self.added = "noise"
            size = fft.next_fast_len(count, real=True)
            spectrum = fft.rfft(rng.standard_normal(size, dtype=np.float32))
            spectrum *= (np.arange(len(spectrum)) / len(spectrum) * 4000 + 50) ** -rng.uniform(0, 1)
            mixed = fft.irfft(spectrum, size)[:count].astype(np.float32)
        return mixed / np.float32(np.sqrt((mixed**2).mean()) + 1e-9)

    def apply(self, pcm: Pcm, rate_hz: int, clean: bool = False, warp: float = 1.0) -> Floats:
        """8 kHz float signal in [-1, 1] of `pcm` at `rate_hz`; `warp` > 1 shortens it and raises formants."""
        rng, self.added = self.rng, "nothing"
        signal, _ = _spectrum_resample(
            pcm.astype(np.float32) / 32768, rate_hz * warp, PHONE_RATE_HZ, None if clean else self._band
        )
        loud = signal[np.abs(signal) > 0.1 * np.abs(signal).max()] if len(signal) else signal
        signal = signal / np.float32(np.sqrt((loud**2).mean()) + 1e-9) if len(loud) else signal
        gain = np.float32(10 ** (rng.uniform(-38, -10) / 20))
        if clean:
            return np.clip(signal * gain, -1, 1)
        if rng.random() < 0.1:
            self._babble = [*self._babble[-40:], signal.copy()]
        if rng.random() < 0.6:
            signal = signal + self.noise(len(signal)) * np.float32(10 ** (-rng.uniform(6, 40) / 20))
        signal = np.clip(signal * gain, -1, 1)
        if rng.random() < 0.1 and len(signal) > 800:
            for _ in range(rng.integers(1, 4)):
                start = rng.integers(len(signal) - 400)
                signal[start : start + rng.integers(80, 320)] = 0
        return signal.astype(np.float32)


def telephone(pcm: Pcm, rate_hz: int, seed: int) -> Pcm:
    """`pcm` through one random telephone channel and A-law, as int16 at 8 kHz."""
    signal = Channel(np.random.default_rng(seed)).apply(pcm, rate_hz)
    return alaw_decode(alaw_bytes(signal))
