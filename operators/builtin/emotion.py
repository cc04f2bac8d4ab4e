"""Operator ``emotion``: what the emotion model hears and reads in turns, and how agitated they sound."""

from collections.abc import Sequence

import numpy as np

from operators.columns import (
    best_scores,
    kernel,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    speakers,
    stack,
    turn_hits,
)
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import Bool, CallTable, Int64


def _check(params: Params) -> None:
    if 0 < params["of_last"] < params["times"]:
        raise OperatorError(
            f"operator emotion, parameter of_last: {params['of_last']} is below times {params['times']}\n"
            "help: make of_last at least as large as times, or leave it out for a streak"
        )


@operator(
    "emotion",
    needs=("emotion",),
    params={
        "any": Param(
            help="emotions, one of which must score high enough", type=list, items=str, required=True
        ),
        "at_least": Param(
            help="lowest score that counts", type=float, default=0.5, minimum=0, maximum=1, unit="score 0..1"
        ),
        "times": Param(
            help="how many of the speaker's last turns must score, this one included", type=int, default=1,
            minimum=1, unit="turns", needs=("separated",),
        ),
        "of_last": Param(
            help="of how many turns; 0 for as many as `times`, a streak", type=int, default=0, minimum=0,
            unit="turns",
        ),
        "within_ms": Param(
            help="the time within which they must lie; 0 for any", type=int, default=0, minimum=0, unit="ms",
            needs=("times",),
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 你听着 (angry:0.8) | C 3-4 好 (angry:0.1)", {"any": ["angry"]}, "x."),
        Example("A 0-2 你听着 (angry:0.55)", {"any": ["angry"], "at_least": 0.6}, "."),
        Example(
            "A 0-2 你听着 (angry:0.8) | C 3-4 你才是 (angry:0.9)",
            {"any": ["angry"], "role": "customer"},
            ".x",
        ),
        Example("A 0-2 你听着", {"any": ["angry"]}, "?"),
        Example(
            "A 你 (angry:0.8) | C 好 (angry:0.1) | A 你 (angry:0.8) | A 你 (angry:0.8)",
            {"any": ["angry"], "times": 2},
            "..xx",
        ),
        Example(
            "A 你 (angry:0.8) | A 好 (angry:0.1) | A 你 (angry:0.8)", {"any": ["angry"], "times": 2}, "..."
        ),
        Example(
            "A 你 (angry:0.8) | A 好 (angry:0.1) | A 你 (angry:0.8)",
            {"any": ["angry"], "times": 2, "of_last": 3},
            "..x",
        ),
        Example(
            "A 你 (angry:0.8) | C 你 (angry:0.8)", {"any": ["angry"], "times": 2}, ".."
        ),
        Example(
            "A 0-2 你 (angry:0.8) | A 40-42 你 (angry:0.8)",
            {"any": ["angry"], "times": 2, "within_ms": 30_000},
            "..",
        ),
    ),
    check=_check,
)  # fmt: skip
def emotion(uses: Sequence[Params]) -> Scan:
    """Hit every turn on which an emotion of ``any`` scores ``at_least`` or more; value = the best score.

    Scores are compared as float32, as the model gives them. An emotion that the model does not have leaves
    the use unknown; so does a call in which no turn has a score for it: ``agitated`` needs sound, which a
    chat has not.

    With ``times`` a turn is hit only if so many of the same speaker's last ``of_last`` scored turns, itself
    included, score as well: by default a streak (3 of the last 3), else a share of a trailing window (3 of
    the last 5; where there are fewer turns so far, of those). Turns of others between them, and turns without
    a score, neither count nor break a streak. ``within_ms`` also asks that these turns lie
    within that time, from the start of the first to the end of this one.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        found, reasons, unknown = [], {}, nothing_unknown(len(uses), table)
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            of = best_scores(table, use["any"], table.emotion, table.emotion_labels, "emotion")
            unknown[number], reasons[number] = of.unknown, of.reason
            felt = of.best >= np.float32(use["at_least"])
            if use["times"] > 1:
                scored = np.flatnonzero(~np.isnan(of.best))
                scored = scored[np.argsort(speakers(table, scored), kind="stable")]
                again = _again(
                    felt[scored], speakers(table, scored), table.turn_start_ms[scored],
                    table.turn_end_ms[scored], use["times"], use["of_last"] or use["times"], use["within_ms"],
                )  # fmt: skip
                felt[scored] &= again
            rows = np.flatnonzero(felt & role_rows(table, role))
            found.append((number, rows, of.best[rows].astype(np.float64)))
        return turn_hits(table, stack(found), unknown=unknown, reasons=reasons)

    return scan


@kernel
def _again(
    felt: Bool, speaker: Int64, start_ms: Int64, end_ms: Int64, times: int, of_last: int, within_ms: int
) -> Bool:
    """Which rows, ordered by speaker, see ``times`` felt rows among the speaker's ``of_last``, in time."""
    out = np.zeros(len(felt), np.bool_)
    for row in range(len(felt)):
        seen = 0
        for back in range(min(of_last, row + 1)):
            at = row - back
            if speaker[at] != speaker[row] or (within_ms > 0 and end_ms[row] - start_ms[at] > within_ms):
                break
            seen += felt[at]
        out[row] = seen >= times
    return out
