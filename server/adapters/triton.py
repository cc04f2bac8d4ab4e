"""The models behind Triton: ``connect`` is the only door; the rest is in the ``triton_*`` files beside.

process and guard run the server, probe checks its interpreter, client and contract speak with it, lane, ward
and supervisor keep it answering. docs/triton.md tells why.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.adapters import triton_contract as contract
from server.adapters.triton_context import read_words
from server.adapters.triton_feelings import Asked, gathered, spread
from server.adapters.triton_lane import Job
from server.adapters.triton_probe import Interpreter
from server.adapters.triton_supervisor import Supervisor
from server.adapters.triton_tensors import Tensor
from server.config import Settings
from server.errors import BadModel, BadSetting
from server.pipeline.models import Feelings, ModelInfo, Pcm, Units
from server.pipeline.windows import Window

TURNS_A_REQUEST = 32
"""Turns of a call that travel together: a request costs both sides more than the scores of a turn do."""


@dataclass(frozen=True)
class ModelState:
    """One model now."""

    name: str
    version: str
    serving: bool
    reason: str
    """Why it does not serve; empty when it does."""
    known_answer: bool
    """Whether a canary with a known answer guards it, or only the shape of its answers."""
    canary_ms: float
    repairs: int


@dataclass(frozen=True)
class TritonState:
    """The server and its models now."""

    source: str
    """Where Triton comes from: ``bundled``, a binary's path, or an address."""
    address: str
    """Where it listens now."""
    interpreter: Interpreter | None
    """The models' Python; unknown for a server of someone else."""
    restarts: int
    pids: dict[str, int]
    models: tuple[ModelState, ...]


class TritonModels:
    """The models of the road (see server.pipeline.models.Models) over a supervised Triton."""

    def __init__(self, supervisor: Supervisor, source: str, context: tuple[Tensor, ...] = ()) -> None:
        self._supervisor = supervisor
        self._source = source
        self._context = context

    @property
    def asr(self) -> ModelInfo:
        """The recogniser; its parameter ``sample_rate_hz`` is the rate that segments must have."""
        return self._supervisor.wards[contract.ASR].info

    @property
    def emotion(self) -> ModelInfo:
        """The emotion model; labels name the K columns of ``emotions``."""
        return self._supervisor.wards[contract.EMOTION].info

    @property
    def tags(self) -> ModelInfo:
        """The tag model; labels name the N columns of ``tag_turns``."""
        return self._supervisor.wards[contract.TAGS].info

    @property
    def healthy(self) -> bool:
        """Whether all models serve and the watch over them is alive."""
        return self._supervisor.watching and all(
            ward.lane.is_open for ward in self._supervisor.wards.values()
        )

    @property
    def _sample_rate_hz(self) -> int:
        return int((self.asr.parameters or {})["sample_rate_hz"])

    def transcribe(self, segments: Sequence[Pcm], *, deadline_s: float) -> list[Units]:
        """Recognise segments ([samples] each, any lengths above 0), one answer each."""
        rate = self._sample_rate_hz

        def job(pcm: Pcm) -> Job[Units]:
            duration_ms = len(pcm) * 1000 // rate
            request = contract.segment_request(pcm, rate, self._context)
            return Job(request, lambda outputs: contract.read_units(outputs, duration_ms), len(pcm))

        return self._supervisor.wards[contract.ASR].lane.ask_all([job(pcm) for pcm in segments], deadline_s)

    def hear(self, window: Window, state: bytes, *, deadline_s: float) -> tuple[Units, bytes]:
        """Units of a segment up to ``window``'s new frames, and the state its next window is asked with."""
        rate = self._sample_rate_hz
        duration_ms = window.heard_samples * 1000 // rate
        request = contract.window_request(window, state, rate, self._context)
        job = Job(request, lambda outputs: contract.read_window(outputs, duration_ms), len(window.pcm))
        return self._supervisor.wards[contract.ASR].lane.ask_all([job], deadline_s)[0]

    def emotions(self, segments: Sequence[Pcm], *, deadline_s: float) -> NDArray[np.float32]:
        """Emotion scores [S, K] in 0..1 of segments, which have the recogniser's sample rate."""
        rate, width = self._sample_rate_hz, len(self.emotion.labels)

        def job(first: int) -> Job[contract.Scores]:
            stretches = segments[first : first + TURNS_A_REQUEST]
            request = contract.stretches_request(stretches, rate)
            read = contract.read_scores(contract.EMOTION, len(stretches), width)
            return Job(request, read, sum(map(len, stretches)))

        jobs = [job(first) for first in range(0, len(segments), TURNS_A_REQUEST)]
        return _stack(self._supervisor.wards[contract.EMOTION].lane.ask_all(jobs, deadline_s), width)

    def feelings(
        self,
        segments: Sequence[Pcm] | None,
        texts: Sequence[str],
        speakers: Sequence[int],
        *,
        deadline_s: float,
    ) -> Feelings:
        """What the emotion model says of turns' sound, if there is any, and of their words, if it reads
        them."""
        asked = Asked(segments, texts, speakers, self._sample_rate_hz)
        parts = asked.parts(self.emotion)
        if not parts or not texts:
            return Feelings()
        jobs = [asked.job(rows, self.emotion, parts) for rows in spread(len(texts), TURNS_A_REQUEST)]
        answers = self._supervisor.wards[contract.EMOTION].lane.ask_all(jobs, deadline_s)
        return gathered(answers, len(texts))

    def tag_turns(
        self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str], *, deadline_s: float
    ) -> NDArray[np.float32]:
        """Tag scores [T, N] in 0..1 of turns, given each turn's role and the text of the turn before it."""
        width = len(self.tags.labels)

        def job(first: int) -> Job[contract.Scores]:
            turns = slice(first, first + TURNS_A_REQUEST)
            request = contract.turns_request(texts[turns], roles[turns], previous[turns])
            size = sum(map(len, texts[turns]))
            return Job(request, contract.read_scores(contract.TAGS, len(texts[turns]), width), size)

        jobs = [job(first) for first in range(0, len(texts), TURNS_A_REQUEST)]
        return _stack(self._supervisor.wards[contract.TAGS].lane.ask_all(jobs, deadline_s), width)

    def state(self) -> TritonState:
        """The server and its models now, for health checks and ``earshot doctor``."""
        models = tuple(
            ModelState(
                name=name,
                version=ward.info.version,
                serving=ward.lane.is_open,
                reason=ward.lane.reason,
                known_answer=ward.canary is not None and ward.canary.known_answer,
                canary_ms=ward.lane.canary_s * 1000,
                repairs=ward.repairs,
            )
            for name, ward in self._supervisor.wards.items()
        )
        server = self._supervisor.server
        return TritonState(
            source=self._source,
            address=server.url if server is not None else self._source,
            interpreter=self._supervisor.interpreter,
            restarts=self._supervisor.restarts,
            pids=server.pids() if server is not None else {},
            models=models,
        )

    def close(self) -> None:
        """Stop the server if it is ours: no process, socket or shared memory is left. May be called twice."""
        self._supervisor.close()


def connect(settings: Settings) -> TritonModels:
    """Start Triton (or reach the one that ``settings`` names), check it and its models, and keep watch.

    Raises:
        BadSetting: Triton or its interpreter is not fit to run on, or the context words cannot be used.
        BadModel: a model does not load, breaks its contract or gives a wrong canary answer.
    """
    supervisor = Supervisor(settings)
    supervisor.start()
    source = settings.triton_url or settings.triton_bin or "bundled"
    try:
        most = int((supervisor.wards[contract.ASR].info.parameters or {}).get("context_words", "0"))
        context = read_words(settings.context_words, most)
    except BadSetting:
        supervisor.close()
        raise
    models = TritonModels(supervisor, source, context)
    _check_rates(models)
    return models


def _check_rates(models: TritonModels) -> None:
    asr, emotion = ((info.parameters or {}).get("sample_rate_hz") for info in (models.asr, models.emotion))
    if emotion is not None and emotion != asr:
        models.close()
        raise BadModel(
            f"the models 'asr' and 'emotion' want {asr} and {emotion} Hz, but get the same segments",
            help="leave sample_rate_hz out of emotion/config.pbtxt if it resamples, or match the two models",
        )


def _stack(rows: list[contract.Scores], width: int) -> NDArray[np.float32]:
    return np.concatenate(rows) if rows else np.zeros((0, width), np.float32)
