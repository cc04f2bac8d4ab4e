"""Examples of what changed: the words that made a rule hit, or what it now misses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operators.rules.judge import Finding, Judge, Judgement
from operators.rules.why import Reason
from operators.table import ROLES, CallTable, concat
from server.backtest.job import Line

QUOTES = 3
"""Turns shown of an example."""
LONGEST = 40
"""Characters shown of a pattern or a list of words."""
MISSES = 3
"""Conditions shown that keep a rule from hitting."""


class Explained:
    """The calls that stand for the changes, judged by both packs with evidence."""

    def __init__(self, tables: Mapping[int, CallTable], new: Judge, old: Judge | None) -> None:
        self._tables = tables
        self._new = new
        self._judged = {"new_hits": _judged(tables, new), "lost_hits": _judged(tables, old)}

    def of(self, line: Line, change: str, keys: Sequence[int]) -> list[dict[str, Any]]:
        """What to show of the calls ``keys`` for one line."""
        return [self._one(line, change, key, first=key == keys[0]) for key in keys]

    def _one(self, line: Line, change: str, key: int, *, first: bool) -> dict[str, Any]:
        table = self._tables[key]
        judgement = self._judged[change].get(key)
        findings = [f for f in judgement.findings if f.verdict == "hit"] if judgement else []
        found = next((f for f in findings if line.name == (f.rule if line.kind == "rule" else f.item)), None)
        rule = line.name if line.kind == "rule" else found.rule if found else ""
        missed = change == "lost_hits" and first and rule in self._new.pack.rules
        return {
            "call_id": table.call_ids[0],
            "source": _told(table, "source_path") or _told(table, "source_uri"),
            "started": _told(table, "call_start_local"),
            "rule": rule,
            "start_ms": found.start_ms if found else None,
            "quotes": list(_quotes(table, found)) if found else [],
            "facts": _facts(found) if found else [],
            "why_not": _misses(self._new.explain(table, rule)) if missed else [],
        }


def _judged(tables: Mapping[int, CallTable], judge: Judge | None) -> dict[int, Judgement]:
    """Every call's judgement, all calls of the same labels in one go."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for key, table in tables.items():
        groups.setdefault((table.tag_labels, table.emotion_labels), []).append(key)
    judged: dict[int, Judgement] = {}
    for keys in groups.values() if judge else ():
        joined = concat([tables[key] for key in keys])
        judged |= dict(zip(keys, judge.judge(joined) if judge else (), strict=True))
    return judged


def _told(table: CallTable, name: str) -> str:
    (value,) = table.meta.get(name, ("",))
    return str(value or "")


def _quotes(table: CallTable, found: Finding) -> Iterator[dict[str, Any]]:
    """The first turns that the finding rests on, each with the characters that matter."""
    for turn in found.turns[:QUOTES]:
        spans = [(e.char_start, e.char_end) for e in found.evidence if e.turn == turn and e.holds]
        yield {
            "turn": turn,
            "role": ROLES[table.turn_role[turn]],
            "start_ms": int(table.turn_start_ms[turn]) if table.has_times[0] else None,
            "text": table.turn_text(turn),
            "marks": sorted({(a, b) for a, b in spans if a is not None and b is not None}),
        }


def _facts(found: Finding) -> list[str]:
    """Evidence that is in no turn: a measure, metadata, something missing."""
    facts = []
    for piece in found.evidence:
        if piece.turn is None:
            params = ", ".join(f"{name} {_short(value)}" for name, value in piece.params.items())
            value = "" if piece.value is None else f" = {piece.value:.4g}"
            facts.append(f"{'' if piece.holds else 'no '}{piece.operator} ({params}){value}")
    return list(dict.fromkeys(facts))[:MISSES]


def _short(value: object) -> str:
    text = "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _misses(reasons: Sequence[Reason]) -> list[str]:
    """What keeps the rule from hitting, condition by condition."""
    found: list[str] = []
    for root in reasons:
        if root.condition == "unless":
            found += [f"unless: {_said(root.parts[0])}"] if root.truth != "false" else []
        else:
            found += list(_failing(root))
    return list(dict.fromkeys(found))[:MISSES]


def _failing(reason: Reason) -> Iterator[str]:
    if reason.truth == "true":
        return
    below = [said for part in reason.parts for said in _failing(part)]
    yield from below or [_said(reason)]


def _said(reason: Reason) -> str:
    name = f"{reason.name}: " if reason.name else ""
    return f"{name}{reason.condition} is {reason.truth}" + (f" ({reason.note})" if reason.note else "")
