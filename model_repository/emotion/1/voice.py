"""Sound to statistics of a voice: spectra of speech → bands, tilt, pitch, loudness → one row a stretch.

The only implementation: training reads it from here. Terms follow eGeMAPS (Eyben et al. 2016) where it has
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
FRAME, HOP, TURNED = 320, 160, 400
"""Samples a frame (40 ms), between frames (20 ms), and of the Fourier transform (bins of 20 Hz)."""
LOW_HZ, EDGE_HZ, HIGH_HZ = 150, 1000, 3600
"""The band that every telephone channel passes, and where alpha ratio cuts it in two."""
BANDS, CEPSTRA = 24, 12
SHORTEST_LAG, LONGEST_LAG = 18, 116
"""Periods of 69 to 444 Hz, in samples."""
FLOOR = 1e-3
"""Power below the mean level times this is not looked at (30 dB): channel noise."""
VOICED_FROM, VOICED_DB, ACTIVE_DB = 0.5, -18.0, -20.0
"""Periodicity and loudness over the mean level of a voiced frame; loudness of one that is not a pause."""
LARGEST_LEAP = 9.0
"""Semitones from the median beyond which a pitch is an octave error."""
AROUSAL = ("loudness_db", "pitch_st", "pitch_spread_st", "tilt_db", "voiced_share")
"""Columns of ``Voice.arousal``. Level re full scale of the louder frames; median pitch in semitones over 100
Hz and its 10th to 90th percentile; power over 1 kHz re below; share of frames with a pitch (0: pitch is not
known)."""

Floats = NDArray[np.float32]
Pcm = NDArray[np.int16]


def _tables() -> dict[str, Floats]:
    hertz = np.arange(TURNED // 2 + 1) * RATE_HZ / TURNED
    phase = 2 * np.pi * hertz / RATE_HZ * np.arange(FRAME)[:, None]
    window = np.hanning(FRAME + 1)[:-1, None]
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (LOW_HZ, HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    lags = np.arange(SHORTEST_LAG, LONGEST_LAG + 1)
    overlap = np.correlate(window[:, 0], window[:, 0], "full")[FRAME - 1 :]
    audible = (hertz >= 60)[:, None] * np.where((hertz > 0) & (hertz < RATE_HZ / 2), 2, 1)[:, None]
    turns = np.cos(2 * np.pi * hertz[:, None] / RATE_HZ * np.concatenate([[0], lags]))
    normal = np.concatenate([[1], overlap[lags] / overlap[0]])
    inside = (hertz >= LOW_HZ) & (hertz < HIGH_HZ)
    place = (np.arange(BANDS)[:, None] + 0.5) * np.arange(1, CEPSTRA + 1)
    tables = {
        "basis": np.concatenate([np.cos(phase), np.sin(phase)], 1) * window,
        "mel": triangles / np.maximum(triangles.sum(0), 1e-9),
        "cosine": np.cos(np.pi / BANDS * place) * np.sqrt(2 / BANDS),
        "lags": audible * turns / TURNED / normal,
        "sums": np.stack([inside, inside & (hertz < EDGE_HZ), inside & (hertz >= EDGE_HZ), inside * hertz /
        1000], 1),
        "slopes": np.stack([_slope(hertz, *span) for span in ((150, 500), (500, 1500), (1500, HIGH_HZ))], 1),
        "cost": 0.02 * np.log2(lags / lags[0]),
    }  # fmt: skip
    return {name: np.asarray(table, np.float32) for name, table in tables.items()}


def _slope(hertz: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Weights of decibels that give their least-squares slope per kHz between two frequencies."""
    inside = (hertz >= low) & (hertz < high)
    away = np.where(inside, hertz / 1000 - hertz[inside].mean() / 1000, 0)
    return np.asarray(away / (away**2).sum())


_T = _tables()
_BINS_IN = float(_T["sums"][:, 0].sum())
_LOWER, _UPPER = slice(LOW_HZ // 20, 100), slice(100, HIGH_HZ // 20)
"""Bins below and above 2 kHz: Hammarberg index."""


@dataclass(frozen=True)
class Voice:
    """What is measured of k stretches, one row each; a row does not depend on the others."""

    statistics: Floats
    """[k, S]"""
    arousal: Floats
    """[k, len(AROUSAL)]"""


def measure(stretches: Sequence[Pcm]) -> Voice:
    """The measurements of stretches of speech at RATE_HZ, of any lengths above 0."""
    pairs = [_measured(_Frames.of(pcm)) for pcm in stretches]
    if not pairs:
        return Voice(np.zeros((0, 0), np.float32), np.zeros((0, len(AROUSAL)), np.float32))
    return Voice(*(np.array(column, np.float32) for column in zip(*pairs, strict=True)))


@dataclass(frozen=True)
class _Frames:
    """[n] or [n, …] of each frame."""

    level_db: float
    bands: Floats
    """[n, BANDS] log power over the mean level."""
    shape: Floats
    """[n, 7] alpha ratio, Hammarberg index, three slopes, centroid in kHz, periodicity."""
    loudness_db: Floats
    pitch_st: Floats
    voiced: NDArray[np.bool_]

    @classmethod
    def of(cls, pcm: Pcm) -> "_Frames":
        power = _power(pcm)
        sums = power @ _T["sums"]
        total = sums[:, 0] + np.float32(1e-9)
        level = total.mean()
        floor = level * np.float32(FLOOR)
        decibels = 10 * np.log10(power + floor / _BINS_IN)
        loudness = 10 * np.log10(total / level + np.float32(FLOOR))
        pitch, periodicity = _pitch(power, floor)
        shape = [
            10 * np.log10((sums[:, 2] + 0.3 * floor) / (sums[:, 1] + 0.3 * floor)),
            decibels[:, _LOWER].max(1) - decibels[:, _UPPER].max(1),
            *(decibels @ _T["slopes"]).T,
            sums[:, 3] / total,
            periodicity,
        ]
        bands = np.log(power @ _T["mel"] + floor / _BINS_IN) - np.log(level / _BINS_IN)
        voiced = (periodicity > VOICED_FROM) & (loudness > VOICED_DB)
        level_db = float(10 * np.log10(level / _FULL_SCALE))
        return cls(level_db, bands, np.stack(shape, 1), loudness, pitch, voiced)


_FULL_SCALE = float((np.hanning(FRAME + 1)[:-1] ** 2).sum() * TURNED / 2)
"""Summed power of noise at full scale."""


def _power(pcm: Pcm) -> Floats:
    """[n, bins] of whole frames, at least one; shorter sound is padded with silence."""
    signal = np.zeros(max(FRAME, len(pcm)), np.float32)
    signal[: len(pcm)] = pcm
    signal /= 32768.0
    frames = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]
    turned = (frames - frames.mean(1, keepdims=True)) @ _T["basis"]
    turned *= turned
    half = turned.shape[1] // 2
    power: Floats = turned[:, :half] + turned[:, half:]
    return power


def _pitch(power: Floats, floor: np.float32) -> tuple[Floats, Floats]:
    """Semitones over 100 Hz and periodicity 0..1 by autocorrelation over the window's own (Boersma 1993)."""
    correlation = power @ _T["lags"]
    periodic = correlation[:, 1:] / (correlation[:, :1] + 0.02 * floor + np.float32(1e-12))
    best = (periodic - _T["cost"]).argmax(1)
    rows, inner = np.arange(len(best)), np.clip(best, 1, periodic.shape[1] - 2)
    before, here, after = (periodic[rows, inner + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * here + after, np.float32(-1e-6))
    lag = SHORTEST_LAG + inner + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return 12 * np.log2(RATE_HZ / 100 / lag), np.clip(periodic[rows, best], 0, 1)


def _measured(frames: _Frames) -> tuple[list[float], list[float]]:
    """Statistics and arousal of one stretch."""
    loud = 1 / (1 + np.exp(-(frames.loudness_db + 12) / 2))
    rows = np.concatenate([frames.bands, frames.bands @ _T["cosine"], frames.shape], 1)
    voiced = frames.voiced.astype(np.float32)
    change = np.abs(rows[2:] - rows[:-2]) if len(rows) > 2 else np.zeros_like(rows[:1])
    spoken = frames.shape if frames.voiced.any() else np.zeros_like(frames.shape)
    pitch = _pitch_statistics(frames)
    mean = _moments(rows, loud)
    parts = [
        *mean,
        *_moments(change, loud[1:-1] if len(rows) > 2 else loud[:1]),
        *_moments(spoken, voiced),
        np.array(pitch),
        _loudness_statistics(frames),
        _rhythm(frames),
    ]
    share = float(voiced.mean())
    active = frames.loudness_db[frames.loudness_db > ACTIVE_DB]
    level = frames.level_db + (_quantiles(active, (0.8,))[0] if len(active) else 0.0)
    tilt = float(mean[0][BANDS + CEPSTRA])
    return np.concatenate(parts).tolist(), [level, pitch[2], pitch[4] - pitch[0], tilt, share]


def _moments(rows: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and deviation of each column."""
    share = weight / (weight.sum() + np.float32(1e-6))
    mean = share @ rows
    away = rows - mean
    return mean, np.sqrt(share @ (away * away) + np.float32(1e-6))


def _quantiles(values: Floats, points: Sequence[float]) -> list[float]:
    """Values at shares of the sorted row, between neighbours in proportion."""
    ordered = np.sort(values)
    return np.interp(np.array(points) * (len(ordered) - 1), np.arange(len(ordered)), ordered).tolist()


def _pitch_statistics(frames: _Frames) -> list[float]:
    """Quantiles, spreads, and movement from frame to frame, in semitones; 0 where less than 3 are voiced."""
    pitch = frames.pitch_st[frames.voiced]
    if len(pitch) < 3:
        return [0.0] * 14
    middle = np.median(pitch)
    pitch = np.where(np.abs(pitch - middle) > LARGEST_LEAP, middle, pitch)
    points = _quantiles(pitch, (0.1, 0.25, 0.5, 0.75, 0.9))
    step = np.diff(frames.pitch_st)[frames.voiced[1:] & frames.voiced[:-1]]
    if not len(step):
        step = np.zeros(1, np.float32)
    size, glide = np.minimum(np.abs(step), 6), step[np.abs(step) < 4]
    glides = [np.maximum(glide, 0).mean(), np.minimum(glide, 0).mean()] if len(glide) else [0.0, 0.0]
    movement = [size.mean(), np.median(size), (size > 1.5).mean(), *glides]
    spreads = [points[4] - points[0], points[3] - points[1], pitch.std(), pitch.mean()]
    return [*points, *spreads, *map(float, movement)]


def _loudness_statistics(frames: _Frames) -> Floats:
    """Quantiles and spread of the frames that are not pauses, and movement, in dB."""
    active = frames.loudness_db[frames.loudness_db > ACTIVE_DB]
    quantiles = _quantiles(active, (0.1, 0.5, 0.8, 0.95)) if len(active) else [0.0] * 4
    step = np.diff(frames.loudness_db) if len(frames.loudness_db) > 1 else np.zeros(1, np.float32)
    spread = active.std() if len(active) else 0.0
    return np.array([*quantiles, spread, np.abs(step).mean(), step.std()], np.float32)


def _rhythm(frames: _Frames) -> Floats:
    """Share and length of voicing, onsets and loudness peaks a second, pauses."""
    seconds = len(frames.voiced) * HOP / RATE_HZ
    onsets = int((~frames.voiced[:-1] & frames.voiced[1:]).sum())
    runs = max(1, onsets + int(frames.voiced[0]))
    smooth = np.convolve(frames.loudness_db, np.array([1, 2, 3, 2, 1], np.float32) / 9, "same")[
        : len(frames.voiced)
    ]
    middle = smooth[1:-1]
    peaks = ((middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > -12)).sum()
    pauses = (frames.loudness_db < VOICED_DB).mean()
    voiced = frames.voiced.sum()
    return np.array(
        [voiced / len(frames.voiced), onsets / seconds, voiced / runs, pauses, peaks / seconds], np.float32
    )
