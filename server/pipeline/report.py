"""The result object: one shape for `--json`, gRPC, bulk rows and the page."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from operators.measures import measures
from operators.rules.judge import Judgement
from operators.rules.pack import Pack
from operators.table import CallTable
from server.errors import EarshotError
from server.pipeline.call import Call, Turn
from server.pipeline.models import Models

DIGITS = 4
"""Scores are rounded to this many decimals: what a model says beyond it is noise."""


def build(call: Call, table: CallTable, judgement: Judgement, pack: Pack, models: Models) -> dict[str, Any]:
    """The result of an inspected call."""
    (measured,) = measures(table)
    return {
        **_head(call.call_id, pack, models),
        "score": judgement.score,
        "items": _items(pack, judgement),
        "rules": _rules(pack, judgement),
        "findings": [
            _finding(finding.as_dict()) for finding in judgement.findings if finding.verdict == "hit"
        ],
        "turns": [_turn(turn) for turn in call.turns],
        "measures": measured,
        "warnings": list(call.warnings),
        "duration_ms": call.duration_ms,
    }


def failed(call_id: str, error: EarshotError, pack: Pack, models: Models) -> dict[str, Any]:
    """The same shape for a call that could not be inspected: nothing is claimed, the error says why."""
    return {**_head(call_id, pack, models), "error": error.as_dict()}


@cache
def _own_version() -> str:
    return version("earshot")


def _head(call_id: str, pack: Pack, models: Models) -> dict[str, Any]:
    """Every key of the result, in its order; what a failed call can say."""
    return {
        "call_id": call_id, "score": None, "items": {}, "findings": [], "turns": [], "measures": {},
        "versions": {
            "pack": f"{pack.id} {pack.version}",
            "models": {model.name: model.version for model in (models.asr, models.emotion, models.tags)},
            "earshot": _own_version(),
        },
        "error": None, "warnings": [], "duration_ms": 0, "rules": {},
    }  # fmt: skip


def _reasons(judgement: Judgement) -> dict[str, str]:
    """Why a rule could not be decided, by rule."""
    undecided = [finding for finding in judgement.findings if finding.verdict == "unknown"]
    return {f.rule: "; ".join(dict.fromkeys(map(_cause, f.reasons))) for f in undecided}


def _cause(reason: str) -> str:
    """What is missing, without the name of the condition that missed it: many miss the same."""
    return reason.partition(": ")[2] or reason


def _rules(pack: Pack, judgement: Judgement) -> dict[str, dict[str, str]]:
    reasons = _reasons(judgement)
    return {
        name: {"verdict": verdict, "item": pack.rules[name].item, "reason": reasons.get(name, "")}
        for name, verdict in judgement.verdicts.items()
    }


def _items(pack: Pack, judgement: Judgement) -> dict[str, dict[str, str]]:
    reasons: dict[str, list[str]] = {}
    for rule, reason in _reasons(judgement).items():
        reasons.setdefault(pack.rules[rule].item, []).extend(reason.split("; "))
    return {
        name: {
            "verdict": item.verdict,
            "severity": item.severity,
            "title": pack.items[name].zh,
            "reason": "; ".join(dict.fromkeys(reasons.get(name, ()))) if item.verdict == "unknown" else "",
        }
        for name, item in judgement.items.items()
    }


def _finding(found: Mapping[str, Any]) -> dict[str, Any]:
    """A finding with its evidence; what does not apply to a piece of evidence is left out of it."""
    pieces = []
    for piece in found["evidence"]:
        named = {("text" if key == "words" else key): value for key, value in piece.items()}
        pieces.append({key: _rounded(value) for key, value in named.items() if value is not None})
    return {**{key: value for key, value in found.items() if key != "reasons"}, "evidence": pieces}


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value


def _turn(turn: Turn) -> dict[str, Any]:
    out: dict[str, Any] = {
        "role": turn.role,
        "text": turn.text,
        "start_ms": turn.start_ms,
        "end_ms": turn.end_ms,
    }
    out["tags"] = {label: round(score, DIGITS) for label, score in turn.tags.items()}
    out["emotion"] = {label: round(score, DIGITS) for label, score in turn.emotion.items()}
    out["confidence"] = None if turn.confidence is None else round(turn.confidence, DIGITS)
    return out
