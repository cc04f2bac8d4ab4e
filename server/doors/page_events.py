"""Silences and interruptions of a call, from the operators that rules use, so that both always agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from operators.chain import Plan, Use, check_use, load_registry
from operators.table import CallTable

_SIDES = ("agent", "customer")


@dataclass(frozen=True)
class Stretch:
    """A stretch of the call worth drawing: a silence or an interruption."""

    start_ms: int
    end_ms: int
    kind: str = ""
    """A finer name, shown through ``CallView.titles`` where it is there: e.g. ``pause``, ``response``."""
    role: str = ""
    """Who owes the answer (silence) or who interrupts (interruption)."""


def silences(table: CallTable) -> list[Stretch]:
    """Silences of the only call in ``table``, by who owes the answer; none where the call has no times."""
    return _found(table, "silence", "owed_by")


def interruptions(table: CallTable) -> list[Stretch]:
    """Interruptions in the only call of ``table``, by who interrupts; none where the sides are not apart."""
    return _found(table, "interruption", "role")


@lru_cache
def _plan(operator: str, role_param: str) -> tuple[Plan, Mapping[str, Use]]:
    registry = load_registry()
    asked: dict[str, Mapping[str, Any]] = {side: {role_param: side} for side in _SIDES}
    uses = {side: check_use(registry, operator, params) for side, params in asked.items()}
    return Plan(uses.values()), uses


def _found(table: CallTable, operator: str, role_param: str) -> list[Stretch]:
    plan, uses = _plan(operator, role_param)
    evidence = plan.evaluate(table)
    found: list[Stretch] = []
    for side, use in uses.items():
        rows = evidence.rows(plan.id_of(use))
        times = zip(evidence.hits.start_ms[rows].tolist(), evidence.hits.end_ms[rows].tolist(), strict=True)
        found.extend(Stretch(start_ms, end_ms, role=side) for start_ms, end_ms in times)
    return sorted(found, key=lambda stretch: stretch.start_ms)
