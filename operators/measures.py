"""Figures of a call for the report: who talked how much, how fast; silences, interruptions, response times.

They come from the same operators as findings do, so the two cannot disagree. A figure is None where the call
lacks what it is measured from: everything timed in a chat, everything by role in a mixed recording.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.chain import Evidence, Plan, Use, check_use, load_registry
from operators.columns import talk_ms
from operators.table import AGENT, CUSTOMER, ROLES, CallTable

Figure = int | float | None
SILENCE_MS = 3000
"""Shortest silence counted, the default of the operator ``silence``."""
_ASKED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "silence": ("silence", {"at_least_ms": SILENCE_MS}),
    "interruption": ("interruption", {}),
    "response": ("response_time", {"gt_ms": -1}),
    "turn_rate": ("speech_rate", {"gt_chars_per_min": 0}),
    **{
        f"{ROLES[role]}_rate": (
            "speech_rate",
            {"gt_chars_per_min": 0, "mode": "call", "role": ROLES[role]},
        )
        for role in (AGENT, CUSTOMER)
    },
}


@lru_cache
def _plan() -> tuple[Plan, Mapping[str, Use]]:
    registry = load_registry()
    uses = {name: check_use(registry, operator, params) for name, (operator, params) in _ASKED.items()}
    return Plan(uses.values()), uses


def measures(table: CallTable) -> list[dict[str, Any]]:
    """One mapping a call: figures of the call, and under ``agent`` and ``customer`` those of each role.

    Times are ms, ``_cpm`` is characters a minute, ratios are of the call's duration.
    """
    plan, uses = _plan()
    evidence = plan.evaluate(table)
    columns = {name: _Column(evidence, plan.id_of(use)) for name, use in uses.items()}
    talk = talk_ms(table)
    return [_call(table, columns, call, talk[call]) for call in range(table.n_calls)]


class _Column:
    """What one use found, call by call."""

    def __init__(self, evidence: Evidence, use: int) -> None:
        rows = evidence.rows(use)
        self._values = evidence.hits.value[rows]
        self._turns = evidence.hits.turn[rows]
        self._offsets = np.searchsorted(
            evidence.hits.call[rows], np.arange(evidence.hits.unknown.shape[1] + 1)
        )
        self._unknown = evidence.hits.unknown[use]

    def of(self, call: int) -> NDArray[np.float64] | None:
        """The values found in ``call``; None where that is unknown."""
        values: NDArray[np.float64] = self._values[self._rows(call)]
        return None if self._unknown[call] else values

    def by_role(self, call: int, table: CallTable, role: int) -> NDArray[np.float64] | None:
        """The values found in the turns of ``role`` in ``call``; None where that is unknown."""
        if self._unknown[call] or not table.separated[call]:
            return None
        rows = self._rows(call)
        values: NDArray[np.float64] = self._values[rows][table.turn_role[self._turns[rows]] == role]
        return values

    def _rows(self, call: int) -> slice:
        return slice(int(self._offsets[call]), int(self._offsets[call + 1]))


def _call(
    table: CallTable, columns: Mapping[str, _Column], call: int, talk_ms: NDArray[np.int64]
) -> dict[str, Any]:
    duration_ms = int(table.duration_ms[call]) if table.has_times[call] else None
    silences, cuts = columns["silence"].of(call), columns["interruption"].of(call)
    figures: dict[str, Any] = {
        "duration_ms": duration_ms,
        "turns": int(table.turn_offsets[call + 1] - table.turn_offsets[call]),
        "silences": _count(silences),
        "silence_total_ms": _total(silences),
        "silence_longest_ms": None if silences is None else int(silences.max(initial=0)),
        "silence_ratio": _ratio(_total(silences), duration_ms),
        "interruptions": _count(cuts),
    }
    apart = bool(table.separated[call])
    for role in (AGENT, CUSTOMER):
        talk = int(talk_ms[role]) if apart and duration_ms is not None else None
        figures[ROLES[role]] = {
            "talk_ms": talk,
            "talk_ratio": _ratio(talk, duration_ms),
            **_role(table, columns, call, role),
        }
    return figures


def _role(table: CallTable, columns: Mapping[str, _Column], call: int, role: int) -> dict[str, Figure]:
    average = columns[f"{ROLES[role]}_rate"].of(call)
    rates = columns["turn_rate"].by_role(call, table, role)
    cuts = columns["interruption"].by_role(call, table, role)
    p10, p50, p90 = _quantiles(rates, (0.1, 0.5, 0.9))
    turns = table.turn_role[table.turn_offsets[call] : table.turn_offsets[call + 1]]
    return {
        "turns": int((turns == role).sum()) if table.separated[call] else None,
        "speech_rate_cpm": _quantiles(average, (0.5,))[0],
        "speech_rate_p10_cpm": p10,
        "speech_rate_p50_cpm": p50,
        "speech_rate_p90_cpm": p90,
        "interruptions": _count(cuts),
        "interruption_total_ms": _total(cuts),
        "response_p50_ms": _quantiles(columns["response"].by_role(call, table, role), (0.5,))[0],
    }


def _count(values: NDArray[np.float64] | None) -> Figure:
    return None if values is None else len(values)


def _total(values: NDArray[np.float64] | None) -> int | None:
    return None if values is None else int(values.sum())


def _ratio(part: int | None, whole: int | None) -> Figure:
    return None if part is None or not whole else round(part / whole, 3)


def _quantiles(values: NDArray[np.float64] | None, shares: tuple[float, ...]) -> list[Figure]:
    """The values below which the ``shares`` of ``values`` lie (interpolated), one decimal; None without any.

    A dozen values a call: the general ``np.quantile`` costs ten times as much.
    """
    if values is None or not len(values):
        return [None] * len(shares)
    ranked = np.sort(values)
    found = np.interp(np.multiply(shares, len(ranked) - 1), np.arange(len(ranked)), ranked)
    return [round(float(value), 1) for value in found]
