"""Operator ``call_shape``: how long a call is, who had how many turns and how much of the talk."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import call_hits, check_limits, limits, nothing_unknown, stack, talk_ms, within
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import AGENT, CUSTOMER, SIDES, CallTable, called

_TIMES, _APART = ("times",), ("separated",)
_NEEDS = {
    "duration_ms": _TIMES,
    "turns": (),
    "agent_turns": _APART,
    "customer_turns": _APART,
    "agent_talk_share": (*_TIMES, *_APART),
    "customer_talk_share": (*_TIMES, *_APART),
    "agent_first_ms": (*_TIMES, *_APART),
    "customer_first_ms": (*_TIMES, *_APART),
    "tail_ms": _TIMES,
}
"""Measure → what a call must have for it."""


@operator(
    "call_shape",
    needs=(),
    params={
        "measure": Param(help="what to measure", type=str, required=True, choices=tuple(_NEEDS)),
        **limits("", "measure", "ms, turns or share"),
    },
    examples=(
        Example("A 0-2 您好 | C 3-20 喂", {"measure": "duration_ms", "gt": 19_999}, "!"),
        Example("A 0-2 您好 | C 3-20 喂", {"measure": "duration_ms", "gt": 20_000}, "-"),
        Example("A 您好 | C 喂", {"measure": "duration_ms", "gt": 1}, "?"),
        Example("A 您好 | C 喂 | A 在吗", {"measure": "turns", "lt": 4}, "!"),
        Example("A 您好 | C 喂 | A 在吗", {"measure": "agent_turns", "gt": 2}, "-"),
        Example("A 0-8 您好 | C 9-11 喂", {"measure": "agent_talk_share", "gt": 0.79}, "!"),
        Example("A 0-8 您好 | C 6-8 喂", {"measure": "customer_talk_share", "lt": 0.2}, "-"),
        Example("C 0-1 喂 | C 4-5 喂 | A 7-8 您好", {"measure": "agent_first_ms", "gt": 5000}, "!"),
        Example("C 0-1 喂 | C 4-5 喂", {"measure": "agent_first_ms", "gt": 5000}, "-"),
        Example("A 0-8 您好 | C 6-7 喂", {"measure": "tail_ms", "gt": 0}, "-"),
    ),
    check=check_limits(""),
    live=False,
)
def call_shape(uses: Sequence[Params]) -> Scan:
    """Hit every call whose ``measure`` is above ``gt`` and below ``lt``; value = the measure.

    ``duration_ms``; ``turns`` in all and of a role; ``agent_talk_share`` and ``customer_talk_share``, of what
    the two speak together (overlaps count for both); ``agent_first_ms`` and ``customer_first_ms``, from the
    call's start to the side's first speech; ``tail_ms``, from the last speech of anybody to the call's end. A
    call in which there is nothing to measure (the side never speaks) is no hit. Times and shares are unknown
    for a call without times, figures of a side for one whose sides are not known apart.
    """

    def scan(table: CallTable) -> Hits:
        unknown, found, reasons = nothing_unknown(len(uses), table), [], {}
        for number, use in enumerate(uses):
            for need in _NEEDS[use["measure"]]:
                unknown[number] |= table.lacks(need)
            lacking = [called(need) for need in _NEEDS[use["measure"]]]
            reasons[number] = f"the call has no {' or no '.join(lacking)}"
            measured = _measure(table, use["measure"])
            rows = np.flatnonzero(within(measured, use, "") & ~np.isnan(measured) & ~unknown[number])
            found.append((number, rows, measured[rows]))
        facts = stack(found)
        end = table.duration_ms[facts.row]
        return call_hits(facts, np.zeros(len(end)), end, unknown=unknown, reasons=reasons)

    return scan


def _measure(table: CallTable, measure: str) -> NDArray[np.float64]:
    """[C] the measure of each call, NaN where there is none."""
    if measure == "duration_ms":
        return table.duration_ms.astype(np.float64)
    if measure == "turns":
        return np.diff(table.turn_offsets).astype(np.float64)
    if measure == "tail_ms":
        return _tail_ms(table)
    side, figure = measure.split("_", 1)
    role = AGENT if side == "agent" else CUSTOMER
    if figure == "turns":
        turns = np.bincount(table.turn_call[table.turn_role == role], minlength=table.n_calls)
        return turns.astype(np.float64)
    return _talk_share(table, role) if figure == "talk_share" else _first_ms(table, role)


def _talk_share(table: CallTable, role: int) -> NDArray[np.float64]:
    talk = talk_ms(table)
    both = talk.sum(axis=1)
    return np.where(both > 0, talk[:, role] / np.maximum(both, 1), np.nan)


def _first_ms(table: CallTable, role: int) -> NDArray[np.float64]:
    first, end = table.speech_offsets[role:-1:SIDES], table.speech_offsets[role + 1 :: SIDES]
    starts = np.append(table.speech_start_ms, 0)[first]
    return np.where(end > first, starts, np.nan)


def _tail_ms(table: CallTable) -> NDArray[np.float64]:
    """Speech is both sides' segments and everybody's turns."""
    last = np.full(table.n_calls, -1, np.int64)
    np.maximum.at(last, table.turn_call, table.turn_end_ms)
    call = np.repeat(np.arange(table.n_calls * SIDES) // SIDES, np.diff(table.speech_offsets))
    np.maximum.at(last, call, table.speech_end_ms)
    return np.where(last >= 0, table.duration_ms - last, np.nan)
