"""Operator ``history``: how often the same person was called before, over all agencies."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from operators.columns import call_hits, check_limits, limits, nothing_unknown, stack
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import CallTable

FIELD, STARTED = "history", "call_start_local"
"""The metadata field with the earlier attempts, and the one with this call's start."""
_FLAGS: Mapping[str, tuple[str, bool] | None] = {
    "attempts": None,
    "unanswered": ("connected", False),
    "connected": ("connected", True),
    "effective": ("effective", True),
}
"""What is counted: attempts whose flag has the value."""
Range = tuple[int, int] | None
"""The least and the most that a count can be; None where nothing is known."""
_NOON = "2026-11-23T12:00:00+08:00"
_THREE = {
    STARTED: _NOON,
    "agency": "甲",
    "connected": True,
    "effective": True,
    FIELD: [
        {"at": "2026-11-22T21:00:00+08:00", "agency": "甲", "connected": True, "effective": True},
        {"at": "2026-11-23T09:00:00+08:00", "agency": "乙", "connected": False, "effective": False},
        {"at": "2026-11-23T10:00:00+08:00", "agency": "甲", "connected": True, "effective": True},
    ],
}


def _check(params: Params) -> None:
    check_limits("")(params)
    if params["minutes"] and params["days"] != 1:
        raise OperatorError(
            f"operator history, parameter minutes: {params['minutes']} together with days {params['days']}\n"
            "help: set one of the two"
        )


@operator(
    "history",
    needs=(),
    params={
        "count": Param(help="what is counted", type=str, default="attempts", choices=tuple(_FLAGS)),
        **limits("", "count", "calls"),
        "days": Param(
            help="calendar days that count, this call's own included", type=int, default=1, minimum=1,
            unit="days",
        ),
        "minutes": Param(
            help="instead of days: the time before this call that counts", type=int, default=0, minimum=0,
            unit="minutes",
        ),
        "same": Param(
            help="fields in which an attempt must be like this call, e.g. agency or number", type=list,
            items=str, default=(),
        ),
        "this_call": Param(help="count this call too", type=bool, default=True),
        "counter": Param(
            help="metadata number that holds the count where the call has no history",
            type=(str, type(None)), default=None,
        ),
    },
    examples=(
        Example("A 您好", {"gt": 2}, "!", _THREE),
        Example("A 您好", {"gt": 3}, "-", _THREE),
        Example("A 您好", {"gt": 2, "this_call": False}, "-", _THREE),
        Example("A 您好", {"gt": 3, "days": 2}, "!", _THREE),
        Example("A 您好", {"gt": 2, "minutes": 121}, "-", _THREE),
        Example("A 您好", {"gt": 1, "minutes": 121}, "!", _THREE),
        Example("A 您好", {"count": "effective", "gt": 1}, "!", _THREE),
        Example("A 您好", {"count": "unanswered", "gt": 1}, "-", _THREE),
        Example("A 您好", {"gt": 2, "same": ["agency"]}, "-", _THREE),
        Example("A 您好", {"gt": 1, "same": ["number"]}, "?", _THREE),
        Example(
            "A 您好",
            {"gt": 1},
            "!",
            {STARTED: _NOON, FIELD: [{"at": "2026-11-22T16:00:00Z"}]},
        ),
        Example(
            "A 您好",
            {"gt": 1},
            "-",
            {STARTED: _NOON, FIELD: [{"at": "2026-11-23T12:30:00+08:00"}]},
        ),
        Example("A 您好", {"gt": 2}, "?"),
        Example("A 您好", {"gt": 6, "counter": "attempts_today"}, "!", {"attempts_today": 7}),
        Example("A 您好", {"gt": 6, "counter": "attempts_today"}, "-", {"attempts_today": 6}),
        Example("A 您好", {"gt": 6, "counter": "attempts_today"}, "?"),
        Example(
            "A 您好", {"count": "effective", "gt": 1}, "?",
            {STARTED: _NOON, "effective": True, FIELD: [{"at": "2026-11-23T09:00:00+08:00"}]},
        ),
        Example(
            "A 您好", {"count": "effective", "gt": 2}, "-",
            {STARTED: _NOON, "effective": True, FIELD: [{"at": "2026-11-23T09:00:00+08:00"}]},
        ),
    ),
    check=_check,
)  # fmt: skip
def history(uses: Sequence[Params]) -> Scan:
    """Hit every call whose number of calls so far is above ``gt`` and below ``lt``; value = the number.

    They are counted from the metadata field ``history``: a list of earlier attempts, each a mapping with
    ``at`` (date and time) and as far as known ``connected``, ``effective``, ``agency``, ``number``; it holds
    those of all agencies to the same person. Counted are ``attempts``, ``unanswered``, ``connected`` or
    ``effective`` ones that began before this call (``call_start_local``), on its calendar day and the
    ``days`` - 1 before it, in its own time zone, or in the ``minutes`` before it; this call itself too, by
    its own fields. A time without zone is this call's local time. ``same`` narrows it to attempts that agree
    with this call in those fields: without it all agencies and numbers count together.

    What is missing leaves room: an attempt without the flag asked for, or without a readable time, may count
    or not, and the call is unknown only if that would change the answer. A call without history takes the
    number in the metadata field ``counter``, and is unknown without that.
    """

    def scan(table: CallTable) -> Hits:
        unknown, found, reasons = nothing_unknown(len(uses), table), [], {}
        calls = [_facts(table, call) for call in range(table.n_calls)]
        for number, use in enumerate(uses):
            ranges = [_counted(facts, use) for facts in calls]
            verdicts = [_verdict(counted, use["gt"], use["lt"]) for counted in ranges]
            unknown[number] = [verdict is None for verdict in verdicts]
            rows = np.flatnonzero([verdict is True for verdict in verdicts])
            found.append((number, rows, np.array([_least(ranges[row]) for row in rows], np.float64)))
            reasons[number] = f"metadata fields {FIELD} and {STARTED} do not tell how many {use['count']}"
        facts = stack(found)
        start = np.zeros(len(facts.row))
        return call_hits(facts, start, start, unknown=unknown, reasons=reasons)

    return scan


def _facts(table: CallTable, call: int) -> Mapping[str, Any]:
    """The metadata of one call."""
    return {name: column[call] for name, column in table.meta.items() if column[call] is not None}


def _least(counted: Range) -> int:
    return counted[0] if counted else 0


def _verdict(counted: Range, above: float | None, below: float | None) -> bool | None:
    """Whether any number the count can be lies within the limits: all do, none does, or it cannot be told."""
    if counted is None:
        return None
    least, most = counted
    if (above is not None and most <= above) or (below is not None and least >= below):
        return False
    sure = (above is None or least > above) and (below is None or most < below)
    return True if sure else None


def _counted(facts: Mapping[str, Any], use: Params) -> Range:
    attempts, start = facts.get(FIELD), _when(facts.get(STARTED))
    if not isinstance(attempts, list | tuple):
        have = facts.get(use["counter"]) if use["counter"] else None
        plain = isinstance(have, int | float) and not isinstance(have, bool) and have == have
        return (int(have), int(have)) if plain else None  # type: ignore[arg-type]
    if start is None:
        return None
    answers = [_counts(attempt, facts, start, use) for attempt in attempts]
    if use["this_call"]:
        answers.append(_has_flag(facts, use["count"]))
    return answers.count(True), len(answers) - answers.count(False)


def _counts(attempt: object, facts: Mapping[str, Any], start: datetime, use: Params) -> bool | None:
    """Whether an earlier attempt counts; None where that cannot be told."""
    if not isinstance(attempt, Mapping):
        return None
    answers = [_in_time(_when(attempt.get("at")), start, use), _has_flag(attempt, use["count"])]
    for name in use["same"]:
        known = attempt.get(name) is not None and facts.get(name) is not None
        answers.append(attempt[name] == facts[name] if known else None)
    return False if False in answers else None if None in answers else True


def _has_flag(facts: Mapping[str, Any], count: str) -> bool | None:
    flag = _FLAGS[count]
    if flag is None:
        return True
    name, wanted = flag
    return facts[name] is wanted if isinstance(facts.get(name), bool) else None


def _when(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _in_time(at: datetime | None, start: datetime, use: Params) -> bool | None:
    """Whether ``at`` lies before ``start`` and within the window, both on the clock of ``start``."""
    if at is None:
        return None
    if at.tzinfo is None or start.tzinfo is None:
        at = at.replace(tzinfo=start.tzinfo)
    else:
        at = at.astimezone(start.tzinfo)
    if use["minutes"]:
        return start - timedelta(minutes=use["minutes"]) <= at < start
    return at < start and at.date() > start.date() - timedelta(days=use["days"])
