"""What the road asks of the models. Adapters implement it; tests may script it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
TURNS_BEFORE = 6
"""Turns before a turn that the tag model is told of."""


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
    offers: frozenset[str] = frozenset()
    """Tensors beyond what the contract asks for that the model takes or gives."""


@dataclass(frozen=True)
class Feelings:
    """What the emotion model says of turns; None for what it was not asked or does not offer."""

    sound: NDArray[np.float32] | None = None
    """[T, K] scores 0..1 of how it sounds."""
    words: NDArray[np.float32] | None = None
    """[T, K] scores 0..1 of what is said."""
    arousal: NDArray[np.float32] | None = None
    """[T, F] measurements of the voice, see server.pipeline.emotion.AROUSAL."""


def also_said(previous: str, role: str, text: str) -> str:
    """What is told of the turns before the next one: a line more, behind its role; the last TURNS_BEFORE."""
    lines = [*previous.splitlines(), f"{role}:{' '.join(text.split())}"]
    return "\n".join(lines[-TURNS_BEFORE:])


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
        """Emotion scores [S, K] in 0..1 of segments, from sound alone and each by itself."""

    def feelings(
        self,
        segments: Sequence[Pcm] | None,
        texts: Sequence[str],
        speakers: Sequence[int],
        *,
        deadline_s: float,
    ) -> Feelings:
        """What the emotion model says of turns: of their sound if there is any, of their words if it reads
        them.

        ``speakers``: one number a turn, equal where one person speaks.
        """

    def tag_turns(
        self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str], *, deadline_s: float
    ) -> NDArray[np.float32]:
        """Tag scores [T, N] in 0..1 of turns, given each turn's role and the text of the turn before it."""
