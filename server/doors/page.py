"""The compliance officer's page: results of calls as one self-contained HTML file.

What the page says is put together in page_view.py and page_findings.py, the time line in page_timeline.py,
sound in page_sound.py; the looks are page.html, page.css and page.js beside this file. The file loads nothing
from anywhere, and its content policy lets only the page's own script run: transcripts are hostile input.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from server.doors.page_findings import Found, findings, moment
from server.doors.page_sound import outline, playable
from server.doors.page_timeline import Drawn, Line, Span, line
from server.doors.page_view import Checked, Said, date_and_time, headline, items, named_values, transcript
from server.doors.page_words import VERDICT_SIGNS, clock, length, name
from server.pipeline.call import Audio, Speech

MAX_SOUND_MS = 4 * 3600 * 1000
"""Sound embedded in one page, all calls together: about 80 MB; later calls are shown without."""
MAX_CALL_SOUND_MS = 90 * 60 * 1000
"""Longest call whose sound is embedded: Firefox takes data addresses up to 32 MB."""
KEY_FACTS = ("call_start_local", "direction", "callee_relation", "agency_type", "hangup_by")
"""Metadata shown in the head of a call; the rest is one click away."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the call worth drawing: a silence or an interruption."""

    start_ms: int
    end_ms: int
    kind: str = ""
    """A finer name, shown through ``CallView.titles`` where it is there: e.g. ``pause``, ``response``."""
    role: str = ""
    """Who owes the answer (silence) or who interrupts (interruption)."""


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
    measures: Sequence[tuple[str, str]]
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


def render(results: Sequence[CallView]) -> str:
    """Return one HTML file that shows ``results``: an overview when there are several, then each call."""
    left_ms = MAX_SOUND_MS
    shown = []
    for number, view in enumerate(results, 1):
        sound_ms = view.audio.duration_ms if view.audio else 0
        fits = 0 < sound_ms <= min(MAX_CALL_SOUND_MS, left_ms)
        left_ms -= sound_ms if fits else 0
        shown.append(_shown(number, view, playable(view.audio) if fits and view.audio else ""))
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )
    page = (
        _environment()
        .get_template("page.html")
        .render(
            calls=shown,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            data=Markup(_script_json([view.result for view in results])),
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _shown(number: int, view: CallView, sound: str) -> _Shown:
    result, titles = view.result, view.titles
    found = findings(result, titles)
    checked = items(result, found, titles)
    state, state_text = headline(found, checked)
    error = result.get("error")
    meta = dict(result.get("meta") or {})
    score = result.get("score")
    duration_ms = _duration_ms(view)
    warnings = [str(w) for w in result.get("warnings") or ()]
    if view.audio and view.audio.duration_ms and not sound:
        warnings.append("本页音频已达上限，此通未嵌入录音，仅显示波形。")
    return _Shown(
        number=number,
        view=view,
        call_id=str(result.get("call_id", "")),
        score="" if score is None else f"{score:g}",
        state="error" if error else state,
        state_text="检查失败" if error else state_text,
        started=str(date_and_time(meta.get("call_start_local", ""))),
        duration_ms=duration_ms,
        facts=named_values({k: date_and_time(meta[k]) for k in KEY_FACTS if k in meta}, titles),
        meta=named_values({k: v for k, v in meta.items() if k not in KEY_FACTS}, titles),
        measures=named_values(result.get("measures"), titles),
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
    emotion, score = max(turn["emotion"].items(), key=lambda pair: pair[1])
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


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, lasting=length)
    environment.globals.update(name=name, moment=moment, signs=VERDICT_SIGNS)
    return environment


def _asset(file: str) -> str:
    return files("server.doors").joinpath(file).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, nor trip an old JavaScript parser."""
    text = json.dumps(_finite(value), ensure_ascii=False, default=str, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
