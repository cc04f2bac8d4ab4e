"""Operator keyword against a search written the plain way."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
from operators.spec import OperatorError
from operators.testing import call

REGISTRY = load_registry()
letters = "您好妈的他电话aA𠮷"
words = st.lists(st.text(letters, min_size=1, max_size=4), min_size=1, max_size=6)


def _fold(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _spans(words: list[str], text: str) -> set[tuple[int, int]]:
    text = _fold(text)
    return {(at, at + len(w)) for w in map(_fold, words) for at in range(len(text)) if text.startswith(w, at)}


def _found(script: str, **params: object) -> list[tuple[int, int, int]]:
    hits = Plan([check_use(REGISTRY, "keyword", params)]).evaluate(call(script)).hits
    return list(zip(hits.turn.tolist(), hits.char_start.tolist(), hits.char_end.tolist(), strict=True))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(words, words), min_size=1, max_size=4),
    st.lists(st.text(letters, max_size=15), max_size=4),
)
def test_finds_what_a_plain_search_finds(lists: list[tuple[list[str], list[str]]], texts: list[str]) -> None:
    uses = [check_use(REGISTRY, "keyword", {"any": have, "not_in": harmless}) for have, harmless in lists]
    plan = Plan(uses)
    evidence = plan.evaluate(call(" | ".join(f"A {text}" for text in texts)))
    for use, (have, harmless) in zip(uses, lists, strict=True):
        rows = evidence.rows(plan.id_of(use))
        hits = evidence.hits
        found = list(zip(hits.turn[rows], hits.char_start[rows], hits.char_end[rows], strict=True))
        expected = [
            (turn, start, end)
            for turn, text in enumerate(texts)
            for start, end in sorted(_spans(have, text))
            if not any(s <= start and end <= e for s, e in _spans(harmless, text))
        ]
        assert found == expected


def test_overlapping_words_are_all_found() -> None:
    assert _found("A 妈妈的", any=["妈妈", "妈的"]) == [(0, 0, 2), (0, 1, 3)]


def test_homophones_give_one_hit() -> None:
    assert _found("A 您已于期", any=["逾期", "预期"], match="pinyin") == [(0, 2, 4)]


def test_tones_do_not_matter_but_syllables_do() -> None:
    assert _found("A 骑子 | A 气质 | A 骗子", any=["妻子"], match="pinyin") == [(0, 0, 2)]


def test_times_are_those_of_the_characters() -> None:
    hits = Plan([check_use(REGISTRY, "keyword", {"any": ["骗子"]})]).evaluate(call("A 0-4 你是骗子")).hits
    assert (hits.start_ms.tolist(), hits.end_ms.tolist()) == ([2000], [4000])


def test_time_is_linear_when_every_position_begins_a_word() -> None:
    def seconds(characters: int) -> float:
        plan = Plan([check_use(REGISTRY, "keyword", {"any": ["哈" * n for n in range(1, 20)]})])
        table = call("A " + "哈" * characters)
        plan.evaluate(table)
        begin = time.process_time()
        plan.evaluate(table)
        return time.process_time() - begin

    assert min(seconds(40_000) for _ in range(3)) < 40 * min(seconds(4_000) for _ in range(3))


def test_words_that_sound_alike_are_one_word() -> None:
    assert _found("A 您已于期预期", any=["逾期", "预期", "起诉"], match="pinyin", at_least=2) == []
    assert len(_found("A 您已于期起诉", any=["逾期", "预期", "起诉"], match="pinyin", at_least="all")) == 2


def test_one_stretch_that_is_a_slip_of_two_words_is_one_hit() -> None:
    found = _found("A 征信报告", any=["征信报告", "征信报好", "上门"], match="fuzzy", at_least=2)
    assert found == [(0, 0, 4)]


def test_what_is_dropped_does_not_count_towards_at_least() -> None:
    assert _found("A 起诉了他妈的电话", any=["起诉", "他妈的"], not_in=["他妈的电话"], at_least=2) == []


def test_the_value_is_the_number_of_different_words() -> None:
    use = check_use(REGISTRY, "keyword", {"any": ["一", "二", "三"], "at_least": 2})
    hits = Plan([use]).evaluate(call("A 一二一 | A 三")).hits
    assert hits.turn.tolist() == [0, 0, 0] and hits.value.tolist() == [2, 2, 2]


@pytest.mark.parametrize("at_least", [0, 3, "some"])
def test_a_number_that_cannot_be_met_is_refused(at_least: object) -> None:
    with pytest.raises(OperatorError, match=r"parameter at_least: .* of 2 words\nhelp: a number from 1 to 2"):
        check_use(REGISTRY, "keyword", {"any": ["一", "二", "二"], "at_least": at_least})


def test_a_word_that_overlaps_is_not_beside() -> None:
    assert _found("A 去单位", any=["去单"], near=["单位"]) == []
    assert _found("A 去单位", any=["去"], near=["单位"], near_chars=0) == [(0, 0, 1)]


def test_company_in_another_turn_is_no_company() -> None:
    assert _found("A 我去 | A 单位", any=["我去"], near=["单位"]) == []


def test_other_uses_do_not_matter() -> None:
    """Each use alone finds what it finds among others."""
    requests = [
        {"any": ["起诉", "上门"], "at_least": 2}, {"any": ["起诉"], "near": ["上门"], "match": "fuzzy"},
        {"any": ["起诉"], "not_near": ["上门"]}, {"any": ["其诉"], "match": "pinyin", "not_in": ["起诉你"]},
        {"any": ["起诉", "上门"], "at_least": "all", "within": "call", "role": "customer"},
    ]  # fmt: skip
    table = call("A 起诉你上门 | C 其诉 | C 上门起诉 | A 起诉")
    uses = [check_use(REGISTRY, "keyword", params) for params in requests]
    together, plan = Plan(uses).evaluate(table), Plan(uses)
    for use in uses:
        alone = Plan([use]).evaluate(table).hits
        rows = together.rows(plan.id_of(use))
        assert together.hits.turn[rows].tolist() == alone.turn.tolist()
        assert together.hits.char_start[rows].tolist() == alone.char_start.tolist()
        assert len(alone)
