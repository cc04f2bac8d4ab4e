"""Operator regex: spans, refusals, linear time."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.atoms import required
from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.testing import call

REGISTRY = load_registry()
atoms = st.sampled_from(["好", "不", "a", "1", ".", "[好不]", "[^好]", r"\d", r"\w", "(好|不好)", "(?:a|a1)"])
tails = st.sampled_from(["", "?", "+", "{1,2}", ".{0,3}", "{0,2}"])
patterns = st.lists(st.tuples(atoms, tails).map("".join), min_size=1, max_size=4).map("".join)


def _spans(pattern: str, text: str, **params: object) -> list[tuple[int, int]]:
    use = check_use(REGISTRY, "regex", {"pattern": pattern, **params})
    hits = Plan([use]).evaluate(call(f"A {text}")).hits
    return list(zip(hits.char_start.tolist(), hits.char_end.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(patterns, min_size=1, max_size=5),
    st.lists(st.text("好不a1吗 ", max_size=14), min_size=1, max_size=3),
)
def test_finds_what_python_finds(given_patterns: list[str], texts: list[str]) -> None:
    texts = [text.strip() for text in texts]
    kept = [p for p in given_patterns if not re.compile(p, re.ASCII).search("")]
    uses = [check_use(REGISTRY, "regex", {"pattern": pattern}) for pattern in kept]
    plan = Plan(uses)
    evidence = plan.evaluate(call(" | ".join(f"A {text}" for text in texts)))
    for use, pattern in zip(uses, kept, strict=True):
        rows, hits = evidence.rows(plan.id_of(use)), evidence.hits
        found = list(zip(hits.turn[rows], hits.char_start[rows], hits.char_end[rows], strict=True))
        compiled = re.compile(pattern, re.DOTALL | re.ASCII)
        assert found == [
            (turn, *m.span()) for turn, text in enumerate(texts) for m in compiled.finditer(text)
        ]


def test_a_greedy_gap_reaches_as_far_as_it_can() -> None:
    assert _spans("我.{0,8}钱", "我要还钱没有钱") == [(0, 7)]
    assert _spans("我.{0,8}?钱", "我要还钱没有钱") == [(0, 4)]


def test_hits_do_not_overlap() -> None:
    assert _spans("好好", "好好好好好") == [(0, 2), (2, 4)]


def test_exclude_looks_at_the_whole_turn() -> None:
    assert _spans("威胁", "我威胁你不是的", exclude="不是") == []
    assert _spans("威胁", "我威胁你", exclude="不是") == [(1, 3)]


def test_rare_characters_count_as_one() -> None:
    assert _spans("钱", "𠮷😀钱") == [(2, 3)]


def test_a_pattern_that_demands_nothing_is_looked_for_everywhere() -> None:
    assert required("[^好]..") == ()
    assert _spans("[^好]..", "好不好吗") == [(1, 4)]


@pytest.mark.parametrize(
    "pattern", ["(?=好)不", "(?!好)不", "(?<=好)不", "(?<!好)不", r"(好)\1", "(?P<x>好)(?P=x)"]
)
def test_what_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(OperatorError, match="linear time") as error:
        check_use(REGISTRY, "regex", {"pattern": pattern})
    assert "`exclude`" in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "says"), [("好(", "missing \\)"), ("好*", "empty text"), ("好++", "repetition")]
)
def test_a_wrong_pattern_is_explained(pattern: str, says: str) -> None:
    for name in ("pattern", "exclude"):
        with pytest.raises(OperatorError, match=says) as error:
            check_use(REGISTRY, "regex", {"pattern": "好", name: pattern})
        assert "help:" in str(error.value)


def test_a_catastrophic_pattern_takes_linear_time() -> None:
    plan = Plan([check_use(REGISTRY, "regex", {"pattern": "(好|好好)+不"})])
    begin = time.perf_counter()
    evidence = plan.evaluate(call("A " + "好" * 20_000 + "吗"))
    assert len(evidence.hits) == 0
    assert time.perf_counter() - begin < 2
