"""Compiled patterns against RE2, which is the reference: spans, exclusion, fallbacks, linear time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import bitstate, patterns
from operators.columns import ANY_ROLE
from operators.spec import OperatorError
from operators.testing import call

LETTERS = "我你不会好钱a1 "
pieces = st.one_of(
    st.text(LETTERS, min_size=1, max_size=3),
    st.sampled_from(["[我你]", "[^好]", r"\d", r"\D", "[a-z0-9]", r"\w", r"[^\d我]", ".", "^", "$"]),
    st.builds(
        "{}{}".format, st.sampled_from([".{0,3}", ".{2,6}", ".{1}", ".*", ".+"]), st.sampled_from(["", "?"])
    ),
)
written = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("|".join).map("(?:{})".format),
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.builds(
            "({}){}".format,
            inner,
            st.sampled_from(["?", "*", "+", "{1,3}", "??", "*?", "+?", "{2}", "{0,2}"]),
        ),
    ),
    max_leaves=6,
)
texts = st.lists(st.text(LETTERS, max_size=24), min_size=1, max_size=4)


def spans(pattern: str, turns: list[str], other: str | None = None) -> list[tuple[int, int, int]]:
    """Turn, start, end of every match, by whatever the matcher uses."""
    matcher = patterns.Matcher([(pattern, other)], np.full(1, ANY_ROLE, np.int8))
    table = call(" | ".join(f"A {turn or '。'}" for turn in turns))
    return sorted((int(row[1]), int(row[2]), int(row[3])) for row in matcher.find(table))


def by_re2(pattern: str, turns: list[str], other: str | None = None) -> list[tuple[int, int, int]]:
    found = []
    for number, turn in enumerate(turns):
        text = turn or "。"
        if other is None or patterns.compiled(other).search(text) is None:
            matches = patterns.compiled(pattern).finditer(text)
            found += [(number, *match.span()) for match in matches if match.end() > match.start()]
    return found


def accepted(pattern: str) -> bool:
    try:
        patterns.compiled(pattern)
    except OperatorError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(written, st.one_of(st.none(), written), texts)
def test_programs_find_what_re2_finds(pattern: str, other: str | None, turns: list[str]) -> None:
    turns = [turn.strip() for turn in turns]
    if accepted(pattern) and (other is None or accepted(other)):
        assert spans(pattern, turns, other) == by_re2(pattern, turns, other)


@pytest.mark.parametrize(
    "pattern", ["(会.{0,12}|不(要|能)?).{0,6}(打|说)", "我+?.{0,2}?钱", "(?:(?:a|a1)+|1a)+1", "[^\\d]好|^我$"]
)
def test_turns_too_long_for_a_program_go_to_re2(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = ["我会给你不要打不能说", "我我我有钱", "aa1a1a11a1", "我", "会" * 50 + "说"]
    before = spans(pattern, turns)
    asked = []
    monkeypatch.setattr(patterns, "_MOST_STATES", 0)
    monkeypatch.setattr(patterns.Matcher, "_by_re2", _noting(asked))
    assert spans(pattern, turns) == before == by_re2(pattern, turns)
    assert asked, "the control: the pairs really went there"


def _noting(asked):  # type: ignore[no-untyped-def]
    plain = patterns.Matcher._by_re2

    def noting(self, table, turns, uses):  # type: ignore[no-untyped-def]
        asked.extend(turns)
        return plain(self, table, turns, uses)

    return noting


@pytest.mark.parametrize(
    "pattern", [r"\b好", "(?i:A)好", r"\p{Han}好", "[[:alpha:]]好", "(a?)*好", "好{999}"]
)
def test_what_has_no_program_is_matched_all_the_same(pattern: str) -> None:
    turns = ["a 好", "A好好", "好" * 1000]
    assert spans(pattern, turns) == by_re2(pattern, turns)


def test_a_program_exists_for_ordinary_patterns() -> None:
    for pattern in ("(不会|没有).{0,12}(打|说)", "[0-9]{4,}", "^(喂|你好)", "(好|好好)+不"):
        assert bitstate.program(pattern) is not None
    assert bitstate.program(r"\b好") is None  # the control


def test_compiled_and_plain_kernels_agree() -> None:
    made = bitstate.join([p for p in map(bitstate.program, ("我.{0,3}(钱|好)", "[^我]钱$")) if p])
    points = np.array([ord(c) for c in "我没有钱我好钱"], np.int32)
    offsets, turns = np.array([0, len(points)], np.int64), np.zeros(2, np.int64)
    columns = (made.rows, made.row_offsets, made.ranges, made.class_offsets, made.first)
    answers = []
    for kernel in (bitstate.match_all, bitstate.match_all.py_func):
        out = np.zeros((9, 3), np.int64)
        count = kernel(points, offsets, turns, np.arange(2), np.array([-1, -1]), *columns, 400, out)
        answers.append(out[:count].tolist())
    assert answers[0] == answers[1] == [[0, 0, 4], [0, 4, 7], [1, 5, 7]]
