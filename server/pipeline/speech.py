"""Speech: where somebody talks on one channel, and where to cut that for the recogniser.

Speech is sound that rises over the line's noise, has a voice in it and is no tone. bench/speech.py compares
this with a neural detector on real and built calls and says why this one was kept; the thresholds were chosen
on half of the recordings used there.
"""

from math import cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from server.pipeline import voice
from server.pipeline.call import Speech
from server.pipeline.models import Pcm

Int64 = NDArray[np.int64]

FRAME_MS = 10
SHORTEST_MS = 80
"""Less sound than this is no word; a clipped 嗯 or 对 has 100 ms and more."""
PAUSE_MS = 300
"""Shorter pauses lie inside an utterance: stops, breath."""
PAD_START_MS, PAD_END_MS = 100, 150
"""Added on both sides; sentences fade out, so more behind."""
MERGE_MS = 800
"""Segments closer than this go to the recogniser as one: it hears better with the words around."""
MARGIN_MS = 100
"""What the recogniser hears around a segment: faint consonants that are no speech to the detector."""

_SILENCE_DB = -62.0
"""Of full scale. Nothing quieter is speech; A-law writes silence at -72 dB, DTX writes zeros."""
_RISE_DB, _FALL_DB = 4.0, 2.0
"""Over the floor: what starts speech and what keeps it going. Low, because a voice is asked for as well."""
_RANGE_DB = 32.0
"""A voice this far below the channel's loud speech is the other side leaking in."""
_FLOOR_FRAMES, _FLOOR_SHARE = 200, 0.1
_VOICED, _VOICED_FRAMES, _NEAR_VOICE_FRAMES = 0.6, 2, 20
_TONE_DB, _TONE_FRAMES = 0.4, 6
_COPY_ALIKE, _COPY_QUIETER = 0.8, 10.0
"""Opus at 24 kbit/s codes two channels jointly and leaves a copy of each in the other, 25 dB down and alike
to 0.98 and more; of frames in which two people talk, half stay below 0.16 and 97 of 100 below 0.58."""
_HIGH_PASS_HZ, _LOW_PASS_HZ, _THIN_HZ = 200.0, 1000.0, 4000


def detect(pcm: Pcm, sample_rate_hz: int, other: Pcm | None = None) -> Speech:
    """Speech of one channel [n] int16, from 8 kHz up, padded; segments neither touch nor overlap.

    ``other`` is the call's other channel, of the same length: a faint copy of it is no speech here. Echoes
    that come late are told by their level alone.
    """
    hop = sample_rate_hz * FRAME_MS // 1000
    if len(pcm) < hop:
        return Speech(np.zeros(0, np.int64), np.zeros(0, np.int64))
    step = _step(hop, sample_rate_hz)
    energy, thin = voice.analyse(
        np.ascontiguousarray(pcm), hop, step,
        _biquad(_HIGH_PASS_HZ, sample_rate_hz, sign=-1), _biquad(_LOW_PASS_HZ, sample_rate_hz, sign=1),
    )  # fmt: skip
    over = np.maximum(*(voice.over_floor(energy[band], _FLOOR_FRAMES, _FLOOR_SHARE) for band in (1, 2)))
    full = energy[voice.FULL]
    loud = full[(over > _RISE_DB) & (full > _SILENCE_DB)]
    gate = max(_SILENCE_DB, float(np.percentile(loud, 90)) - _RANGE_DB) if len(loud) else _SILENCE_DB
    on = voice.active(full, over, gate, _RISE_DB, _FALL_DB)
    voice.clear_tones(full, on, _TONE_DB, _TONE_FRAMES)
    if other is not None:
        voice.clear_copies(
            np.ascontiguousarray(pcm), np.ascontiguousarray(other), on, hop, _COPY_ALIKE, _COPY_QUIETER
        )
    on = voice.near_voice(
        on, thin, hop // step, sample_rate_hz // step, _VOICED, _NEAR_VOICE_FRAMES, _VOICED_FRAMES
    )
    found = FRAME_MS * voice.joined(on, PAUSE_MS // FRAME_MS, SHORTEST_MS // FRAME_MS)
    total_ms = len(pcm) * 1000 // sample_rate_hz
    return Speech(np.maximum(found[:, 0] - PAD_START_MS, 0), np.minimum(found[:, 1] + PAD_END_MS, total_ms))


def _step(hop: int, sample_rate_hz: int) -> int:
    """How many samples make one for voicing: about ``_THIN_HZ``, and a whole number of them a frame."""
    step = max(1, sample_rate_hz // _THIN_HZ)
    while hop % step:
        step -= 1
    return step


def _biquad(corner_hz: float, sample_rate_hz: int, *, sign: int) -> NDArray[np.float64]:
    """Second-order Butterworth, low-pass (sign 1) or high-pass (-1) (R. Bristow-Johnson's cookbook)."""
    angle = 2 * pi * corner_hz / sample_rate_hz
    alpha = sin(angle) / sqrt(2)
    b = (1 - sign * cos(angle)) / 2
    return np.array([b, 2 * sign * b, b, -2 * cos(angle), 1 - alpha]) / (1 + alpha)


def split(
    speech: Speech, pcm: Pcm, sample_rate_hz: int, *, max_ms: int = 15_000, merge_ms: int = MERGE_MS
) -> Speech:
    """Cut speech for the recogniser: near segments merged, none longer than ``max_ms``.

    A long segment is cut where its energy dips deepest in the second half of what is allowed, so that words
    stay whole; the pieces of one segment touch. Where there is room, MARGIN_MS more are heard.
    """
    dips = _smooth(frame_energy_db(pcm, sample_rate_hz, frame_ms=FRAME_MS), 5)
    start: list[int] = []
    end: list[int] = []
    for a, b in zip(speech.start_ms.tolist(), speech.end_ms.tolist(), strict=True):
        if start and a - end[-1] < merge_ms and b - start[-1] <= max_ms:
            end[-1] = b
            continue
        while b - a > max_ms:
            first, last = (a + max_ms // 2) // FRAME_MS, (a + max_ms) // FRAME_MS
            cut = (first + int(np.argmin(dips[first:last]))) * FRAME_MS + FRAME_MS // 2
            start.append(a)
            end.append(cut)
            a = cut
        start.append(a)
        end.append(b)
    return _widened(np.array(start, np.int64), np.array(end, np.int64), len(pcm) * 1000 // sample_rate_hz)


def _widened(start_ms: Int64, end_ms: Int64, total_ms: int) -> Speech:
    """MARGIN_MS more on both sides, but no further than half way to the next one."""
    room = (start_ms[1:] - end_ms[:-1]) // 2
    before = np.concatenate([start_ms[:1], room])
    after = np.concatenate([room, total_ms - end_ms[-1:]])
    return Speech(start_ms - np.minimum(before, MARGIN_MS), end_ms + np.minimum(after, MARGIN_MS))


def _smooth(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    return (
        np.convolve(values, np.full(width, 1 / width, np.float32), mode="same")
        if len(values) >= width
        else values
    )


def frame_energy_db(pcm: Pcm, sample_rate_hz: int, *, frame_ms: int = 20) -> NDArray[np.float32]:
    """Energy of each whole frame of [n] int16 in dB of full scale, at least -100; a full sine has -3 dB."""
    return np.asarray(
        voice.energy_db(np.ascontiguousarray(pcm), sample_rate_hz * frame_ms // 1000), np.float32
    )
