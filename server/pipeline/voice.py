"""Numba kernels of the speech detector: energies over the line's noise, tones, voicing, runs.

They see one channel. Arrays are per frame unless said otherwise; thresholds come from speech.py.
"""

import numpy as np
from numpy.typing import NDArray

from operators.columns import kernel

Pcm = NDArray[np.int16]
Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]

FULL, LOW, HIGH = 0, 1, 2
_LOWEST_DB, _BINS, _BINS_PER_DB = -110.0, 480, 4.0


@kernel
def analyse(
    pcm: Pcm, hop: int, step: int, high_pass: NDArray[np.float64], low_pass: NDArray[np.float64]
) -> tuple[Floats, Pcm]:
    """Energies [3, frames] in dB of full scale, and the low band at ``1 / step`` of the rate for ``voicing``.

    FULL is the high-passed signal (no hum), LOW that below the low-pass, where vowels are, HIGH its first
    difference, where consonants are. Filters are biquads (b0, b1, b2, a1, a2) in transposed direct form II.
    """
    frames = len(pcm) // hop
    energy = np.empty((3, frames), np.float32)
    thin = np.empty(frames * hop // step, np.int16)
    h1 = h2 = l1 = l2 = last = held = 0.0
    b0, b1, b2, a1, a2 = high_pass[0], high_pass[1], high_pass[2], high_pass[3], high_pass[4]
    d0, d1, d2, c1, c2 = low_pass[0], low_pass[1], low_pass[2], low_pass[3], low_pass[4]
    filled = 0
    full_scale = hop * 32768.0 * 32768.0
    for frame in range(frames):
        full = low = high = 1e-3
        for i in range(frame * hop, frame * hop + hop):
            x = float(pcm[i])
            y = b0 * x + h1
            h1 = b1 * x - a1 * y + h2
            h2 = b2 * x - a2 * y
            z = d0 * y + l1
            l1 = d1 * y - c1 * z + l2
            l2 = d2 * y - c2 * z
            full += y * y
            low += z * z
            high += (y - last) * (y - last)
            last = y
            held += z
            if (i + 1) % step == 0:
                thin[filled] = int(min(max(held / step, -32768.0), 32767.0))
                filled += 1
                held = 0.0
        energy[FULL, frame] = 10.0 * np.log10(full / full_scale)
        energy[LOW, frame] = 10.0 * np.log10(low / full_scale)
        energy[HIGH, frame] = 10.0 * np.log10(high / full_scale)
    return energy, thin


@kernel
def over_floor(energy: Floats, around: int, share: float) -> Floats:
    """dB by which the energy, smoothed over 3 frames, exceeds its floor.

    The floor is the ``share`` quantile of ``around`` frames on each side: minimum statistics (R. Martin 2001)
    with a quantile for the minimum. A sliding histogram keeps it linear.
    """
    frames = len(energy)
    smooth = np.empty(frames, np.float32)
    bins = np.empty(frames, np.int64)
    for f in range(frames):
        value = (energy[max(f - 1, 0)] + energy[f] + energy[min(f + 1, frames - 1)]) / 3.0
        smooth[f] = max(value, -100.0)
        bins[f] = min(max(int((smooth[f] - _LOWEST_DB) * _BINS_PER_DB), 0), _BINS - 1)
    counts = np.zeros(_BINS, np.int64)
    over = np.empty(frames, np.float32)
    first = after = 0
    for f in range(frames):
        while after < min(frames, f + around):
            counts[bins[after]] += 1
            after += 1
        while first < f - around:
            counts[bins[first]] -= 1
            first += 1
        wanted = int(share * (after - first))
        seen = counts[0]
        floor = 0
        while seen <= wanted and floor < _BINS - 1:
            floor += 1
            seen += counts[floor]
        over[f] = smooth[f] - (floor / _BINS_PER_DB + _LOWEST_DB)
    return over


@kernel
def active(energy: Floats, over: Floats, gate: float, rise: float, fall: float) -> Marks:
    """Runs of frames above ``gate`` and more than ``fall`` over the floor that pass ``rise`` somewhere."""
    frames = len(over)
    on = np.zeros(frames, np.bool_)
    start = -1
    risen = False
    for f in range(frames + 1):
        if f < frames and energy[f] > gate and over[f] > fall:
            if start < 0:
                start = f
                risen = False
            risen = risen or over[f] > rise
        elif start >= 0:
            on[start:f] = risen
            start = -1
    return on


@kernel
def clear_tones(energy: Floats, on: Marks, range_db: float, shortest: int) -> None:
    """Unmark, in place, stretches whose level stays within ``range_db``: dial and ring tones, DTMF, beeps."""
    f = 0
    while f < len(on):
        end = f
        low = high = energy[f]
        while end < len(on) and on[end]:
            low, high = min(low, energy[end]), max(high, energy[end])
            if high - low > range_db:
                break
            end += 1
        if end - f >= shortest:
            on[max(f - 2, 0) : end + 2] = False
            f = end + 2
        else:
            f += 1


@kernel
def clear_copies(pcm: Pcm, other: Pcm, on: Marks, hop: int, alike: float, quieter: float) -> None:
    """Unmark, in place, frames in which ``pcm`` is a faint copy of ``other``.

    Over four frames, the copy has less than 1 / ``quieter`` of the other's energy, and more than ``alike`` of
    its own is explained by the other (squared correlation).
    """
    for f in range(len(on)):
        if on[f]:
            begin, end = max(f - 1, 0) * hop, min((f + 3) * hop, len(pcm))
            here = there = shared = np.int64(1)
            for i in range(begin, end):
                x, y = np.int64(pcm[i]), np.int64(other[i])
                here += x * x
                there += y * y
                shared += x * y
            faint = here * quieter < there
            on[f] = not (faint and float(shared) * float(shared) > alike * float(here) * float(there))


@kernel
def voicing(thin: Pcm, begin: int, count: int, shortest: int, longest: int) -> float:
    """Largest normalised autocorrelation of ``count`` samples at lags of a voice; 0 at the very ends."""
    if begin < 0 or begin + count + longest > len(thin):
        return 0.0
    # Integers: their sums may be reordered, so the compiler uses vector instructions.
    x = thin[begin : begin + count + longest].astype(np.int32)
    here = np.int64(100)
    for i in range(count):
        here += np.int64(x[i]) * x[i]
    there = here
    best = 0.0
    for lag in range(1, longest):
        there += np.int64(x[count + lag - 1]) * x[count + lag - 1] - np.int64(x[lag - 1]) * x[lag - 1]
        if lag >= shortest:
            dot = np.int64(0)
            for i in range(count):
                dot += np.int64(x[i]) * x[i + lag]
            if dot > 0:
                best = max(best, float(dot) * float(dot) / (float(here) * float(max(there, 100))))
    return float(np.sqrt(best))


@kernel
def near_voice(
    on: Marks, thin: Pcm, per_frame: int, rate_hz: int, voiced: float, near: int, enough: int
) -> Marks:
    """The marked frames within ``near`` frames of a voiced one, in runs that have ``enough`` of those.

    Every second frame is looked at: 24 ms, lags of 70 to 400 Hz, ``thin`` being at ``rate_hz``.
    """
    count, shortest, longest = rate_hz * 24 // 1000, rate_hz // 400, rate_hz // 70
    kept = np.zeros(len(on), np.bool_)
    start = 0
    while start < len(on):
        end = start
        while end < len(on) and on[end]:
            end += 1
        heard = 0
        for f in range(start, end, 2):
            begin = f * per_frame + per_frame // 2 - (count + longest) // 2
            if voicing(thin, begin, count, shortest, longest) > voiced:
                heard += 1
                kept[max(start, f - near) : min(end, f + near)] = True
        if heard < enough:
            kept[start:end] = False
        start = end + 1
    return kept


@kernel
def joined(on: Marks, pause: int, shortest: int) -> NDArray[np.int64]:
    """[n, 2] first frame and frame after the last of speech: ``shortest`` marked frames, no ``pause``."""
    found = np.empty((len(on) // 2 + 1, 2), np.int64)
    count = marked = 0
    start = end = -1
    for f in range(len(on) + pause):
        if f < len(on) and on[f]:
            if start < 0:
                start, marked = f, 0
            end = f + 1
            marked += 1
        elif start >= 0 and f - end + 1 >= pause:
            if marked >= shortest:
                found[count, 0], found[count, 1] = start, end
                count += 1
            start = -1
    return found[:count]


@kernel
def energy_db(pcm: Pcm, hop: int) -> Floats:
    """Energy of each whole frame of ``hop`` samples in dB of full scale, at least -100."""
    energy = np.empty(len(pcm) // hop, np.float32)
    for frame in range(len(energy)):
        total = 0.0
        for i in range(frame * hop, frame * hop + hop):
            total += float(pcm[i]) * float(pcm[i])
        energy[frame] = max(-100.0, 10.0 * np.log10(total / (hop * 32768.0 * 32768.0) + 1e-10))
    return energy
