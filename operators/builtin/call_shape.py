"""Operator ``call_shape``: how long a call is and who had how many turns."""

from collections.abc import Sequence

import numpy as np

from operators.columns import call_hits, check_limits, limits, nothing_unknown, stack, within
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import AGENT, CUSTOMER, CallTable, Int64

_ROLE = {"agent_turns": AGENT, "customer_turns": CUSTOMER}


@operator(
    "call_shape",
    needs=(),
    params={
        "measure": Param(
            help="what to measure", type=str, required=True, choices=("duration_ms", "turns", *_ROLE)
        ),
        **limits("", "measure", "ms or turns"),
    },
    examples=(
        Example("A 0-2 您好 | C 3-20 喂", {"measure": "duration_ms", "gt": 19_999}, "!"),
        Example("A 0-2 您好 | C 3-20 喂", {"measure": "duration_ms", "gt": 20_000}, "-"),
        Example("A 您好 | C 喂", {"measure": "duration_ms", "gt": 1}, "?"),
        Example("A 您好 | C 喂 | A 在吗", {"measure": "turns", "lt": 4}, "!"),
        Example("A 您好 | C 喂 | A 在吗", {"measure": "agent_turns", "gt": 2}, "-"),
    ),
    check=check_limits(""),
    live=False,
)
def call_shape(uses: Sequence[Params]) -> Scan:
    """Hit every call whose ``measure`` is above ``gt`` and below ``lt``; value = the measure.

    ``duration_ms`` is unknown for a call without times, turns of a role for a call whose sides are not
    known apart.
    """

    def scan(table: CallTable) -> Hits:
        unknown, found, reasons = nothing_unknown(len(uses), table), [], {}
        for number, use in enumerate(uses):
            need = "times" if use["measure"] == "duration_ms" else "separated"
            if use["measure"] != "turns":
                unknown[number] = table.lacks(need)
                reasons[number] = f"the call has no {need}"
            measured = _measure(table, use["measure"])
            rows = np.flatnonzero(within(measured, use, "") & ~unknown[number])
            found.append((number, rows, measured[rows]))
        facts = stack(found)
        end = table.duration_ms[facts.row]
        return call_hits(facts, np.zeros(len(end)), end, unknown=unknown, reasons=reasons)

    return scan


def _measure(table: CallTable, measure: str) -> Int64:
    if measure == "duration_ms":
        return table.duration_ms
    if measure == "turns":
        return np.diff(table.turn_offsets)
    return np.bincount(table.turn_call[table.turn_role == _ROLE[measure]], minlength=table.n_calls)
