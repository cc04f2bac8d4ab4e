"""Operator ``emotion_trend``: whether a feeling grows or fades over the call."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import (
    best_scores,
    call_hits,
    check_limits,
    limits,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    speakers,
    stack,
    within,
)
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import ROLES, Bool, CallTable, Float32, Int64

THIRDS = 3
_RISING = (
    "C 好 (angry:0.1) | C 好 (angry:0.1) | C 嗯 (angry:0.9) | A 嗯 (angry:0.9) | C 嗯 (angry:0.2)"
    " | C 你 (angry:0.6) | C 你 (angry:0.8)"
)


@operator(
    "emotion_trend",
    needs=("emotion", "separated"),
    params={
        "any": Param(help="emotions, the best of which counts", type=list, items=str, required=True),
        **limits("rise", "rise", "score -1..1"),
        "min_turns": Param(
            help="with fewer scored turns of a speaker it is unknown", type=int, default=6, minimum=THIRDS,
            unit="turns",
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example(_RISING, {"any": ["angry"], "gt_rise": 0.5, "role": "customer"}, "!"),
        Example(_RISING, {"any": ["angry"], "gt_rise": 0.7, "role": "customer"}, "-"),
        Example(_RISING, {"any": ["angry"], "lt_rise": -0.2, "role": "customer"}, "-"),
        Example(_RISING, {"any": ["angry"], "gt_rise": 0.5, "role": "agent"}, "?"),
        Example(
            "C 你 (angry:0.9) | C 嗯 (angry:0.5) | C 好 (angry:0.1)",
            {"any": ["angry"], "lt_rise": -0.5, "min_turns": 3},
            "!",
        ),
    ),
    check=check_limits("rise"),
    live=False,
)  # fmt: skip
def emotion_trend(uses: Sequence[Params]) -> Scan:
    """Hit every speaker whose score rises above ``gt_rise`` and below ``lt_rise``; value = the rise.

    The rise is the mean score of the last third of the speaker's scored turns less that of the first third
    (of 7 turns two each), negative when the feeling fades; the score of a turn is the best of ``any``. A
    hit is a fact about the call. A call in which a speaker asked for has turns, but fewer than ``min_turns``
    scored ones, is unknown: a few words have no trend.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        found, reasons, unknown = [], {}, nothing_unknown(len(uses), table)
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            of, speaks = (
                best_scores(table, use["any"], table.emotion, table.emotion_labels, "emotion"),
                role_rows(table, role),
            )
            few = _few(table, speaks, of.best, use["min_turns"])
            unknown[number] = of.unknown | few
            reasons[number] = of.reason or f"a speaker has fewer than {use['min_turns']} scored turns"
            rows = np.flatnonzero(speaks & ~np.isnan(of.best) & ~few[table.turn_call])
            rows = rows[np.argsort(speakers(table, rows), kind="stable")]
            call, rise = _rises(table, rows, of.best[rows].astype(np.float64))
            hit = within(rise, use, "rise")
            found.append((number, call[hit], rise[hit]))
        facts = stack(found)
        end = table.duration_ms[facts.row]
        return call_hits(facts, np.zeros(len(end)), end, unknown=unknown, reasons=reasons)

    return scan


def _few(table: CallTable, speaks: Bool, best: Float32, min_turns: int) -> Bool:
    """[C] calls in which somebody who ``speaks`` has too few scored turns."""
    size = table.n_calls * len(ROLES)
    turns = np.bincount(speakers(table, np.flatnonzero(speaks)), minlength=size)
    scored = np.bincount(speakers(table, np.flatnonzero(speaks & ~np.isnan(best))), minlength=size)
    return np.asarray(((turns > 0) & (scored < min_turns)).reshape(-1, len(ROLES)).any(axis=1), np.bool_)


def _rises(table: CallTable, rows: Int64, score: NDArray[np.float64]) -> tuple[Int64, NDArray[np.float64]]:
    """Call and rise of every speaker of ``rows``, which are ordered by speaker."""
    speaker, first = np.unique(speakers(table, rows), return_index=True)
    end = np.append(first[1:], len(rows))[: len(first)]
    third = (end - first) // THIRDS
    total = np.concatenate([[0.0], np.cumsum(score)])
    late, early = total[end] - total[end - third], total[first + third] - total[first]
    return speaker // len(ROLES), (late - early) / np.maximum(third, 1)
