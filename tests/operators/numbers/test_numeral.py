"""Numbers read from their characters alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.numbers.numeral import Numeral, plain, read


def _read(text: str) -> Numeral:
    found = read(text, 0)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("八千六百二十三", 8623), ("两万五", 25_000), ("两万零五", 20_005), ("两万零五百", 20_500),
        ("三百六", 360), ("一万五千八", 15_800), ("一百零八万四", 1_084_000),
        ("三百八十五万六", 3_856_000), ("十", 10), ("十五", 15), ("二十", 20), ("一百十二", 112),
        ("两千零十", 2010), ("一千零一", 1001), ("一亿七万两千三百", 100_072_300),
        ("一千万一千一百一十一", 10_001_111), ("俩", 2), ("仨", 3), ("两", 2), ("零", 0),
        ("三点一四", 3.14), ("零点五", 0.5), ("六点四二万", 64_200), ("5万", 50_000), ("8,623.5", 8623.5),
        ("12", 12), ("3千", 3000),
    ],
)  # fmt: skip
def test_values(said: str, value: float) -> None:
    found = _read(said)
    assert (found.low, found.high, found.end) == (pytest.approx(value), pytest.approx(value), len(said))


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [("七八百", 700, 800), ("十五六", 15, 16), ("三五百", 300, 500), ("十七八万", 170_000, 180_000),
     ("七百三四十", 730, 740), ("一万六七", 16_000, 17_000), ("两三", 2, 3)],
)  # fmt: skip
def test_ranges(said: str, low: float, high: float) -> None:
    found = _read(said)
    assert (found.low, found.high, found.end) == (low, high, len(said))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("幺三八零零一三八零零零", "13800138000"),
        ("零五七一", "0571"),
        ("13800138000", "13800138000"),
        ("007", "007"),
    ],
)
def test_codes(said: str, code: str) -> None:
    assert _read(said).code == code and _read(said).end == len(said)


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("二十八四千", "四千"), ("两万五一个", "一个"), ("三千五千", "五千"), ("四零零一千", "一千"),
        ("三点二十", "点二十"), ("七点三千", "点三千"), ("三百零", "零"), ("二十五千克", "千克"),
        ("十三五", "五"),
    ],
)  # fmt: skip
def test_a_number_ends_where_its_units_do_not_fall(said: str, rest: str) -> None:
    assert said[_read(said).end :] == rest


@pytest.mark.parametrize("said", ["万", "千万", "百", "千", "亿"])
def test_units_alone_are_no_number(said: str) -> None:
    assert read(said, 0) is None


DIGITS = "零一二三四五六七八九"


def _hanzi(value: int) -> str:
    """Written by place value from the right, as another way than the reader goes."""
    groups, out = [], ""
    while value:
        groups.append(value % 10_000)
        value //= 10_000
    for place in reversed(range(len(groups))):
        part, text = groups[place], ""
        for power, unit in ((3, "千"), (2, "百"), (1, "十"), (0, "")):
            digit = part // 10**power % 10
            text += DIGITS[digit] + unit if digit else "零"
        text = text.rstrip("零")
        while "零零" in text:
            text = text.replace("零零", "零")
        out += text + ("", "万", "亿")[place] if text else "零"
    while "零零" in out:
        out = out.replace("零零", "零")
    return out.strip("零")


@given(st.integers(10, 10**12 - 1))
def test_every_number_written_out_is_read_back(value: int) -> None:
    text = _hanzi(value)
    found = _read(text)
    assert (found.low, found.end) == (value, len(text)), text


@given(st.text("零一二三四五六七八九十百千万亿两俩仨幺点半个0123456789.,", min_size=1, max_size=12))
def test_any_run_is_read_to_an_end_within_it(text: str) -> None:
    found = read(text, 0)
    if found is not None:
        assert 0 < found.end <= len(text) and found.low <= found.high


def test_plain_has_no_needless_point() -> None:
    assert [plain(v) for v in (8623.5, 20000.0, 0.05, 1e11)] == ["8623.5", "20000", "0.05", "100000000000"]
