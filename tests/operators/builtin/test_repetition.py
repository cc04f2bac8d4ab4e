"""Operator repetition against its definition written the plain way."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
from operators.table import CallTable
from operators.testing import call

REGISTRY = load_registry()
rows = st.lists(st.tuples(st.sampled_from("ACO"), st.text("还款吗，", max_size=7).map(str.strip)), max_size=7)


def _call(turns: list[tuple[str, str]]) -> CallTable:
    return call(" | ".join(f"{role} {text}" for role, text in turns))


def _hits(table: CallTable, **params: object) -> list[tuple[int, float]]:
    hits = Plan([check_use(REGISTRY, "repetition", params)]).evaluate(table).hits
    return list(zip(hits.turn.tolist(), hits.value.tolist(), strict=True))


def _pairs(text: str) -> "Counter[str]":
    text = "".join(c for c in text.lower() if c.isalnum())
    return Counter(text[at : at + 2] for at in range(len(text) - 1))


def _similar(one: str, other: str, contained: bool) -> float:
    a, b = _pairs(one), _pairs(other)
    shared, sizes = (a & b).total(), (a.total(), b.total())
    return shared / (min(sizes) if contained else sum(sizes) - shared)


def _spoken(text: str) -> int:
    return len(text.replace("，", ""))


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from(["same", "other", "any"]), st.booleans(), st.integers(0, 3), st.integers(2, 3))
def test_is_what_its_definition_says(
    turns: list[tuple[str, str]], of: str, contained: bool, look_back: int, times: int
) -> None:
    expected = []
    for at, (role, text) in enumerate(turns):
        earlier = [t for r, t in turns[:at] if of == "any" or (r == role) == (of == "same")]
        window = earlier[-look_back:] if look_back else earlier
        if _spoken(text) < 3:
            continue
        said = 1 + sum(_spoken(t) >= 3 and _similar(text, t, contained) >= 0.6 for t in window)
        if said >= times:
            expected.append((at, float(said)))
    measure = "contained" if contained else "whole"
    found = _hits(_call(turns), of=of, measure=measure, look_back_turns=look_back, times=times, min_chars=3)
    assert found == expected


def test_case_and_punctuation_do_not_matter() -> None:
    assert _hits(call("A 加我QQ好吗 | A 加，我qq，好吗？"), min_chars=3, at_least=1.0) == [(1, 2.0)]
