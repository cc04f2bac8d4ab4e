"""The result object: one shape for `--json`, gRPC, bulk rows and the page."""

from collections.abc import Mapping
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
        "items": {name: _item(pack, name, verdict) for name, verdict in judgement.items.items()},
        "rules": {
            name: {"verdict": v, "item": pack.rules[name].item} for name, v in judgement.verdicts.items()
        },
        "findings": [
            _finding(pack, finding.as_dict()) for finding in judgement.findings if finding.verdict == "hit"
        ],
        "turns": [_turn(turn) for turn in call.turns],
        "measures": measured,
        "warnings": list(call.warnings),
        "duration_ms": call.duration_ms,
    }


def failed(call_id: str, error: EarshotError, pack: Pack, models: Models) -> dict[str, Any]:
    """The same shape for a call that could not be inspected: nothing is claimed, the error says why."""
    return {**_head(call_id, pack, models), "error": error.as_dict()}


def _head(call_id: str, pack: Pack, models: Models) -> dict[str, Any]:
    """Every key of the result, in its order; what a failed call can say."""
    return {
        "call_id": call_id, "score": None, "items": {}, "findings": [], "turns": [], "measures": {},
        "versions": {
            "pack": f"{pack.id} {pack.version}",
            "models": {model.name: model.version for model in (models.asr, models.emotion, models.tags)},
            "earshot": version("earshot"),
        },
        "error": None, "warnings": [], "duration_ms": 0, "rules": {},
    }  # fmt: skip


def _finding(pack: Pack, found: Mapping[str, Any]) -> dict[str, Any]:
    rule = pack.rules[found["rule"]]
    return {**found, "why": rule.why, "instead": rule.instead}


def _item(pack: Pack, name: str, verdict: Any) -> dict[str, Any]:
    return {"verdict": verdict.verdict, "severity": verdict.severity, "title": pack.items[name].zh}


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
