"""Operator ``meta``: what is known of the call besides what was said."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.columns import call_hits, nothing_unknown, stack
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import CallTable

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "in": lambda have, want: have in want,
    "not_in": lambda have, want: have not in want,
    "gt": lambda have, want: have > want,
    "gte": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "lte": lambda have, want: have <= want,
}
_ORDER = ("gt", "gte", "lt", "lte")
_LISTS = ("in", "not_in")


def _kind(value: object) -> str:
    """Values compare only within a kind: true is not 1, "3" is not 3."""
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | float | np.number):
        return "number" if value == value else "none"
    return "text" if isinstance(value, str) else "none"


def _clock(value: object) -> time | None:
    """The time of day of "22:00", "22:00:00", an ISO date and time, or a datetime; None for anything else."""
    if isinstance(value, datetime):
        return value.time()
    if isinstance(value, time):
        return value.replace(tzinfo=None)
    if not isinstance(value, str):
        return None
    for read in (time.fromisoformat, lambda text: datetime.fromisoformat(text).time()):
        try:
            if ":" in value:
                return read(value).replace(tzinfo=None)
        except ValueError:
            continue
    return None


def _check(params: Params) -> None:
    cmp, value = params["cmp"], params["value"]
    problem = ""
    if cmp == "known":
        problem = "" if value is None or isinstance(value, bool) else "takes true, false or no value"
    elif cmp == "time_in":
        clocks = [_clock(v) for v in value] if isinstance(value, tuple) else []
        if len(clocks) != 2 or None in clocks or clocks[0] == clocks[1]:
            problem = 'takes two different times, e.g. ["22:00", "08:00"]'
    elif cmp in _LISTS:
        kinds = {_kind(v) for v in value} if isinstance(value, tuple) else {"none"}
        problem = "takes a list of texts or of numbers" if len(kinds) != 1 or "none" in kinds else ""
    elif _kind(value) == "none" or (cmp in _ORDER and _kind(value) != "number"):
        problem = "takes a number" if cmp in _ORDER else "takes a text, a number, true or false"
    if problem:
        raise OperatorError(
            f"operator meta, parameter value: {value!r} does not go with cmp {cmp}\nhelp: {cmp} {problem}"
        )


@operator(
    "meta",
    needs=(),
    params={
        "field": Param(help="name of the metadata field", type=str, required=True),
        "cmp": Param(help="how to compare", type=str, required=True, choices=(*_COMPARE, "time_in", "known")),
        "value": Param(help="what to compare with", type=(str, float, bool, list, type(None)), default=None),
    },
    examples=(
        Example(
            "A 您好", {"field": "direction", "cmp": "eq", "value": "outbound"}, "!", {"direction": "outbound"}
        ),
        Example(
            "A 您好", {"field": "direction", "cmp": "ne", "value": "outbound"}, "-", {"direction": "outbound"}
        ),
        Example("A 您好", {"field": "attempts", "cmp": "gt", "value": 6}, "!", {"attempts": 7}),
        Example("A 您好", {"field": "attempts", "cmp": "gt", "value": 6}, "-", {"attempts": 6}),
        Example("A 您好", {"field": "attempts", "cmp": "gt", "value": 6}, "?", {"attempts": "7"}),
        Example("A 您好", {"field": "attempts", "cmp": "gt", "value": 6}, "?"),
        Example("A 您好", {"field": "attempts", "cmp": "known"}, "-"),
        Example(
            "A 您好", {"field": "who", "cmp": "in", "value": ["debtor", "guarantor"]}, "!", {"who": "debtor"}
        ),
        Example(
            "A 您好",
            {"field": "at", "cmp": "time_in", "value": ["22:00", "08:00"]},
            "!",
            {"at": "2026-11-23T22:00:00+08:00"},
        ),
        Example(
            "A 您好",
            {"field": "at", "cmp": "time_in", "value": ["22:00", "08:00"]},
            "-",
            {"at": "2026-11-23T08:00:00+08:00"},
        ),
        Example(
            "A 您好",
            {"field": "at", "cmp": "time_in", "value": ["22:00", "08:00"]},
            "-",
            {"at": "2026-11-23T21:59:59+08:00"},
        ),
    ),
    check=_check,
)
def meta(uses: Sequence[Params]) -> Scan:
    """Hit every call whose ``field`` compares with ``value`` as ``cmp`` says; value = its number, or 1.

    ``eq ne in not_in`` compare texts, numbers or true/false; ``gt gte lt lte`` numbers; ``time_in`` [from,
    to) the time of day of a date and time as written (its own offset, not the server's), across midnight
    when from > to; ``known`` asks whether the field is there (or, with false, is not). An absent field, or
    one of another kind than ``value`` ("7" is no number), leaves the call unknown. A hit is a fact about
    the call at time 0.
    """

    def scan(table: CallTable) -> Hits:
        factored = {name: _factor(table, name) for name in {use["field"] for use in uses}}
        unknown, found, reasons = nothing_unknown(len(uses), table), [], {}
        for number, use in enumerate(uses):
            values, codes = factored[use["field"]]
            verdicts = [_verdict(value, use["cmp"], use["value"]) for value in values]
            true = np.array([verdict is True for verdict in verdicts], np.bool_)[codes]
            unknown[number] = np.array([verdict is None for verdict in verdicts], np.bool_)[codes]
            figures = np.array([float(v) if _kind(v) == "number" else 1.0 for v in values])[codes]  # type: ignore[arg-type]
            rows = np.flatnonzero(true)
            found.append((number, rows, figures[rows]))
            reasons[number] = (
                f"metadata field {use['field']} is absent or does not compare with {use['value']!r}"
            )
        facts = stack(found)
        start = np.zeros(len(facts.row))
        return call_hits(facts, start, start, unknown=unknown, reasons=reasons)

    return scan


def _factor(table: CallTable, name: str) -> tuple[list[object], NDArray[np.int64]]:
    """The different values of a field, and [C] which of them each call has."""
    column = table.meta.get(name, (None,) * table.n_calls)
    seen: dict[tuple[type, str], int] = {}
    values: list[object] = []
    codes = np.empty(table.n_calls, np.int64)
    for call, value in enumerate(column):
        key = (type(value), value if isinstance(value, str) else repr(value))
        if key not in seen:
            seen[key] = len(values)
            values.append(value)
        codes[call] = seen[key]
    return values, codes


def _verdict(have: object, cmp: str, want: Any) -> bool | None:
    """True, false, or None where it cannot be told."""
    if cmp == "known":
        return (have is not None) == (want is not False)
    if cmp == "time_in":
        clock, first, last = _clock(have), _clock(want[0]), _clock(want[1])
        if clock is None or first is None or last is None:
            return None
        return first <= clock < last if first < last else clock >= first or clock < last
    if _kind(have) == "none" or _kind(have) != _kind(want[0] if cmp in _LISTS else want):
        return None
    return bool(_COMPARE[cmp](have, want))
