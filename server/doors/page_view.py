"""What the page says about a call: result objects become ready words, pieces of text and places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.doors.page_findings import Found, Piece, Quote, cut
from server.doors.page_words import (
    SEVERITIES,
    VERDICT_SIGNS,
    VERDICTS,
    flat,
    name,
    rank,
    reason_text,
    unit_of,
    value_text,
)

TAG_SHOWN_FROM = 0.5
"""Tags below are the model's doubts, not the turn's content."""
AGITATED, AGITATION_SHOWN_FROM = "agitated", 0.5
"""Agitation is no emotion beside the others: it is told apart from them, where it is high."""
SURE_FROM = 0.6
"""Recognition confidence below is pointed out: the words may be wrong."""


@dataclass(frozen=True)
class Said:
    """One turn of the transcript."""

    index: int
    role: str
    start_ms: int | None
    end_ms: int | None
    pieces: tuple[Piece, ...]
    tags: tuple[tuple[str, str], ...] = ()
    emotion: str = ""
    emotion_score: str = ""
    agitation: str = ""
    """Empty for a voice that is not raised."""
    doubt: str = ""
    findings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Checked:
    """One row of the items table."""

    title: str
    verdict: str
    sign: str
    severity: str
    reason: str
    findings: tuple[int, ...]


def transcript(
    result: Mapping[str, Any], found: Sequence[Found], titles: Mapping[str, str]
) -> tuple[Said, ...]:
    """Turns with the words that findings rest on marked."""
    return tuple(_said(i, turn, found, result, titles) for i, turn in enumerate(result.get("turns") or ()))


def items(
    result: Mapping[str, Any], found: Sequence[Found], titles: Mapping[str, str]
) -> tuple[Checked, ...]:
    """Items: those hit first, worst first, then what could not be decided, then the rest."""
    entries = list((result.get("items") or {}).items())
    entries.sort(key=lambda e: (rank(VERDICTS, e[1].get("verdict")), rank(SEVERITIES, e[1].get("severity"))))
    return tuple(
        Checked(
            title=str(entry.get("title") or name(key, titles)),
            verdict=str(entry.get("verdict", "")),
            sign=VERDICT_SIGNS.get(entry.get("verdict", ""), "?"),
            severity=str(entry.get("severity") or ""),
            reason=reason_text(str(entry.get("reason") or ""), titles),
            findings=tuple(f.number for f in found if f.item == key),
        )
        for key, entry in entries
    )


def named_values(tree: Mapping[str, Any] | None, titles: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Names and values of nested mappings (measures, metadata, versions) in words."""
    rows = []
    for path, value in flat(tree or {}):
        unit = unit_of(path[-1])
        bare = path[-1].removesuffix(f"_{unit}") if unit else path[-1]
        last = name(path[-1], titles) if name(path[-1], titles) != path[-1] else name(bare, titles)
        title = " · ".join([*(name(step, titles) for step in path[:-1]), last])
        if value not in (None, "", [], {}):
            rows.append((title, value_text(value, unit, titles)))
    return tuple(rows)


def measure_groups(
    measures: Mapping[str, Any] | None, titles: Mapping[str, str]
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Measures of the call, then those of each role, each group with its name."""
    tree = measures or {}
    whole = {key: value for key, value in tree.items() if not isinstance(value, Mapping)}
    groups = [("全程", whole), *((name(k, titles), v) for k, v in tree.items() if isinstance(v, Mapping))]
    return tuple((title, rows) for title, group in groups if (rows := named_values(group, titles)))


def headline(found: Sequence[Found], checked: Sequence[Checked]) -> tuple[str, str]:
    """The call's state as (kind, words): the worst severity hit, else ``unknown``, else ``pass``."""
    hits = [f for f in found if f.verdict == "hit"]
    for severity in SEVERITIES:
        if any(f.severity == severity for f in hits):
            counts = [(s, sum(f.severity == s for f in hits)) for s in SEVERITIES]
            return severity, " · ".join(f"{name(s, {})} {n}" for s, n in counts if n)
    unsure = sum(item.verdict in ("unknown", "open") for item in checked)
    return ("unknown", f"{unsure} 项无法判定") if unsure else ("pass", "未发现问题")


def feeling(turn: Mapping[str, Any]) -> tuple[str, float]:
    """The emotion of a turn that scores highest, and its score; an empty name without any."""
    emotions = [pair for pair in (turn.get("emotion") or {}).items() if pair[0] != AGITATED]
    return max(emotions, key=lambda pair: pair[1], default=("", 0.0))


def _said(
    index: int,
    turn: Mapping[str, Any],
    found: Sequence[Found],
    result: Mapping[str, Any],
    titles: Mapping[str, str],
) -> Said:
    text = str(turn.get("text", ""))
    about = [(f, q) for f in found for q in f.quotes if q.turn == index]
    marks = [(*place, f.number, f.severity) for f, q in about for place in _places(q)]
    emotion, score = feeling(turn)
    agitation = (turn.get("emotion") or {}).get(AGITATED, 0.0)
    tags = sorted((turn.get("tags") or {}).items(), key=lambda pair: -pair[1])
    confidence = turn.get("confidence")
    return Said(
        index=index,
        role=str(turn.get("role", "other")),
        start_ms=turn.get("start_ms"),
        end_ms=turn.get("end_ms"),
        pieces=cut(text, marks),
        tags=tuple((name(tag, titles), f"{value:.2f}") for tag, value in tags if value >= TAG_SHOWN_FROM),
        emotion=emotion,
        emotion_score=f"{score:.2f}",
        agitation=f"{agitation:.2f}" if agitation >= AGITATION_SHOWN_FROM else "",
        doubt="" if confidence is None or confidence >= SURE_FROM else f"{confidence:.0%}",
        findings=tuple(f.number for f, _ in about),
    )


def _places(quote: Quote) -> list[tuple[int, int]]:
    places, at = [], 0
    for piece in quote.pieces:
        if piece.findings:
            places.append((at, at + len(piece.text)))
        at += len(piece.text)
    return places
