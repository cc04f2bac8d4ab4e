"""Operator ``speech_rate``: how fast somebody speaks."""

from collections.abc import Sequence

import numpy as np

from operators.columns import (
    ANY_ROLE,
    call_hits,
    check_limits,
    limits,
    merge,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    stack,
    turn_hits,
    within,
)
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import ROLES, CallTable, Int64
from operators.text import spoken_chars, spoken_ms

MINUTE_MS = 60_000


@operator(
    "speech_rate",
    needs=("times",),
    params={
        **limits("chars_per_min", "rate", "characters a minute"),
        "mode": Param(
            help="judge each turn, or each role's average over the call",
            type=str,
            default="turn",
            choices=("turn", "call"),
        ),
        "min_chars": Param(
            help="shorter turns are ignored", type=int, default=4, minimum=1, unit="characters"
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-1 您好您好您好 | C 1-2 喂喂喂喂", {"gt_chars_per_min": 300}, "x."),
        Example("A 0-1 您好您好您好 | C 1-2 喂喂喂喂", {"lt_chars_per_min": 300, "role": "customer"}, ".x"),
        Example("A 0-1 您好，您好！ 您", {"gt_chars_per_min": 300}, "."),
        Example("A 0-0.1 喂喂", {"gt_chars_per_min": 300}, "."),
        Example("A 0-2 您好您好您好 | A 3-4 您好您好您好", {"gt_chars_per_min": 239, "mode": "call"}, "!"),
        Example("A 0-2 您好您好您好 | A 3-4 您好您好您好", {"gt_chars_per_min": 240, "mode": "call"}, "-"),
        Example("A 您好您好您好", {"gt_chars_per_min": 300}, "?"),
    ),
    check=check_limits("chars_per_min"),
)
def speech_rate(uses: Sequence[Params]) -> Scan:
    """Hit every turn (role, in mode ``call``) whose rate is beyond the limits; value = characters a minute.

    Characters are Han characters, digits and words of alphabets; punctuation and spaces do not count. Time
    is from the first to the last character less pauses over 500 ms where the turn has character times, else
    the turn's length. Turns of fewer than ``min_chars`` characters are ignored in both modes. In mode
    ``call`` a hit is a fact about the call, one for each role that is too fast or slow. Usual limits for
    Mandarin: above 300, below 120.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        chars, time_ms = spoken_chars(table), spoken_ms(table)
        turns, calls = [], []
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            counted = (chars >= use["min_chars"]) & (time_ms > 0)
            if use["mode"] == "turn":
                rows = np.flatnonzero(counted & role_rows(table, role))
                rates = chars[rows] * MINUTE_MS / time_ms[rows]
                hit = within(rates, use, "chars_per_min")
                turns.append((number, rows[hit], rates[hit]))
                continue
            for code in range(len(ROLES)) if role == ANY_ROLE else (role,):
                rows = np.flatnonzero(counted & role_rows(table, code))
                spoken, spent = _per_call(table, rows, chars), _per_call(table, rows, time_ms)
                heard = np.flatnonzero(spent)
                rates = spoken[heard] * MINUTE_MS / spent[heard]
                hit = within(rates, use, "chars_per_min")
                calls.append((number, heard[hit], rates[hit]))
        unknown, facts = nothing_unknown(len(uses), table), stack(calls)
        begin, end = np.zeros(len(facts.row)), table.duration_ms[facts.row]
        return merge(
            turn_hits(table, stack(turns), unknown=unknown), call_hits(facts, begin, end, unknown=unknown)
        )

    return scan


def _per_call(table: CallTable, rows: Int64, column: Int64) -> Int64:
    """[C] sum of ``column`` over the turns ``rows``."""
    out = np.zeros(table.n_calls, np.int64)
    np.add.at(out, table.turn_call[rows], column[rows])
    return out
