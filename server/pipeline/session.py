"""One call down the road: open, feed, close. Every door uses this and nothing else."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import accumulate
from time import monotonic
from types import TracebackType
from typing import Any

import numpy as np

from operators.rules.judge import Judge
from operators.table import CallTable
from server.config import Settings
from server.errors import BadInput, DeadlineOver
from server.pipeline import emotion, loudness, report, speech, transcript, turns
from server.pipeline.call import Audio, Call, Speech
from server.pipeline.decode import Decoder
from server.pipeline.models import Models, Pcm, also_said

SHORTEST_EMOTION_MS = 300
"""Less sound than this says nothing about a feeling; such turns are widened to it."""
LONGEST_EMOTION_MS = 15_000


@dataclass(frozen=True)
class Inspection:
    """What one call came to: the result object and what a picture of it needs."""

    result: dict[str, Any]
    call: Call | None = None
    """None when the call could not be inspected."""
    table: CallTable | None = None
    audio: Audio | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by stage."""


class Road:
    """The parts every call shares: models, decoder, compiled rules. Safe to use from many threads."""

    def __init__(self, settings: Settings, models: Models, judges: Mapping[str, Judge]) -> None:
        self.settings = settings
        self.models = models
        self.judges = judges
        self.decoder = Decoder(settings)
        self.pool = ThreadPoolExecutor(2 * settings.max_concurrent_calls, "road")

    @property
    def sample_rate_hz(self) -> int:
        """The rate the recogniser wants."""
        return int((self.models.asr.parameters or {}).get("sample_rate_hz", "8000"))

    def judge(self, pack: str) -> Judge:
        """The compiled pack called ``pack``, or the default.

        Raises:
            BadInput: no such pack is loaded.
        """
        name = pack or self.settings.pack
        if name not in self.judges:
            raise BadInput(
                f"no pack {name!r} is loaded", help=f"loaded packs: {', '.join(sorted(self.judges))}"
            )
        return self.judges[name]

    def inspect_audio(
        self, data: bytes, *, call_id: str, meta: Mapping[str, Any], agent_channel: int | None = None,
        pack: str = "", deadline_s: float | None = None,
    ) -> Inspection:  # fmt: skip
        """Inspect one media file.

        Raises:
            EarshotError: the file, the metadata or a model is at fault; see server.errors.
        """
        judge = self.judge(pack)
        clock = _Clock(self.settings.deadline_s if deadline_s is None else deadline_s)
        plain = transcript.plain_meta(meta)
        audio = self.decoder.decode(data, sample_rate_hz=self.sample_rate_hz, deadline_s=clock.left_s())
        clock.stage("decode")
        session = Session(self, judge, call_id=call_id, meta=plain, clock=clock, agent_channel=agent_channel)
        session.feed(audio)
        return session.close()

    def inspect_transcript(
        self, raw: object, *, call_id: str, meta: Mapping[str, Any] | None = None, pack: str = "",
        deadline_s: float | None = None,
    ) -> Inspection:  # fmt: skip
        """Inspect one transcript or chat object.

        Raises:
            EarshotError: the transcript or a model is at fault; see server.errors.
        """
        judge = self.judge(pack)
        clock = _Clock(self.settings.deadline_s if deadline_s is None else deadline_s)
        call = transcript.parse(raw, call_id=call_id, meta=meta)
        return _conclude(self, judge, call, clock)

    def close(self) -> None:
        """Stop the decoder's children and the threads; the models belong to whoever made them."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.decoder.close()

    def __enter__(self) -> "Road":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Clock:
    """One call's deadline and the wall time of its stages."""

    def __init__(self, deadline_s: float) -> None:
        self._end = monotonic() + deadline_s
        self._mark = monotonic()
        self.seconds: dict[str, float] = {}

    def left_s(self) -> float:
        """Seconds left.

        Raises:
            DeadlineOver: none.
        """
        left = self._end - monotonic()
        if left <= 0:
            raise DeadlineOver("the call's time ran out", help="allow more time, or send shorter calls")
        return left

    def stage(self, name: str) -> None:
        """Book the time since the last stage under ``name``."""
        now = monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._mark
        self._mark = now


class Session:
    """A call in progress: feed it decoded audio, close it for the result."""

    def __init__(
        self, road: Road, judge: Judge, *, call_id: str, meta: Mapping[str, Any], clock: _Clock,
        agent_channel: int | None = None,
    ) -> None:  # fmt: skip
        self._road, self._judge, self._clock = road, judge, clock
        self._call_id, self._meta = call_id, meta
        self._agent_channel = road.settings.agent_channel if agent_channel is None else agent_channel
        self._pieces: list[Audio] = []

    def feed(self, audio: Audio) -> None:
        """Take the next stretch of the call's audio."""
        self._pieces.append(audio)

    def close(self) -> Inspection:
        """Recognise, build turns, judge, report."""
        road, clock = self._road, self._clock
        audio = _joined(self._pieces)
        sides, warnings = sides_of(audio, self._agent_channel)
        found = _detect(sides, audio.sample_rate_hz)
        cuts = _cuts(sides, found, audio.sample_rate_hz)
        clock.stage("speech")
        spoken = turns.build(_recognise(road.models, cuts, self._agent_channel, clock.left_s()))
        spoken = loudness.measured(spoken, sides, audio.sample_rate_hz)
        clock.stage("asr")
        call = Call(
            call_id=self._call_id, meta=self._meta, turns=spoken, duration_ms=audio.duration_ms,
            has_times=True, separated=len(sides) == 2, has_audio=True, speech=found,
            warnings=(*audio.warnings, *warnings),
        )  # fmt: skip
        return _conclude(road, self._judge, call, clock, audio, sides)


def _joined(pieces: list[Audio]) -> Audio:
    if len(pieces) == 1:
        return pieces[0]
    return replace(
        pieces[0],
        pcm=np.concatenate([piece.pcm for piece in pieces], axis=1),
        warnings=tuple(dict.fromkeys(warning for piece in pieces for warning in piece.warnings)),
    )


def sides_of(audio: Audio, agent_channel: int) -> tuple[dict[str, Pcm], tuple[str, ...]]:
    """Role → samples. One channel, or the same signal on both, cannot tell who speaks: role ``other``."""
    if audio.channels == 1:
        return {"other": audio.pcm[0]}, ("mono",)
    if "identical_channels" in audio.warnings:
        return {"other": audio.pcm[0]}, ()
    return {"agent": audio.pcm[agent_channel], "customer": audio.pcm[1 - agent_channel]}, ()


def cuts_of(audio: Audio, agent_channel: int) -> list[tuple[str, int, Pcm]]:
    """What the recogniser is asked for a call: role, start in ms, and samples of every cut."""
    sides, _ = sides_of(audio, agent_channel)
    return _cuts(sides, _detect(sides, audio.sample_rate_hz), audio.sample_rate_hz)


def _detect(sides: Mapping[str, Pcm], rate_hz: int) -> dict[str, Speech]:
    others = {"agent": sides.get("customer"), "customer": sides.get("agent")}
    return {role: speech.detect(pcm, rate_hz, others.get(role)) for role, pcm in sides.items()}


def _cuts(sides: Mapping[str, Pcm], found: Mapping[str, Speech], rate_hz: int) -> list[tuple[str, int, Pcm]]:
    cuts = []
    for role, pcm in sides.items():
        pieces = speech.split(found[role], pcm, rate_hz)
        for start_ms, end_ms in zip(pieces.start_ms.tolist(), pieces.end_ms.tolist(), strict=True):
            cuts.append((role, start_ms, pcm[start_ms * rate_hz // 1000 : end_ms * rate_hz // 1000]))
    return cuts


def _recognise(
    models: Models, cuts: Sequence[tuple[str, int, Pcm]], agent_channel: int, left_s: float
) -> list[turns.Heard]:
    channels = {"agent": agent_channel, "customer": 1 - agent_channel, "other": 0}
    units = models.transcribe([pcm for _, _, pcm in cuts], deadline_s=left_s) if cuts else []
    return [
        turns.Heard(role, channels[role], start, u) for (role, start, _), u in zip(cuts, units, strict=True)
    ]


def _conclude(
    road: Road,
    judge: Judge,
    call: Call,
    clock: _Clock,
    audio: Audio | None = None,
    sides: Mapping[str, Pcm] | None = None,
) -> Inspection:
    """The part of the road that audio and transcripts share: scores, table, operators, rules, report."""
    models = road.models
    call = _scored(road, call, clock, audio, sides)
    clock.stage("scores")
    table = turns.table(call, emotion_labels=emotion.labels(models.emotion), tag_labels=models.tags.labels)
    (judgement,) = judge.judge(table)
    clock.stage("rules")
    result = report.build(call, table, judgement, judge.pack, models)
    clock.stage("report")
    return Inspection(result, call, table, audio, clock.seconds)


def _scored(
    road: Road, call: Call, clock: _Clock, audio: Audio | None, sides: Mapping[str, Pcm] | None
) -> Call:
    """The call with its turns' emotions and tags; the two models are asked at once."""
    if not call.turns:
        return call
    models, texts, roles = road.models, [t.text for t in call.turns], [t.role for t in call.turns]
    excerpts = None
    if audio is not None and sides is not None:
        excerpts = [
            _excerpt(turn.start_ms or 0, turn.end_ms or 0, sides[turn.role], audio.sample_rate_hz)
            for turn in call.turns
        ]
    felt = road.pool.submit(
        models.feelings, excerpts, texts, emotion.speakers(call.turns), deadline_s=clock.left_s()
    )
    told = accumulate(
        zip(roles, texts, strict=True), lambda before, turn: also_said(before, *turn), initial=""
    )
    tags = models.tag_turns(texts, roles, list(told)[:-1], deadline_s=clock.left_s())
    feelings = emotion.of_turns(call.turns, models.emotion, felt.result())
    return replace(call, turns=turns.scored(call.turns, feelings, (models.tags.labels, tags)))


def _excerpt(start_ms: int, end_ms: int, pcm: Pcm, rate_hz: int) -> Pcm:
    """The turn's own sound, widened to what the emotion model can judge and cut to what it takes."""
    lack_ms = max(0, SHORTEST_EMOTION_MS - (end_ms - start_ms))
    first = max(0, start_ms - lack_ms // 2 - lack_ms % 2) * rate_hz // 1000
    last = min(end_ms + lack_ms // 2, start_ms + LONGEST_EMOTION_MS) * rate_hz // 1000
    return pcm[first : max(last, first + SHORTEST_EMOTION_MS * rate_hz // 1000)]
