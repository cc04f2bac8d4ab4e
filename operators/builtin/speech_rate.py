"""Operator ``speech_rate``: how fast somebody speaks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import (
    call_hits,
    check_limits,
    limits,
    merge,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    speakers,
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
            help="judge each turn, each role's average over the call, or a quantile of its turns",
            type=str,
            default="turn",
            choices=("turn", "call", "quantile"),
        ),
        "quantile": Param(
            help="share of a role's turns that are slower", type=float, default=0.9, minimum=0, maximum=1,
            unit="share 0..1",
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
        Example(
            "A 0-1 您好您好 | A 2-3 您好您好您 | A 4-5 您好您好您好",
            {"gt_chars_per_min": 299, "mode": "quantile", "quantile": 0.5},
            "!",
        ),
        Example(
            "A 0-1 您好您好 | A 2-3 您好您好您 | A 4-5 您好您好您好",
            {"gt_chars_per_min": 300, "mode": "quantile", "quantile": 0.5},
            "-",
        ),
        Example(
            "A 0-1 您好您好 | A 2-3 您好您好您 | A 4-5 您好您好您好",
            {"gt_chars_per_min": 335, "mode": "quantile"},
            "!",
        ),
    ),
    check=check_limits("chars_per_min"),
)  # fmt: skip
def speech_rate(uses: Sequence[Params]) -> Scan:
    """Hit every turn (role, in mode ``call``) whose rate is beyond the limits; value = characters a minute.

    Characters are Han characters, digits and words of alphabets; punctuation and spaces do not count. Time
    is from the first to the last character less pauses over 500 ms where the turn has character times, else
    the turn's length. Turns of fewer than ``min_chars`` characters are ignored in every mode. In mode
    ``call`` (average: all characters over all time) and ``quantile`` (the rate below which that share of the
    role's turns lies, interpolated between neighbours) a hit is a fact about the call, one for each role that
    is too fast or slow. Usual limits for Mandarin: above 300, below 120.
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
            rows = np.flatnonzero(counted & role_rows(table, role))
            call, rates = (_averages if use["mode"] == "call" else _quantiles)(
                table, rows, chars, time_ms, use
            )
            hit = within(rates, use, "chars_per_min")
            calls.append((number, call[hit], rates[hit]))
        unknown, facts = nothing_unknown(len(uses), table), stack(calls)
        begin, end = np.zeros(len(facts.row)), table.duration_ms[facts.row]
        return merge(
            turn_hits(table, stack(turns), unknown=unknown), call_hits(facts, begin, end, unknown=unknown)
        )

    return scan


Rates = tuple[Int64, NDArray[np.float64]]
"""Call and rate of every speaker."""


def _averages(table: CallTable, rows: Int64, chars: Int64, time_ms: Int64, use: Params) -> Rates:
    """All characters over all time of each speaker of ``rows``."""
    speaker, size = speakers(table, rows), table.n_calls * len(ROLES)
    spoken, spent = np.bincount(speaker, chars[rows], size), np.bincount(speaker, time_ms[rows], size)
    heard = np.flatnonzero(spent)
    return heard // len(ROLES), spoken[heard] * MINUTE_MS / spent[heard]


def _quantiles(table: CallTable, rows: Int64, chars: Int64, time_ms: Int64, use: Params) -> Rates:
    """The quantile of the rates of each speaker's ``rows``."""
    rates = chars[rows] * MINUTE_MS / time_ms[rows]
    order = np.lexsort((rates, speakers(table, rows)))
    speaker, first, turns = np.unique(speakers(table, rows[order]), return_index=True, return_counts=True)
    place = (turns - 1) * use["quantile"]
    below = first + np.floor(place).astype(np.int64)
    above = first + np.ceil(place).astype(np.int64)
    ranked = rates[order]
    share = place - np.floor(place)
    return speaker // len(ROLES), ranked[below] * (1 - share) + ranked[above] * share
