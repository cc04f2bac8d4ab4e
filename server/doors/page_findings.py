"""Findings in words: worst first, with their evidence quoted turn by turn."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from server.doors.page_words import SEVERITIES, VERDICTS, clock, name, rank, value_text

OPERATOR_UNITS = {
    "silence": "ms", "interruption": "ms", "overlap": "ms", "response_time": "ms", "speech_rate": "cpm",
    "tag": "score", "semantic_tag": "score", "emotion": "score", "similar": "score",
}  # fmt: skip
"""What an operator's value is; the values of others say nothing that the quoted words do not."""
TIMELESS = ("meta", "call_shape")
COMPARISONS = {
    "eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "in": "属于", "not_in": "不属于",
    "time_in": "在时段", "known": "已知",
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A part of a turn's text; ``findings`` are the numbers of the findings that rest on it."""

    text: str
    findings: tuple[int, ...] = ()
    severity: str = ""


@dataclass(frozen=True)
class Quote:
    """A piece of evidence: the words of one turn, or a fact about the call."""

    turn: int | None
    role: str
    start_ms: int | None
    end_ms: int | None
    pieces: tuple[Piece, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """One finding."""

    number: int
    rule: str
    title: str
    item: str
    why: str
    instead: str
    severity: str
    verdict: str
    score: str
    start_ms: int | None
    end_ms: int | None
    turn: int | None
    quotes: tuple[Quote, ...]


def findings(result: Mapping[str, Any], titles: Mapping[str, str]) -> tuple[Found, ...]:
    """Findings, worst first, then by time; numbered in that order from 1."""
    raw = [f for f in result.get("findings") or () if f.get("verdict", "hit") in ("hit", "unknown", "open")]
    raw.sort(key=_worst_first)
    return tuple(_found(number, finding, result, titles) for number, finding in enumerate(raw, 1))


def _worst_first(finding: Mapping[str, Any]) -> tuple[int, int, int]:
    verdict = rank(VERDICTS, finding.get("verdict", "hit"))
    return verdict, rank(SEVERITIES, finding.get("severity")), finding.get("start_ms") or 0


def _found(
    number: int, finding: Mapping[str, Any], result: Mapping[str, Any], titles: Mapping[str, str]
) -> Found:
    turns = [t for t in finding.get("turns") or () if _turn(result, t) is not None]
    score = finding.get("score")
    return Found(
        number=number,
        rule=str(finding.get("rule", "")),
        title=str(finding.get("title") or name(str(finding.get("rule", "")), titles)),
        item=str(finding.get("item", "")),
        why=str(finding.get("why") or ""),
        instead=str(finding.get("instead") or ""),
        severity=str(finding.get("severity") or "info"),
        verdict=str(finding.get("verdict", "hit")),
        score="" if score is None else f"{score:+g}".replace("-", "−"),
        start_ms=_start(finding, turns, result),
        end_ms=finding.get("end_ms"),
        turn=turns[0] if turns else None,
        quotes=_quotes(number, finding, turns, result, titles),
    )


def _turn(result: Mapping[str, Any], index: Any) -> Mapping[str, Any] | None:
    turns: Sequence[Mapping[str, Any]] = result.get("turns") or ()
    return turns[index] if isinstance(index, int) and 0 <= index < len(turns) else None


def _tells(entry: Mapping[str, Any]) -> bool:
    """What is missing is told where it can be named; a pattern that matched nothing helps no reader."""
    params = entry.get("params") or {}
    return bool(entry.get("holds", True) or "any" in params or "field" in params or "measure" in params)


def _timed(entry: Mapping[str, Any]) -> bool:
    """Facts about the call as a whole carry the call's start as their time, which says nothing."""
    return entry.get("operator") not in TIMELESS


def _start(finding: Mapping[str, Any], turns: Sequence[int], result: Mapping[str, Any]) -> int | None:
    evidence = finding.get("evidence") or ()
    if evidence and not any(_timed(entry) for entry in evidence):
        return None
    if finding.get("start_ms") is not None:
        return int(finding["start_ms"])
    starts = [turn.get("start_ms") for i in turns if (turn := _turn(result, i))]
    return next((int(start) for start in starts if start is not None), None)


def _quotes(
    number: int,
    finding: Mapping[str, Any],
    turns: Sequence[int],
    result: Mapping[str, Any],
    titles: Mapping[str, str],
) -> tuple[Quote, ...]:
    """Evidence gathered by turn in the order of the call; facts about the whole call last."""
    meta = result.get("meta") or {}
    evidence = [{"meta": meta, **entry} for entry in finding.get("evidence") or () if _tells(entry)]
    spoken: dict[int, list[Mapping[str, Any]]] = {}
    facts = []
    for entry in evidence:
        if _turn(result, entry.get("turn")) is None:
            facts.append(entry)
        else:
            spoken.setdefault(entry["turn"], []).append(entry)
    for index in () if evidence else turns:
        spoken.setdefault(index, [])
    severity = str(finding.get("severity") or "info")
    quotes = [_quote(number, severity, i, spoken[i], result, titles) for i in sorted(spoken)]
    return (*quotes, *(_fact(entry, titles) for entry in facts))


def _quote(
    number: int,
    severity: str,
    index: int,
    evidence: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    titles: Mapping[str, str],
) -> Quote:
    turn = _turn(result, index) or {}
    text = str(turn.get("text", ""))
    marks = [(*span, number, severity) for entry in evidence if (span := _span(entry, text))]
    starts = [e["start_ms"] for e in evidence if e.get("start_ms") is not None]
    ends = [e["end_ms"] for e in evidence if e.get("end_ms") is not None]
    return Quote(
        turn=index,
        role=str(turn.get("role", "other")),
        start_ms=min(starts, default=turn.get("start_ms")),
        end_ms=max(ends, default=turn.get("end_ms")),
        pieces=cut(text, marks),
        facts=tuple(dict.fromkeys(_fact_text(entry, titles) for entry in evidence)),
    )


def _compared(params: Mapping[str, Any], actual: Any, titles: Mapping[str, str]) -> str:
    """A metadata condition with the call's own value: ``当日同号拨打 9（> 6）``."""
    cmp = COMPARISONS.get(str(params.get("cmp")), str(params.get("cmp", "")))
    wanted, own = value_text(params.get("value"), "", titles), value_text(actual, "", titles)
    if own == wanted and params.get("cmp") == "eq":
        return f"{name(str(params['field']), titles)} {own}"
    condition = f"{cmp} {wanted}".strip()
    return f"{name(str(params['field']), titles)} " + (f"{own}（{condition}）" if own else condition)


def _fact(entry: Mapping[str, Any], titles: Mapping[str, str]) -> Quote:
    words = _words(entry)
    return Quote(
        turn=None,
        role="",
        start_ms=entry.get("start_ms") if _timed(entry) else None,
        end_ms=entry.get("end_ms") if _timed(entry) else None,
        pieces=(Piece(words),) if words else (),
        facts=(_fact_text(entry, titles),),
    )


def _fact_text(entry: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What an operator saw, in a clause: ``语义标签 威胁恐吓 0.95``, ``没有出现：语义标签 自报身份``."""
    operator = str(entry.get("operator", ""))
    holds = entry.get("holds", True)
    unit = entry.get("unit") or OPERATOR_UNITS.get(operator)
    value = "" if unit is None or not holds else value_text(entry.get("value"), unit, titles)
    head = " ".join(part for part in (name(operator, titles), _asked(entry, titles), value) if part)
    return "：".join(
        part for part in ("" if holds else "没有出现", head, str(entry.get("note") or "")) if part
    )


def _asked(entry: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What the rule asked the operator for, where the quoted words do not say it already."""
    params = entry.get("params") or {}
    if "field" in params:
        return _compared(params, entry["meta"].get(params["field"]), titles)
    quoted = entry.get("operator") in ("keyword", "regex") and entry.get("holds", True)
    wanted = [] if quoted else params.get("any") or params.get("measure") or []
    if isinstance(wanted, str):
        wanted = [wanted]
    return "、".join(name(str(one), titles) for one in wanted)


def _words(entry: Mapping[str, Any]) -> str:
    words = entry.get("text") or entry.get("words") or ""
    return words if isinstance(words, str) else "、".join(str(word) for word in words)


def _span(entry: Mapping[str, Any], text: str) -> tuple[int, int] | None:
    """Where the evidence's words are in its turn: as given, else where they first occur."""
    start, end = entry.get("char_start"), entry.get("char_end")
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text):
        return start, end
    words = _words(entry)
    at = text.find(words) if words else -1
    return (at, at + len(words)) if at >= 0 and len(words) < len(text) else None


def cut(text: str, marks: Sequence[tuple[int, int, int, str]]) -> tuple[Piece, ...]:
    """Cut ``text`` at the edges of marks (start, end, finding's number, severity)."""
    edges = sorted({0, len(text), *(m[0] for m in marks), *(m[1] for m in marks)})
    pieces: list[Piece] = []
    for start, end in itertools.pairwise(edges):
        over = [m for m in marks if m[0] <= start and end <= m[1]]
        worst = min((m[3] for m in over), key=lambda s: rank(SEVERITIES, s), default="")
        piece = Piece(text[start:end], tuple(sorted({m[2] for m in over})), worst)
        if pieces and (pieces[-1].findings, pieces[-1].severity) == (piece.findings, piece.severity):
            pieces[-1] = replace(piece, text=pieces[-1].text + piece.text)
        else:
            pieces.append(piece)
    return tuple(pieces)


def moment(start_ms: int | None, end_ms: int | None) -> str:
    """Return when something happened: ``01:23.4–01:25.0``, one time when start and end agree, or nothing."""
    if start_ms is None:
        return ""
    start, end = clock(start_ms, tenths=True), clock(end_ms, tenths=True)
    return start if end_ms is None or end == start else f"{start}–{end}"
