"""How loud each turn is: the level of its speech in dB of full scale."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log10

import numpy as np

from server.pipeline.call import Turn
from server.pipeline.models import Pcm

FRAME_MS = 20
FULL_SCALE = 32768.0
VOICED_DB = 20.0
"""Frames this far below the turn's loud ones are pauses, breath or noise, not its voice."""
_LOUD_SHARE = 0.9
_LEAST_POWER = 1e-10
"""-100 dB, digital silence."""


def loudness_db(pcm: Pcm, sample_rate_hz: int) -> float | None:
    """Mean power of the voiced frames of [n] int16 in dB of full scale; None for less than a frame."""
    hop = sample_rate_hz * FRAME_MS // 1000
    count = len(pcm) // hop
    if not count:
        return None
    frames = pcm[: count * hop].reshape(count, hop).astype(np.float32)
    power = np.einsum("fs,fs->f", frames, frames) / (hop * FULL_SCALE**2)
    loud = np.partition(power, int(_LOUD_SHARE * count))[int(_LOUD_SHARE * count)]
    voiced = power[power >= loud * 10 ** (-VOICED_DB / 10)]
    return 10 * log10(max(float(voiced.mean()), _LEAST_POWER))


def measured(turns: Sequence[Turn], sides: Mapping[str, Pcm], sample_rate_hz: int) -> tuple[Turn, ...]:
    """``turns`` with their loudness, each from the sound of its own side."""
    return tuple(
        replace(turn, loudness_db=loudness_db(_sound(turn, sides[turn.role], sample_rate_hz), sample_rate_hz))
        for turn in turns
    )


def _sound(turn: Turn, pcm: Pcm, sample_rate_hz: int) -> Pcm:
    first, last = ((ms or 0) * sample_rate_hz // 1000 for ms in (turn.start_ms, turn.end_ms))
    return pcm[first:last]
