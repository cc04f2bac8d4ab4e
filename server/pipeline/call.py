"""The call on its way down the road: decoded audio, turns, the result. Plain data, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.pipeline.models import Pcm

Millis = NDArray[np.int64]


@dataclass(frozen=True)
class Audio:
    """Decoded audio: one row per channel, all of one length."""

    pcm: Pcm
    """[channels, samples] int16."""
    sample_rate_hz: int
    container: str
    """What the file was, for the report: e.g. ``wav/pcm_alaw``."""
    warnings: tuple[str, ...] = ()
    """Things worth telling: clipped, identical channels, truncated file …"""

    @property
    def channels(self) -> int:
        """Number of channels (1 or 2)."""
        return int(self.pcm.shape[0])

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return int(self.pcm.shape[1]) * 1000 // self.sample_rate_hz


@dataclass(frozen=True)
class Turn:
    """One stretch of speech by one role."""

    role: str
    text: str
    start_ms: int | None
    end_ms: int | None
    channel: int = -1
    confidence: float | None = None
    char_start_ms: tuple[int, ...] = ()
    char_end_ms: tuple[int, ...] = ()
    emotion: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    loudness_db: float | None = None
    """Level of the turn's speech, dB of full scale; None without sound."""


@dataclass(frozen=True)
class Speech:
    """Speech segments of one channel, in order, as milliseconds from the call's start."""

    start_ms: Millis
    end_ms: Millis


@dataclass(frozen=True)
class Call:
    """A call ready for inspection: turns plus what is known of the audio."""

    call_id: str
    meta: Mapping[str, Any]
    turns: tuple[Turn, ...]
    duration_ms: int
    has_times: bool
    separated: bool
    has_audio: bool
    speech: Mapping[str, Speech] = field(default_factory=dict)
    """Role → speech segments; empty for transcripts (turn times serve then)."""
    warnings: tuple[str, ...] = ()
