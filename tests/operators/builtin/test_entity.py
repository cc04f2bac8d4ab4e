"""Operator entity: limits, roles, spans, several uses together."""

import pytest

from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.testing import call

REGISTRY = load_registry()
TALK = "A 0-4 您欠八千六百二十三块五 | C 5-6 我还五百 | A 7-9 十五号还两千"


def _hits(script: str, **params: object) -> list[tuple[int, int, int, float]]:
    plan = Plan([check_use(REGISTRY, "entity", params)])
    hits = plan.evaluate(call(script)).hits
    return list(
        zip(
            hits.turn.tolist(),
            hits.char_start.tolist(),
            hits.char_end.tolist(),
            hits.value.tolist(),
            strict=True,
        )
    )


def test_hits_carry_characters_and_values() -> None:
    assert _hits(TALK, kind="amount") == [(0, 2, 11, 8623.5), (1, 2, 4, 500), (2, 4, 6, 2000)]
    assert _hits(TALK, kind="date") == [(2, 0, 3, 15)]


def test_limits_are_strict_and_roles_count() -> None:
    assert [h[3] for h in _hits(TALK, kind="amount", gt=500)] == [8623.5, 2000]
    assert [h[3] for h in _hits(TALK, kind="amount", gt=499, lt=2000)] == [500]
    assert [h[3] for h in _hits(TALK, kind="amount", role="customer")] == [500]


def test_uses_together_find_what_each_finds_alone() -> None:
    asked = [{"kind": "amount", "gt": 1000.0}, {"kind": "date"}, {"kind": "amount", "role": "customer"}]
    uses = [check_use(REGISTRY, "entity", params) for params in asked]
    plan = Plan(uses)
    evidence = plan.evaluate(call(TALK))
    for use, params in zip(uses, asked, strict=True):
        rows = evidence.rows(plan.id_of(use))
        assert evidence.hits.value[rows].tolist() == [h[3] for h in _hits(TALK, **params)]


def test_a_call_without_turns_has_no_hits() -> None:
    assert _hits("", kind="amount") == []


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(OperatorError, match="no choice"):
        check_use(REGISTRY, "entity", {"kind": "money"})
