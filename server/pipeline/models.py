"""What the road asks of the models. Adapters implement it; tests may script it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


@dataclass(frozen=True)
class Units:
    """What the recogniser heard in one segment: characters with times from the segment's start."""

    characters: tuple[str, ...]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    confidence: NDArray[np.float32]
    """[n] each, confidence 0..1."""


@dataclass(frozen=True)
class ModelInfo:
    """One served model: its name, its version (from the weights' digest) and its labels, if it has any."""

    name: str
    version: str
    labels: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None


class Models(Protocol):
    """The three models of the road. Methods keep the order of their input and may be called by many threads.

    Raises (all methods): ModelUnavailable, BadModel, DeadlineOver.
    """

    @property
    def healthy(self) -> bool:
        """Whether every model gave its known answer lately."""

    @property
    def asr(self) -> ModelInfo:
        """The recogniser; its parameter ``sample_rate_hz`` is the rate that segments must have."""

    @property
    def emotion(self) -> ModelInfo:
        """The emotion model; labels name the K columns of ``emotions``."""

    @property
    def tags(self) -> ModelInfo:
        """The tag model; labels name the N columns of ``tag_turns``."""

    def transcribe(self, segments: Sequence[Pcm], *, deadline_s: float) -> list[Units]:
        """Recognise segments (any lengths, the recogniser's sample rate), one answer each."""

    def emotions(self, segments: Sequence[Pcm], *, deadline_s: float) -> NDArray[np.float32]:
        """Emotion scores [S, K] in 0..1 of segments."""

    def tag_turns(
        self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str], *, deadline_s: float
    ) -> NDArray[np.float32]:
        """Tag scores [T, N] in 0..1 of turns, given each turn's role and the text of the turn before it."""
