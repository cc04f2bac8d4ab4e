"""Operators emotion and emotion_trend: streaks, windows and trends against plain definitions."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.table import CallTable
from operators.testing import call

REGISTRY = load_registry()
turns = st.lists(st.tuples(st.sampled_from("AC"), st.integers(0, 10)), max_size=9)


def _call(rows: list[tuple[str, int]]) -> CallTable:
    """A turn of one second every two seconds, angry by so many tenths."""
    return call(
        " | ".join(f"{r} {2 * n}-{2 * n + 1} 好 (angry:{v / 10})" for n, (r, v) in enumerate(rows)),
        emotion_labels=("angry",),
    )


def _evaluate(table: CallTable, name: str, **params: object) -> list[tuple[int, float]]:
    hits = Plan([check_use(REGISTRY, name, {"any": ["angry"], **params})]).evaluate(table).hits
    return list(zip(hits.turn.tolist(), hits.value.tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(turns, st.integers(2, 3), st.integers(0, 2), st.integers(0, 4))
def test_times_of_last_within(rows: list[tuple[str, int]], times: int, more: int, turns_apart: int) -> None:
    expected = []
    for at, (role, value) in enumerate(rows):
        own = [n for n in range(at + 1) if rows[n][0] == role][-(times + more) :]
        felt = [n for n in own if rows[n][1] >= 5]
        near = [n for n in felt if not turns_apart or 2 * at + 1 - 2 * n <= 2 * turns_apart + 1]
        if value >= 5 and len(near) >= times:
            expected.append(at)
    within_ms = 1000 * (2 * turns_apart + 1) if turns_apart else 0
    found = _evaluate(
        _call(rows), "emotion", times=times, of_last=times + more if more else 0, within_ms=within_ms
    )
    assert [turn for turn, _ in found] == expected


@settings(max_examples=100, deadline=None)
@given(turns)
def test_a_rise_is_the_last_third_less_the_first(rows: list[tuple[str, int]]) -> None:
    values = {role: [v / 10 for r, v in rows if r == role] for role in "AC"}
    expected = []
    for own in values.values():
        third = len(own) // 3
        if third:
            expected.append(statistics.mean(own[-third:]) - statistics.mean(own[:third]))
    if any(0 < len(own) < 3 for own in values.values()):
        expected = []
    found = _evaluate(_call(rows), "emotion_trend", gt_rise=0.055, min_turns=3)
    assert sorted(v for _, v in found) == pytest.approx(sorted(v for v in expected if v > 0.055), abs=1e-6)


def test_a_turn_without_a_score_neither_counts_nor_breaks_a_streak() -> None:
    table = _call([("A", 8), ("A", 0), ("A", 8)])
    table.emotion[1] = float("nan")
    assert [turn for turn, _ in _evaluate(table, "emotion", times=2)] == [2]


def test_too_few_turns_have_no_trend() -> None:
    use = check_use(REGISTRY, "emotion_trend", {"any": ["angry"], "gt_rise": 0.1})
    evidence = Plan([use]).evaluate(_call([("A", 1)] * 5))
    assert evidence.why_unknown(0, 0) == "a speaker has fewer than 6 scored turns"


def test_a_window_smaller_than_the_number_is_refused() -> None:
    with pytest.raises(OperatorError, match="parameter of_last: 2 is below times 3\nhelp:"):
        check_use(REGISTRY, "emotion", {"any": ["angry"], "times": 3, "of_last": 2})
