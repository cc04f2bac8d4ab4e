"""Operator ``loudness``: who raises the voice."""

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
from operators.table import ROLES, Bool, CallTable, Int64
from operators.text import spoken_chars

FEWEST_TURNS = 3
"""With fewer measured turns a speaker's usual level is not known."""
_CALM = "A 0-2 您好请问 @-30dB | C 3-4 请问哪位 @-25dB | A 5-6 我是银行 @-31dB | A 7-8 请您还款 @-30dB"
_LOUD = f"{_CALM} | A 9-10 你必须还 @-18dB"


@operator(
    "loudness",
    needs=("loudness", "separated"),
    params={
        "measure": Param(
            help="what to measure", type=str, default="above_usual",
            choices=("above_usual", "jump", "span", "level"),
        ),
        **limits("db", "measure", "dB"),
        "min_chars": Param(
            help="shorter turns are not measured", type=int, default=4, minimum=1, unit="characters"
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example(_LOUD, {"gt_db": 10, "role": "agent"}, "....x"),
        Example(_LOUD, {"gt_db": 12, "role": "agent"}, "....."),
        Example(_CALM, {"gt_db": 0.5, "role": "customer"}, "?"),
        Example("A 0-2 您好请问 @-30dB | A 3-4 你必须还 @-10dB", {"gt_db": 10}, "?"),
        Example(_LOUD, {"measure": "jump", "gt_db": 10}, "....x"),
        Example(_LOUD, {"measure": "jump", "lt_db": -0.5}, "..x.."),
        Example("A 0-2 您好请问 @-30dB | C 3-4 你必须还 @-10dB", {"measure": "jump", "gt_db": 10}, ".."),
        Example("A 0-2 您好请问 @-30dB | A 3-4 哎 @-5dB", {"measure": "jump", "gt_db": 10}, ".."),
        Example(_LOUD, {"measure": "span", "gt_db": 12, "role": "agent"}, "!"),
        Example(_LOUD, {"measure": "span", "gt_db": 12, "role": "customer"}, "-"),
        Example("A 0-2 您好请问 @-52dB | C 3-4 我听不见 @-25dB", {"measure": "level", "lt_db": -45}, "x."),
        Example("A 0-2 您好请问", {"gt_db": 10}, "?"),
        Example("A 您好请问 @-30dB | A 您好您好 | A 你必须还 @-9dB", {"measure": "jump", "gt_db": 9}, "..x"),
    ),
    check=check_limits("db"),
    live=False,
)  # fmt: skip
def loudness(uses: Sequence[Params]) -> Scan:
    """Hit every turn (role, for ``span``) whose ``measure`` lies beyond the limits; value = the measure, dB.

    ``above_usual``: the turn's level less the median of the speaker's turns in this call, so that neither
    the line's gain nor a loud voice counts; unknown for a call in which a speaker asked for has turns but
    fewer than three measured ones. ``jump``: less the same speaker's measured turn before, upwards positive.
    ``span``: a speaker's loudest turn less his quietest, a fact about the call. ``level``: dB of full scale
    as recorded. Turns of fewer than ``min_chars`` characters are measured nowhere: a sigh is no raised
    voice. A call without sound (chat, transcript) is unknown. A doubled loudness is about 10 dB.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        chars, unknown, reasons = spoken_chars(table), nothing_unknown(len(uses), table), {}
        turns, calls = [], []
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            speaks = role_rows(table, role)
            rows = np.flatnonzero(~np.isnan(table.turn_loudness_db) & (chars >= use["min_chars"]) & speaks)
            rows = rows[np.argsort(speakers(table, rows), kind="stable")]
            if use["measure"] == "span":
                call, span = _spans(table, rows)
                hit = within(span, use, "db")
                calls.append((number, call[hit], span[hit]))
                continue
            measured = _measure(table, rows, use["measure"])
            if use["measure"] == "above_usual":
                unknown[number] = _unusual(table, rows, speaks)
                reasons[number] = f"a speaker has fewer than {FEWEST_TURNS} turns whose loudness is measured"
                measured[unknown[number][table.turn_call[rows]]] = np.nan
            hit = within(measured, use, "db") & ~np.isnan(measured)
            turns.append((number, rows[hit], measured[hit]))
        facts = stack(calls)
        begin, end = np.zeros(len(facts.row)), table.duration_ms[facts.row]
        return merge(
            turn_hits(table, stack(turns), unknown=unknown, reasons=reasons),
            call_hits(facts, begin, end, unknown=unknown),
        )

    return scan


def _measure(table: CallTable, rows: Int64, measure: str) -> NDArray[np.float64]:
    """The measure of each of ``rows``, which are ordered by speaker; NaN where there is none."""
    level = table.turn_loudness_db[rows].astype(np.float64)
    if measure == "level":
        return level
    speaker = speakers(table, rows)
    if measure == "above_usual":
        return level - _medians(level, speaker)
    before = np.concatenate([[np.nan], level[:-1]])[: len(rows)]
    first = np.concatenate([[True], np.diff(speaker) != 0])[: len(rows)]
    return np.where(first, np.nan, level - before)


def _medians(level: NDArray[np.float64], speaker: Int64) -> NDArray[np.float64]:
    """For each row the median level of its speaker; rows are ordered by speaker."""
    ranked = level[np.lexsort((level, speaker))]
    first, end = np.searchsorted(speaker, speaker), np.searchsorted(speaker, speaker, side="right")
    medians: NDArray[np.float64] = (ranked[(first + end - 1) // 2] + ranked[(first + end) // 2]) / 2
    return medians


def _spans(table: CallTable, rows: Int64) -> tuple[Int64, NDArray[np.float64]]:
    """Call and span of every speaker of ``rows``, which are ordered by speaker."""
    level, speaker = table.turn_loudness_db[rows].astype(np.float64), speakers(table, rows)
    first = np.flatnonzero(np.concatenate([[True], np.diff(speaker) != 0])[: len(rows)])
    if not len(first):
        return rows, level
    span = np.maximum.reduceat(level, first) - np.minimum.reduceat(level, first)
    return speaker[first] // len(ROLES), span


def _unusual(table: CallTable, rows: Int64, speaks: Bool) -> Bool:
    """[C] calls in which somebody who ``speaks`` has too few measured turns to know his usual level."""
    size = table.n_calls * len(ROLES)
    there = np.bincount(speakers(table, np.flatnonzero(speaks)), minlength=size) > 0
    few = np.bincount(speakers(table, rows), minlength=size) < FEWEST_TURNS
    return np.asarray((there & few).reshape(-1, len(ROLES)).any(axis=1), np.bool_)
