"""Samples: what is refused, and how another rate is brought to the model's."""

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Samples = NDArray[np.float32]

RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_ZEROS = 24
"""Zero crossings of the resampling filter on each side."""
_KAISER_BETA = 9.0
_ROLL_OFF = 0.95


class BadInput(ValueError):
    """A request that cannot be answered; the message says why and what to send instead."""


def check(samples: int, rate_hz: int, max_seconds: float) -> None:
    """Refuse an unusual rate, no samples, or more than ``max_seconds``.

    Raises:
        BadInput: with what to send instead.
    """
    if rate_hz not in RATES_HZ:
        raise BadInput(f"SAMPLE_RATE is {rate_hz} Hz\nhelp: send one of {', '.join(map(str, RATES_HZ))}")
    if samples == 0:
        raise BadInput("PCM has no samples\nhelp: send only segments that hold speech")
    if samples > max_seconds * rate_hz:
        raise BadInput(
            f"PCM has {samples / rate_hz:.1f} s, the most is {max_seconds:g} s\n"
            "help: cut speech into segments at its pauses"
        )


def resample(samples: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    """Samples [n] at another rate [ceil(n · wanted / rate)]: a windowed sinc, one filter for each phase."""
    if rate_hz == wanted_hz or not len(samples):
        return samples
    up, down = wanted_hz // gcd(rate_hz, wanted_hz), rate_hz // gcd(rate_hz, wanted_hz)
    taps, reach = _phases(up, down)
    count = -(-len(samples) * up // down)
    padded = np.concatenate([np.zeros(reach, np.float32), samples, np.zeros(reach + down, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape[1])
    answer = np.empty(count, np.float32)
    for first in range(min(up, count)):
        places = np.arange(first, count, up)
        answer[places] = windows[places * down // up] @ taps[first * down % up]
    return answer


@cache
def _phases(up: int, down: int) -> tuple[Samples, int]:
    """Filters [up, taps] by phase, and the samples that each reaches to the left."""
    cutoff = _ROLL_OFF * min(1.0, up / down)
    reach = int(np.ceil(_ZEROS / cutoff))
    offsets = np.arange(2 * reach + 1)[None, :] - reach - np.arange(up)[:, None] / up
    inside = np.clip(1.0 - (offsets / (reach + 1)) ** 2, 0.0, None)
    taps = cutoff * np.sinc(cutoff * offsets) * np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    return taps.astype(np.float32), reach
