"""Operator history: time zones, windows, what is missing."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.table import concat
from operators.testing import call

REGISTRY = load_registry()
START = datetime.fromisoformat("2026-11-23T12:00:00+08:00")


def _answer(meta: dict[str, Any], **params: object) -> bool | None:
    evidence = Plan([check_use(REGISTRY, "history", params)]).evaluate(call("A 您好", meta))
    return None if evidence.hits.unknown[0, 0] else len(evidence.hits) > 0


def _meta(*attempts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"call_start_local": START.isoformat(), "history": list(attempts), **more}


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-11-23T00:00:00+08:00", True),
        ("2026-11-22T23:59:59+08:00", False),
        ("2026-11-22T16:00:00+00:00", True),
        ("2026-11-22T15:59:59Z", False),
        ("2026-11-23T00:00:00", True),
        ("2026-11-23T12:00:00+08:00", False),
        ("2026-11-23T13:00:00+08:00", False),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_day_is_the_calls_own(at: object, counts: bool | None) -> None:
    assert _answer(_meta({"at": at}), gt=0, this_call=False) is counts


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-10_000, 500), max_size=12), st.integers(1, 9000), st.integers(1, 7))
def test_windows_count_what_lies_in_them(ago: list[int], minutes: int, days: int) -> None:
    times = [START + timedelta(minutes=n) for n in ago]
    meta = _meta(*({"at": at.isoformat()} for at in times))
    first_day = START.date() - timedelta(days=days - 1)
    for params, inside in (
        ({"minutes": minutes}, [t for t in times if START - timedelta(minutes=minutes) <= t < START]),
        ({"days": days}, [t for t in times if t < START and t.date() >= first_day]),
    ):
        use = check_use(REGISTRY, "history", {"gt": -1, "this_call": False, **params})
        assert Plan([use]).evaluate(call("A 您好", meta)).hits.value.tolist() == [len(inside)]


def test_flags_that_are_missing_leave_room() -> None:
    meta = _meta({"at": "2026-11-23T09:00:00+08:00", "effective": True}, {"at": "2026-11-23T10:00:00+08:00"})
    asked = {"count": "effective", "this_call": False}
    assert [_answer(meta, gt=n, **asked) for n in (0, 1, 2)] == [True, None, False]
    assert [_answer(meta, lt=n, **asked) for n in (1, 2, 3)] == [False, None, True]
    assert _answer(meta, gt=2, count="effective") is None, "this call's own flag is missing too"


def test_all_agencies_count_together_unless_asked() -> None:
    meta = _meta(
        {"at": "2026-11-23T09:00:00+08:00", "agency": "甲", "number": "1"},
        {"at": "2026-11-23T09:30:00+08:00", "agency": "乙", "number": "1"},
        {"at": "2026-11-23T10:00:00+08:00", "agency": "甲", "number": "2"},
        agency="甲", number="1",
    )  # fmt: skip
    for same, number in ([], 4), (["agency"], 3), (["number"], 3), (["agency", "number"], 2):
        assert _answer(meta, gt=number - 1, same=same) is True
        assert _answer(meta, gt=number, same=same) is False


def test_history_goes_before_the_counter() -> None:
    assert _answer({**_meta(), "n": 9}, gt=6, counter="n") is False
    assert _answer({"n": 9}, gt=6, counter="n") is True
    assert _answer({"n": True}, gt=0, counter="n") is None
    assert _answer({"history": [], "n": 9}, gt=6, counter="n") is None, "no start of this call"


def test_what_is_no_history_is_unknown_and_calls_are_judged_apart() -> None:
    use = check_use(REGISTRY, "history", {"gt": 0})
    tables = [call("A 您好", _meta()), call("A 您好", {"history": "7"}), call("A 您好", _meta("x"))]  # type: ignore[arg-type]
    evidence = Plan([use]).evaluate(concat(tables))
    assert evidence.hits.call.tolist() == [0, 2] and evidence.hits.unknown.tolist() == [[False, True, False]]
    assert "metadata fields history and call_start_local" in evidence.why_unknown(0, 1)


def test_days_and_minutes_exclude_one_another() -> None:
    with pytest.raises(OperatorError, match="parameter minutes: 5 together with days 2\nhelp:"):
        check_use(REGISTRY, "history", {"gt": 1, "days": 2, "minutes": 5})
