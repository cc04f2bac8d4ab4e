"""What numbers count, form by form as it is spoken."""

import pytest

from operators.numbers.normal import spans


def _only(text: str) -> tuple[str, float, str, str]:
    (span,) = spans(text)
    return span.kind, pytest.approx(span.value), text[span.start : span.end], span.normal  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "said", "yuan"),
    [
        ("还八千六百二十三块五", "八千六百二十三块五", 8623.5), ("要三块二毛五", "三块二毛五", 3.25),
        ("两块半", "两块半", 2.5), ("十二块五毛", "十二块五毛", 12.5), ("五毛钱", "五毛钱", 0.5),
        ("一分钱没有", "一分钱", 0.01), ("三毛八", "三毛八", 0.38),
        ("一百二十块零五", "一百二十块零五", 120.05), ("九十块零八毛逾期", "九十块零八毛", 90.8),
        ("三千三百八十元五角八分", "三千三百八十元五角八分", 3380.58), ("三块八分", "三块八分", 3.08),
        ("两万块", "两万块", 20_000), ("一块钱", "一块钱", 1), ("一块四", "一块四", 1.4),
        ("就还两万三", "两万三", 23_000), ("还五十", "五十", 50), ("一千二都没有", "一千二", 1200),
        ("三百多块", "三百多块", 300), ("一万多吧", "一万多", 10_000), ("三十多万", "三十多万", 300_000),
        ("七八百块钱", "七八百块钱", 700), ("十几块", "十几块", 10), ("5000块", "5000块", 5000),
        ("欠8000了", "8000", 8000), ("8623.5元", "8623.5元", 8623.5), ("五十块三", "五十块三", 50.3),
    ],
)  # fmt: skip
def test_amounts(text: str, said: str, yuan: float) -> None:
    kind, value, words, _ = _only(text)
    assert (kind, value, words) == ("amount", yuan, said)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("五十块三天内", ["amount", "duration"]), ("八百块五天", ["amount", "duration"]),
        ("三块一斤", ["amount"]), ("七点三千九百", ["time", "amount"]), ("三百个电话", ["cardinal"]),
        ("七十岁的人", ["cardinal"]), ("三百美元", ["cardinal"]), ("三分之一", ["percent"]),
        ("一块去", []), ("五毛病", []),
    ],
)  # fmt: skip
def test_what_follows_tells_a_sum_from_a_count(text: str, kinds: list[str]) -> None:
    assert [span.kind for span in spans(text)] == kinds


@pytest.mark.parametrize(
    ("text", "said", "days"),
    [
        ("逾期三十天", "三十天", 30), ("俩月", "俩月", 60), ("仨月没还", "仨月", 90), ("半年", "半年", 182.5),
        ("半个月", "半个月", 15), ("一个半月", "一个半月", 45), ("个半月", "个半月", 45),
        ("三个月", "三个月", 90), ("两个半小时", "两个半小时", 2.5 / 24), ("一年半", "一年半", 547.5),
        ("三五天", "三五天", 3), ("二十四小时", "二十四小时", 1), ("五个工作日", "五个工作日", 5),
        ("三日内", "三日", 3), ("一礼拜", "一礼拜", 7), ("两个星期", "两个星期", 14),
        ("十分钟", "十分钟", 10 / 1440), ("十来天", "十来天", 10), ("两年", "两年", 730),
        ("半个多小时", "半个多小时", 0.5 / 24), ("90天", "90天", 90),
    ],
)  # fmt: skip
def test_durations(text: str, said: str, days: float) -> None:
    kind, value, words, _ = _only(text)
    assert (kind, value, words) == ("duration", days, said)


@pytest.mark.parametrize(
    ("text", "said", "day", "normal"),
    [
        ("十五号还", "十五号", 15, "15号"), ("八月八日", "八月八日", 8, "8月8日"),
        ("八月份", "八月份", 0, "8月"), ("二零二四年三月五号", "二零二四年三月五号", 5, "2024年3月5号"),
        ("二零二四年", "二零二四年", 0, "2024年"), ("两千零五年八月", "两千零五年八月", 0, "2005年8月"),
        ("八五年", "八五年", 0, "85年"), ("二十几号", "二十几号", 20, "20多号"),
        ("15号", "15号", 15, "15号"),
    ],
)  # fmt: skip
def test_dates(text: str, said: str, day: float, normal: str) -> None:
    assert _only(text) == ("date", day, said, normal)


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("百分之三十", 30), ("百分之二点一五", 2.15), ("万分之五", 0.05), ("千分之一", 0.1),
        ("百分百", 100), ("百分之百", 100), ("三分之一", 100 / 3), ("三成", 30), ("30%", 30),
        ("2.5％", 2.5),
    ],
)  # fmt: skip
def test_percentages(text: str, percent: float) -> None:
    assert _only(text)[:3] == ("percent", percent, text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("幺三八零零一三八零零零", "13800138000"), ("工号八零三", "803"), ("尾号八八", "88"),
        ("尾号是幺二", "12"), ("我的卡六二二二零二", "622202"), ("打九五幺九五", "95195"),
        ("尾号13800", "13800"),
    ],
)  # fmt: skip
def test_codes(text: str, normal: str) -> None:
    kind, value, _, shown = _only(text)
    assert (kind, shown, value) == ("code", normal, len(normal))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("还剩三期", 3), ("两个人", 2), ("俩人", 2), ("二十五", 25), ("三点五倍", 3.5), ("负三点一", -3.1),
        ("一百零一号", 101), ("十个", 10), ("八十六了", 86),
    ],
)  # fmt: skip
def test_counts(text: str, value: float) -> None:
    assert _only(text)[:2] == ("cardinal", value)


@pytest.mark.parametrize(
    "text",
    [
        "等一下", "万一呢", "一样的", "三番五次", "十分感谢", "第一", "第十五条", "七七八八", "一个",
        "一共", "千万别", "乱七八糟", "三天两头", "二百五", "周三", "礼拜五", "初五", "九五开头", "九五折",
        "我们一块去", "一点都不", "有一天", "这两年", "前两天", "几十块", "上千块", "双十一", "一毛不拔",
        "三七二十一", "早点睡", "网点", "十全十美", "一五一十", "我姓万", "三里屯", "百分点", "一半",
        "半夜", "零头", "四川", "一分不少", "上半年", "百货",
    ],
)  # fmt: skip
def test_these_are_no_numbers(text: str) -> None:
    assert spans(text) == []
