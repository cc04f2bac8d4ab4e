"""Operator keyword against a search written the plain way."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Plan, check_use, load_registry
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
