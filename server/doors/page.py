"""The compliance officer's page: results of calls as one self-contained HTML file.

What the page says is put together in page_view.py and page_findings.py, the time line in page_timeline.py,
sound in page_sound.py; the looks are page.html, page.css and page.js beside this file. The file loads nothing
from anywhere, and its content policy lets only the page's own script run: transcripts are hostile input.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.doors import page_template
from server.doors.page_events import Stretch, interruptions, silences
from server.doors.page_findings import Found, findings, moment
from server.doors.page_sound import outline, playable
from server.doors.page_timeline import Drawn, Line, Span, line
from server.doors.page_view import (
    Checked,
    Said,
    feeling,
    headline,
    items,
    measure_groups,
    named_values,
    transcript,
)
from server.doors.page_words import date_and_time, length, name, warning_text
from server.pipeline.call import Audio, Call, Speech
from server.pipeline.session import Inspection

MAX_SOUND_MS = 4 * 3600 * 1000
"""Sound embedded in one page, all calls together: about 80 MB; later calls are shown without."""
MAX_CALL_SOUND_MS = 90 * 60 * 1000
"""Longest call whose sound is embedded: Firefox takes data addresses up to 32 MB."""
KEY_FACTS = ("call_start_local", "direction", "callee_relation", "agency_type", "hangup_by")
"""Metadata shown in the head of a call; the rest is one click away."""


@dataclass(frozen=True)
class CallView:
    """One call as the page shows it: its result object, and what the road knows beyond it."""

    result: Mapping[str, Any]
    """The object ``earshot inspect --json`` prints; every key but ``call_id`` may be missing."""
    audio: Audio | None = None
    """Embedded for listening, and drawn."""
    channel_roles: tuple[str, ...] = ("agent", "customer")
    """Who speaks on which channel of ``audio``; ignored for one channel."""
    speech: Mapping[str, Speech] = field(default_factory=dict)
    silences: Sequence[Stretch] = ()
    interruptions: Sequence[Stretch] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """Chinese names of ids (tags, emotions, operators, measures, metadata); others show as they are."""


@dataclass(frozen=True)
class _Shown:
    """Everything the template says about one call."""

    number: int
    view: CallView
    call_id: str
    score: str
    state: str
    state_text: str
    started: str
    duration_ms: int | None
    facts: Sequence[tuple[str, str]]
    meta: Sequence[tuple[str, str]]
    measures: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    versions: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    error: Mapping[str, str] | None
    items: Sequence[Checked]
    findings: Sequence[Found]
    turns: Sequence[Said]
    line: Line | None
    sound: str

    @property
    def hits(self) -> int:
        """How many items are hit."""
        return sum(item.verdict == "hit" for item in self.items)


def view(done: Inspection) -> CallView:
    """Return what the page needs of an inspected call: its result, sound, and the events in it."""
    call, table = done.call, done.table
    if call is None or table is None:
        return CallView(done.result)
    return CallView(
        {"meta": dict(call.meta), **done.result},
        audio=done.audio,
        channel_roles=_channel_roles(call),
        speech=call.speech,
        silences=silences(table),
        interruptions=interruptions(table),
    )


def render(results: Sequence[CallView]) -> str:
    """Return one HTML file that shows ``results``: an overview when there are several, then each call."""
    left_ms = MAX_SOUND_MS
    shown = []
    for number, view in enumerate(results, 1):
        sound_ms = view.audio.duration_ms if view.audio else 0
        fits = 0 < sound_ms <= min(MAX_CALL_SOUND_MS, left_ms)
        left_ms -= sound_ms if fits else 0
        shown.append(_shown(number, view, playable(view.audio) if fits and view.audio else ""))
    return page_template.fill(shown, [view.result for view in results])


def _channel_roles(call: Call) -> tuple[str, ...]:
    """Who speaks on which channel, as the turns have it: the agent on the first where they do not say."""
    known = {turn.channel: turn.role for turn in call.turns}
    if known.get(0) == "customer" or known.get(1) == "agent":
        return ("customer", "agent")
    return ("agent", "customer")


def _shown(number: int, view: CallView, sound: str) -> _Shown:
    result, titles = view.result, view.titles
    found = findings(result, titles)
    checked = items(result, found, titles)
    state, state_text = headline(found, checked)
    error = result.get("error")
    meta = dict(result.get("meta") or {})
    score = result.get("score")
    duration_ms = _duration_ms(view)
    warnings = [warning_text(str(code), titles) for code in result.get("warnings") or ()]
    if view.audio and view.audio.duration_ms and not sound:
        warnings.append("本页音频已达上限，此通未嵌入录音，仅显示波形。")
    return _Shown(
        number=number,
        view=view,
        call_id=str(result.get("call_id", "")),
        score="" if score is None else f"{score:g}",
        state="error" if error else state,
        state_text="检查失败" if error else state_text,
        started=date_and_time(str(meta.get("call_start_local", ""))),
        duration_ms=duration_ms,
        facts=named_values({k: meta[k] for k in KEY_FACTS if k in meta}, titles),
        meta=named_values({k: v for k, v in meta.items() if k not in KEY_FACTS}, titles),
        measures=measure_groups(result.get("measures"), titles),
        versions=named_values(result.get("versions"), titles),
        warnings=warnings,
        error=_error(error) if error else None,
        items=checked,
        findings=found,
        turns=transcript(result, found, titles),
        line=_line(view, found, duration_ms),
        sound=sound,
    )


def _error(error: Any) -> Mapping[str, str]:
    told = error if isinstance(error, Mapping) else {"message": str(error)}
    return {key: str(told.get(key) or "") for key in ("code", "message", "help")}


def _duration_ms(view: CallView) -> int | None:
    if view.audio:
        return view.audio.duration_ms
    known = [view.result.get("duration_ms"), (view.result.get("measures") or {}).get("duration_ms")]
    ends = [turn.get("end_ms") for turn in view.result.get("turns") or ()]
    lengths = [int(ms) for ms in [*known, *ends] if ms is not None]
    return max(lengths, default=None)


def _line(view: CallView, found: Sequence[Found], duration_ms: int | None) -> Line | None:
    """The call's time line; None where nothing has a time."""
    if not duration_ms:
        return None
    turns = [turn for turn in view.result.get("turns") or () if turn.get("start_ms") is not None]
    audio = view.audio
    return line(
        Drawn(
            duration_ms=duration_ms,
            turns=[_turn_span(turn) for turn in turns],
            emotions=[_emotion_span(turn, view.titles) for turn in turns if turn.get("emotion")],
            flags=[_flag(f) for f in found if f.start_ms is not None],
            silences=[_stretch(s, "静音", view.titles) for s in view.silences],
            interruptions=[_stretch(s, "抢话", view.titles) for s in view.interruptions],
            speech=list(_speech(view.speech)),
            outlines=outline(audio.pcm, audio.sample_rate_hz) if audio and audio.duration_ms else None,
            channel_roles=view.channel_roles,
            titles=view.titles,
        )
    )


def _turn_span(turn: Mapping[str, Any]) -> Span:
    start_ms, end_ms = int(turn["start_ms"]), int(turn.get("end_ms") or turn["start_ms"])
    title = f"{moment(start_ms, end_ms)} {turn.get('text', '')}"
    return Span(start_ms, end_ms, title, role=str(turn.get("role", "other")))


def _emotion_span(turn: Mapping[str, Any], titles: Mapping[str, str]) -> Span:
    emotion, score = feeling(turn)
    words = name(emotion, titles)
    span = _turn_span(turn)
    return Span(span.start_ms, span.end_ms, f"{words} {score:.2f}", emotion, words[:1], role=span.role)


def _flag(found: Found) -> Span:
    start_ms = found.start_ms or 0
    title = f"{name(found.severity, {})} {found.title} {moment(found.start_ms, found.end_ms)}"
    return Span(start_ms, start_ms, title, found.severity, str(found.number), f"finding-{found.number}")


def _stretch(stretch: Stretch, what: str, titles: Mapping[str, str]) -> Span:
    role = f"（{name(stretch.role, titles)}）" if stretch.role else ""
    kind = f" {titles[stretch.kind]}" if stretch.kind in titles else ""
    lasts = length(stretch.end_ms - stretch.start_ms)
    title = f"{what}{kind}{role} {moment(stretch.start_ms, stretch.end_ms)}，{lasts}"
    return Span(stretch.start_ms, stretch.end_ms, title, label=f"{what} {lasts}", role=stretch.role)


def _speech(speech: Mapping[str, Speech]) -> Iterable[Span]:
    for role, segments in speech.items():
        for start_ms, end_ms in zip(segments.start_ms.tolist(), segments.end_ms.tolist(), strict=True):
            yield Span(start_ms, end_ms, role=role)
