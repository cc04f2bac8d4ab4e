"""Sound to statistics of a voice: spectra of speech → bands, tilt, pitch, loudness → one row a stretch.

The only implementation: training reads it from here. Terms follow eGeMAPS (Eyben et al. 2016) where it has
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

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
        "window": window[:, 0] / 32768,
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
    groups = list(_groups([_frame_count(len(pcm)) for pcm in stretches]))
    parts = [part for group in groups for part in _measured(_Frames.of(stretches[group]))]
    if not parts:
        return Voice(np.zeros((0, 0), np.float32), np.zeros((0, len(AROUSAL)), np.float32))
    return Voice(*(np.array(column, np.float32) for column in zip(*parts, strict=True)))


FRAMES_AT_ONCE = 1000
"""Frames of neighbouring stretches that are turned together: small stretches cost one step, not many."""


def _frame_count(samples: int) -> int:
    return 1 + max(0, samples - FRAME) // HOP


def _groups(counts: Sequence[int]) -> Iterator[slice]:
    """Runs of stretches with FRAMES_AT_ONCE frames or few more together."""
    first = frames = 0
    for place, count in enumerate(counts):
        frames += count
        if frames >= FRAMES_AT_ONCE:
            yield slice(first, place + 1)
            first, frames = place + 1, 0
    if first < len(counts):
        yield slice(first, len(counts))


@dataclass(frozen=True)
class _Frames:
    """The frames of several stretches, one behind the other: [n] or [n, …] of each frame."""

    starts: NDArray[np.int64]
    """[k] first frame of each stretch."""
    counts: NDArray[np.int64]
    level_db: NDArray[np.float64]
    """[k]"""
    bands: Floats
    """[n, BANDS] log power over the mean level of the stretch."""
    shape: Floats
    """[n, 7] alpha ratio, Hammarberg index, three slopes, centroid in kHz, periodicity."""
    loudness_db: Floats
    pitch_st: Floats
    voiced: NDArray[np.bool_]

    @classmethod
    def of(cls, stretches: Sequence[Pcm]) -> "_Frames":
        counts = np.array([_frame_count(len(pcm)) for pcm in stretches])
        starts = np.cumsum(counts) - counts
        power = _power(stretches, counts)
        sums = power @ _T["sums"]
        total = sums[:, 0] + np.float32(1e-9)
        levels = np.add.reduceat(total, starts) / counts.astype(np.float32)
        level = np.repeat(levels, counts)
        floor = level * np.float32(FLOOR)
        decibels = 10 * np.log10(power + floor[:, None] / _BINS_IN)
        loudness = 10 * np.log10(total / level + np.float32(FLOOR))
        pitch, periodicity = _pitch(power, floor)
        shape = [
            10 * np.log10((sums[:, 2] + 0.3 * floor) / (sums[:, 1] + 0.3 * floor)),
            decibels[:, _LOWER].max(1) - decibels[:, _UPPER].max(1),
            *(decibels @ _T["slopes"]).T,
            sums[:, 3] / total,
            periodicity,
        ]
        bands = np.log(power @ _T["mel"] + floor[:, None] / _BINS_IN) - np.log(level / _BINS_IN)[:, None]
        voiced = (periodicity > VOICED_FROM) & (loudness > VOICED_DB)
        level_db = 10 * np.log10(levels.astype(np.float64) / _FULL_SCALE)
        return cls(starts, counts, level_db, bands, np.stack(shape, 1), loudness, pitch, voiced)


_FULL_SCALE = float((np.hanning(FRAME + 1)[:-1] ** 2).sum() * TURNED / 2)
"""Summed power of noise at full scale."""


def _power(stretches: Sequence[Pcm], counts: NDArray[np.int64]) -> Floats:
    """[n, bins] of whole frames, at least one a stretch; shorter sound is padded with silence."""
    frames = np.empty((counts.sum(), FRAME), np.float32)
    at = 0
    for pcm, count in zip(stretches, counts.tolist(), strict=True):
        signal = np.zeros(max(FRAME, len(pcm)), np.float32)
        signal[: len(pcm)] = pcm
        frames[at : at + count] = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]
        at += count
    frames -= frames.mean(1, keepdims=True)
    frames *= _T["window"]
    spectrum = fft.rfft(frames, n=TURNED, axis=1)  # scipy's, because numpy's turns in double precision
    power: Floats = spectrum.real**2 + spectrum.imag**2
    return power


def _pitch(power: Floats, floor: Floats) -> tuple[Floats, Floats]:
    """Semitones over 100 Hz and periodicity 0..1 by autocorrelation over the window's own (Boersma 1993)."""
    correlation = power @ _T["lags"]
    periodic = correlation[:, 1:] / (correlation[:, :1] + 0.02 * floor[:, None] + np.float32(1e-12))
    best = (periodic - _T["cost"]).argmax(1)
    rows, inner = np.arange(len(best)), np.clip(best, 1, periodic.shape[1] - 2)
    before, here, after = (periodic[rows, inner + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * here + after, np.float32(-1e-6))
    lag = SHORTEST_LAG + inner + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return 12 * np.log2(RATE_HZ / 100 / lag), np.clip(periodic[rows, best], 0, 1)


def _measured(frames: _Frames) -> Iterator[tuple[Floats, list[float]]]:
    """Statistics and arousal of each stretch."""
    loud = 1 / (1 + np.exp(-(frames.loudness_db + 12) / 2))
    rows = np.concatenate([frames.bands, frames.bands @ _T["cosine"], frames.shape], 1)
    change, inner = np.zeros_like(rows), np.zeros_like(loud)
    change[:-2] = np.abs(rows[2:] - rows[:-2])
    inner[:-2] = loud[1:-1]
    ends = frames.starts + frames.counts
    for edge in (ends - 1, np.maximum(ends - 2, 0)):  # their second next frame is another stretch's
        inner[edge] = 0
    moments = np.concatenate(
        [
            *_moments(rows, loud, frames.starts),
            *_moments(change, inner, frames.starts),
            *_moments(frames.shape, frames.voiced.astype(np.float32), frames.starts),
        ],
        1,
    )
    for place, (first, last) in enumerate(zip(frames.starts.tolist(), ends.tolist(), strict=True)):
        yield _of_one(_Course.of(frames, slice(first, last)), moments[place], float(frames.level_db[place]))


@dataclass(frozen=True)
class _Course:
    """Loudness and pitch of one stretch, frame by frame."""

    loudness_db: Floats
    pitch_st: Floats
    voiced: NDArray[np.bool_]

    @classmethod
    def of(cls, frames: _Frames, rows: slice) -> "_Course":
        return cls(frames.loudness_db[rows], frames.pitch_st[rows], frames.voiced[rows])


def _of_one(course: _Course, moments: Floats, level_db: float) -> tuple[Floats, list[float]]:
    pitch = _pitch_statistics(course)
    active = course.loudness_db[course.loudness_db > ACTIVE_DB]
    level = level_db + (_quantiles(active, (0.8,))[0] if len(active) else 0.0)
    tilt = float(moments[BANDS + CEPSTRA])
    others = [np.array(pitch, np.float32), _loudness_statistics(course, active), _rhythm(course)]
    arousal = [level, pitch[2], pitch[4] - pitch[0], tilt, float(course.voiced.mean())]
    return np.concatenate([moments, *others]), arousal


def _moments(rows: Floats, weight: Floats, starts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Weighted mean and deviation [k, columns] of each stretch's rows."""
    sums = np.add.reduceat(weight, starts) + np.float32(1e-6)
    share = weight / np.repeat(sums, np.diff(starts, append=len(weight)))
    mean = np.add.reduceat(share[:, None] * rows, starts, axis=0)
    away = rows - np.repeat(mean, np.diff(starts, append=len(weight)), axis=0)
    return mean, np.sqrt(np.add.reduceat(share[:, None] * away * away, starts, axis=0) + np.float32(1e-6))


def _quantiles(values: Floats, points: Sequence[float]) -> list[float]:
    """Values at shares of the sorted row, between neighbours in proportion."""
    ordered = np.sort(values).tolist()
    found = []
    for point in points:
        at = point * (len(ordered) - 1)
        low = int(at)
        high = min(low + 1, len(ordered) - 1)
        found.append(ordered[low] + (at - low) * (ordered[high] - ordered[low]))
    return found


def _pitch_statistics(course: _Course) -> list[float]:
    """Quantiles, spreads, and movement from frame to frame, in semitones; 0 where less than 3 are voiced."""
    pitch = course.pitch_st[course.voiced]
    if len(pitch) < 3:
        return [0.0] * 14
    middle = np.median(pitch)
    pitch = np.where(np.abs(pitch - middle) > LARGEST_LEAP, middle, pitch)
    points = _quantiles(pitch, (0.1, 0.25, 0.5, 0.75, 0.9))
    step = np.diff(course.pitch_st)[course.voiced[1:] & course.voiced[:-1]]
    if not len(step):
        step = np.zeros(1, np.float32)
    size, glide = np.minimum(np.abs(step), 6), step[np.abs(step) < 4]
    glides = [np.maximum(glide, 0).mean(), np.minimum(glide, 0).mean()] if len(glide) else [0.0, 0.0]
    movement = [size.mean(), np.median(size), (size > 1.5).mean(), *glides]
    spreads = [points[4] - points[0], points[3] - points[1], pitch.std(), pitch.mean()]
    return [*points, *spreads, *map(float, movement)]


def _loudness_statistics(course: _Course, active: Floats) -> Floats:
    """Quantiles and spread of the frames that are not pauses, and movement, in dB."""
    quantiles = _quantiles(active, (0.1, 0.5, 0.8, 0.95)) if len(active) else [0.0] * 4
    step = np.diff(course.loudness_db) if len(course.loudness_db) > 1 else np.zeros(1, np.float32)
    spread = active.std() if len(active) else 0.0
    return np.array([*quantiles, spread, np.abs(step).mean(), step.std()], np.float32)


def _rhythm(course: _Course) -> Floats:
    """Share and length of voicing, onsets and loudness peaks a second, pauses."""
    seconds = len(course.voiced) * HOP / RATE_HZ
    onsets = int((~course.voiced[:-1] & course.voiced[1:]).sum())
    runs = max(1, onsets + int(course.voiced[0]))
    smooth = np.convolve(course.loudness_db, np.array([1, 2, 3, 2, 1], np.float32) / 9, "same")[
        : len(course.voiced)
    ]
    middle = smooth[1:-1]
    peaks = ((middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > -12)).sum()
    pauses = (course.loudness_db < VOICED_DB).mean()
    voiced = course.voiced.sum()
    return np.array(
        [voiced / len(course.voiced), onsets / seconds, voiced / runs, pauses, peaks / seconds], np.float32
    )
