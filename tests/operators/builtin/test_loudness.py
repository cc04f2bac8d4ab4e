"""Operator loudness: against its definition, and what must not matter to it."""

import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
from operators.table import CallTable
from operators.testing import call

REGISTRY = load_registry()
turns = st.lists(st.tuples(st.sampled_from("AC"), st.integers(-50, -5)), min_size=1, max_size=10)


def _call(rows: list[tuple[str, int]]) -> CallTable:
    return call(" | ".join(f"{role} 您好您好 @{db}dB" for role, db in rows))


def _hits(table: CallTable, **params: object) -> list[tuple[int, float]]:
    hits = Plan([check_use(REGISTRY, "loudness", params)]).evaluate(table).hits
    return list(zip(hits.turn.tolist(), hits.value.tolist(), strict=True))


@settings(max_examples=100, deadline=None)
@given(turns)
def test_above_usual_is_above_the_speakers_median(rows: list[tuple[str, int]]) -> None:
    per_role = {role: [db for r, db in rows if r == role] for role in "AC"}
    known = all(len(levels) >= 3 for levels in per_role.values() if levels)
    expected = [(at, db - statistics.median(per_role[role])) for at, (role, db) in enumerate(rows)]
    assert _hits(_call(rows), gt_db=4) == [hit for hit in expected if known and hit[1] > 4]


@settings(max_examples=100, deadline=None)
@given(turns)
def test_a_jump_is_to_the_same_speakers_turn_before(rows: list[tuple[str, int]]) -> None:
    expected, before = [], {}
    for at, (role, db) in enumerate(rows):
        if role in before and db - before[role] > 2:
            expected.append((at, float(db - before[role])))
        before[role] = db
    assert _hits(_call(rows), measure="jump", gt_db=2) == expected


@settings(max_examples=50, deadline=None)
@given(turns)
def test_a_span_is_from_quietest_to_loudest(rows: list[tuple[str, int]]) -> None:
    levels = [[db for r, db in rows if r == role] for role in "AC"]
    expected = sorted(float(max(own) - min(own)) for own in levels if own and max(own) > min(own))
    assert sorted(value for _, value in _hits(_call(rows), measure="span", gt_db=0)) == expected


@settings(max_examples=50, deadline=None)
@given(turns, st.integers(-10, 4), st.sampled_from(["above_usual", "jump", "span"]))
def test_the_gain_of_a_line_does_not_matter(rows: list[tuple[str, int]], gain: int, measure: str) -> None:
    louder = [(role, db + gain) for role, db in rows]
    assert _hits(_call(rows), measure=measure, gt_db=1) == _hits(_call(louder), measure=measure, gt_db=1)


def test_turns_without_sound_are_left_out() -> None:
    table = call("A 您好您好 @-30dB | A 您好您好 | A 您好您好 @-20dB")
    assert _hits(table, measure="jump", gt_db=1) == [(2, pytest.approx(10))]


def test_a_call_without_sound_or_sides_is_unknown() -> None:
    apart = _call([("A", -20)] * 3)
    for table in (call("A 您好您好"), replace(apart, separated=~apart.separated)):
        assert Plan([check_use(REGISTRY, "loudness", {"gt_db": 1})]).evaluate(table).hits.unknown.all()
