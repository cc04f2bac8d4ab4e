"""Texts in normal form, and the way back to what was said."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.numbers.normal import normalised, spans

ROOT = Path(__file__).resolve().parents[3]
ALPHABET = (
    "零一二三四五六七八九十百千万亿两俩仨幺点半个块毛分元号日月年天周第初成负上下午晚早还欠 0123456789.:,%好a"
)


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("您还八千六百二十三块五就行", "您还8623.5元就行"),
        ("下午三点之前打幺三八零零一三八零零零", "15:00之前打13800138000"),
        ("七点三千九百", "7:00 3900"),
        ("等一下万一呢", "等一下万一呢"),
        ("三百多块", "300多元"),
        ("七八百", "700~800"),
        ("", ""),
    ],
)
def test_normal_form(said: str, normal: str) -> None:
    assert normalised(said).text == normal


def test_a_match_on_the_normal_form_is_found_in_what_was_said() -> None:
    said = "那您今天还八千六百二十三块五对吧"
    normal = normalised(said)
    match = re.search(r"\d+\.\d+元", normal.text)
    assert match is not None
    start, end = normal.said(*match.span())
    assert said[start:end] == "八千六百二十三块五"
    match = re.search("今天还8", normal.text)
    assert match is not None
    start, end = normal.said(*match.span())
    assert said[start:end] == "今天还八千六百二十三块五", "a number is never cut"
    assert normal.said(3, 3) == (3, 3) and normal.said(len(normal.text), len(normal.text)) == (16, 16)


@given(st.text(ALPHABET, max_size=24))
def test_nothing_gets_lost(text: str) -> None:
    found = spans(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    normal = normalised(text)
    assert len(normal.text) == len(normal.starts) == len(normal.ends)
    assert normal.starts == sorted(normal.starts) and normal.ends == sorted(normal.ends)
    covered = {at for span in found for at in range(span.start, span.end)}
    kept = "".join(c for at, c in enumerate(text) if at not in covered)
    rest = "".join(
        c
        for c, a, b in zip(normal.text, normal.starts, normal.ends, strict=True)
        if b == a + 1 and a not in covered
    )
    assert rest == kept, "what is no number stays as it is"


@given(st.text(ALPHABET, max_size=16))
def test_figures_of_the_normal_form_are_its_spans(text: str) -> None:
    assert [span.kind for span in spans(text) if not span.normal] == []


def test_our_own_calls_hold_what_their_labels_promise() -> None:
    """Turns labelled as stating a debt mostly name a sum; greetings of the agent hardly ever do."""
    stating, greeting = [], []
    for path in sorted((ROOT / "training" / "dialogues").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = line.split("|")
            if len(cells) == 3 and "a_state_debt" in cells[2]:
                stating.append(cells[1])
            elif len(cells) == 3 and cells[2] == "a_self_identify":
                greeting.append(cells[1])
    shares = [
        sum(any(span.kind == "amount" for span in spans(text)) for text in texts) / len(texts)
        for texts in (stating, greeting)
    ]
    assert shares[0] > 0.8 and shares[1] < 0.05, shares
