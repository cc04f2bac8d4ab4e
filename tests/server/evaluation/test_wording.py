"""What counts as the same wording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.wording import Wording, number

DIGITS = "零一二三四五六七八九"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("8623.5元", "八千六百二十三点五元"),
        ("1,234块", "一千二百三十四块"),
        ("15号", "十五号"),
        ("10010", "一万零一十"),
        ("100001", "十万零一"),
        ("13800138000", "一三八零零一三八零零零"),
        ("2024年", "二零二四年"),
        ("2024个", "二千零二十四个"),
        ("007", "零零七"),
        ("30%", "百分之三十"),
        ("２０", "二十"),
        ("幺两", "一二"),
        ("0", "零"),
    ],
)
def test_digits_are_read_out(written: str, spoken: str) -> None:
    assert Wording().of(written) == spoken


def test_what_does_not_count_by_default() -> None:
    assert Wording().of(" 您好，QQ 群！？（是吗）") == "您好qq群是吗"


@pytest.mark.parametrize(
    ("wording", "kept"),
    [
        (Wording(punctuation=True), "好,a一"),
        (Wording(spaces=True), "好 a一"),
        (Wording(case=True), "好A一"),
        (Wording(digits=True), "好a1"),
        (Wording(ignore="好a"), "一"),
    ],
)
def test_each_step_is_switched_alone(wording: Wording, kept: str) -> None:
    assert wording.of("好， A1") == kept
    assert Wording().of("好， A1") == "好a一"


def test_the_report_says_what_was_compared() -> None:
    assert "no punctuation" in Wording().describe() and "digits read out" in Wording().describe()
    assert "no punctuation" not in Wording(punctuation=True).describe()


def _value(hanzi: str) -> int:
    """The number that ``hanzi`` writes, by another way than the one under test."""
    total, section, digit = 0, 0, 0
    for character in hanzi:
        if character in DIGITS:
            digit = DIGITS.index(character)
        elif character == "万":
            total, section, digit = (section + digit) * 10_000, 0, 0
        else:
            unit = {"十": 10, "百": 100, "千": 1000}[character]
            section += (digit or (1 if unit == 10 else 0)) * unit
            digit = 0
    return total + section + digit


@given(st.integers(0, 10**8 - 1))
def test_numbers_read_out_mean_themselves(value: int) -> None:
    assert _value(number(value)) == value


@given(st.text(max_size=30))
def test_normal_wording_is_final(text: str) -> None:
    once = Wording().of(text)
    assert not any(c.isspace() for c in once)
