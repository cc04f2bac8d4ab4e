"""Operator meta: comparisons, kinds, times of day."""

from datetime import datetime

import pytest

from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.table import concat
from operators.testing import call

REGISTRY = load_registry()


def _answer(cmp: str, value: object, have: object) -> bool | None:
    use = check_use(REGISTRY, "meta", {"field": "x", "cmp": cmp, "value": value})
    evidence = Plan([use]).evaluate(call("A 您好", {} if have is None else {"x": have}))
    return None if evidence.hits.unknown[0, 0] else len(evidence.hits) > 0


@pytest.mark.parametrize(
    ("cmp", "value", "have", "answer"),
    [
        ("eq", True, True, True),
        ("eq", True, False, False),
        ("eq", True, "true", None),
        ("eq", 1, True, None),
        ("eq", 1, 1.0, True),
        ("eq", "a", 1, None),
        ("ne", "a", "b", True),
        ("ne", "a", None, None),
        ("not_in", ["a", "b"], "c", True),
        ("in", [1, 2], 2, True),
        ("in", [1, 2], "2", None),
        ("gte", 3, 3, True),
        ("lt", 3, 3, False),
        ("lte", 3, float("nan"), None),
        ("gt", 3, [4], None),
        ("known", None, "x", True),
        ("known", False, None, True),
        ("known", False, "x", False),
    ],
)
def test_comparison(cmp: str, value: object, have: object, answer: bool | None) -> None:
    assert _answer(cmp, value, have) is answer


@pytest.mark.parametrize(
    ("have", "answer"),
    [
        ("22:00:00", True),
        ("07:59:59.9", True),
        ("08:00:00", False),
        ("21:59", False),
        ("2026-11-23T23:15:00+08:00", True),
        ("2026-11-23 12:15:00", False),
        ("2026-11-23T22:15:00Z", True),
        (datetime(2026, 11, 23, 22, 0), True),
        ("2026-11-23", None),
        ("tonight", None),
        (22, None),
    ],
)
def test_time_of_day_across_midnight(have: object, answer: bool | None) -> None:
    assert _answer("time_in", ["22:00", "08:00"], have) is answer


def test_time_of_day_within_a_day() -> None:
    assert _answer("time_in", ["08:00", "22:00"], "08:00") is True
    assert _answer("time_in", ["08:00", "22:00"], "22:00:00") is False


@pytest.mark.parametrize(
    ("cmp", "value"),
    [("gt", "3"), ("in", "a"), ("in", ["a", 1]), ("time_in", ["22:00"]), ("time_in", ["22:00", "22:00"]),
     ("time_in", ["22:00", "25:00"]), ("eq", None), ("eq", ["a"]), ("known", "yes")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(cmp: str, value: object) -> None:
    with pytest.raises(OperatorError, match=f"does not go with cmp {cmp}\nhelp:"):
        check_use(REGISTRY, "meta", {"field": "x", "cmp": cmp, "value": value})


def test_the_reason_names_the_field_and_calls_are_judged_apart() -> None:
    table = concat([call("A 您好", {"x": 4}), call("A 您好"), call("A 您好", {"x": 5})])
    evidence = Plan([check_use(REGISTRY, "meta", {"field": "x", "cmp": "gt", "value": 3})]).evaluate(table)
    assert evidence.hits.call.tolist() == [0, 2] and evidence.hits.value.tolist() == [4, 5]
    assert "metadata field x" in evidence.why_unknown(0, 1)
