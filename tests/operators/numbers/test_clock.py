"""Times of day."""

import pytest

from operators.numbers.normal import spans


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("三点半", "3:30"), ("下午三点", "15:00"), ("晚上八点二十", "20:20"), ("十点零五分", "10:05"),
        ("一点半", "1:30"), ("下午一点", "13:00"), ("凌晨一点", "1:00"), ("八点一刻", "8:15"),
        ("十三点十分三十六秒", "13:10:36"), ("晚上十二点", "0:00"), ("中午十二点", "12:00"),
        ("中午一点", "13:00"), ("半夜两点", "2:00"), ("晚九点半", "21:30"), ("15:30", "15:30"),
        ("下午3点", "15:00"), ("零点十分", "0:10"), ("八点零七", "8:07"), ("十二点", "12:00"),
        ("六七点", "6~7点"), ("上午 十点", "10:00"),
    ],
)  # fmt: skip
def test_times(text: str, normal: str) -> None:
    (span,) = spans(text)
    assert (span.kind, span.normal, span.start, span.end) == ("time", normal, 0, len(text))
    hours = normal.split("~")[0].split(":")
    assert span.value == pytest.approx(sum(float(part) / 60**place for place, part in enumerate(hours)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("一点前", "一点"),
        ("八点到", "八点"),
        ("十二点之前", "十二点"),
        ("周三十点", "十点"),
        ("四点多吧", "四点"),
        ("一点钟", "一点钟"),
    ],
)
def test_times_in_their_surroundings(text: str, said: str) -> None:
    (span,) = spans(text)
    assert (span.kind, text[span.start : span.end]) == ("time", said)


@pytest.mark.parametrize(
    "text", ["一点", "三点五", "三点五倍", "三点零五元", "三点意见", "早点", "下午再说", "晚上"]
)
def test_these_are_no_times(text: str) -> None:
    assert [span for span in spans(text) if span.kind == "time"] == []
