"""Operator ``response_time``: how long one role lets another wait for an answer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from operators.columns import (
    check_limits,
    limits,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    stack,
    turn_hits,
    within,
)
from operators.spec import Example, Hits, Params, Scan, operator
from operators.table import CallTable


@operator(
    "response_time",
    needs=("times", "separated"),
    params={**limits("ms", "wait", "ms"), "role": role_param("who answers")},
    examples=(
        Example("C 0-2 怎么还 | A 9-10 您好", {"gt_ms": 5000}, ".x"),
        Example("C 0-2 怎么还 | A 7-10 您好", {"gt_ms": 5000}, ".."),
        Example("C 0-2 怎么还 | C 9-10 喂", {"gt_ms": 5000}, ".."),
        Example("C 0-2 怎么还 | A 9-10 您好", {"gt_ms": 5000, "role": "customer"}, ".."),
        Example("C 0-2 怎么还 | A 2.1-3 您好", {"lt_ms": 300}, ".x"),
    ),
    check=check_limits("ms"),
)
def response_time(uses: Sequence[Params]) -> Scan:
    """Hit every turn that answers another role's turn after more than ``gt_ms`` and less than ``lt_ms``.

    The wait runs from the end of the turn before (by start) to the start of this one and is 0 when they
    overlap; it is the value (ms) and gives the hit its times. A turn after one of the same role answers
    nobody.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        answers = np.flatnonzero((np.diff(table.turn_call) == 0) & (np.diff(table.turn_role) != 0)) + 1
        waits = np.maximum(table.turn_start_ms[answers] - table.turn_end_ms[answers - 1], 0)
        found = []
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            kept = within(waits, use, "ms") & role_rows(table, role)[answers]
            found.append((number, answers[kept], waits[kept]))
        hits = turn_hits(table, stack(found), unknown=nothing_unknown(len(uses), table))
        return replace(hits, start_ms=hits.start_ms - hits.value.astype(np.int64), end_ms=hits.start_ms)

    return scan
