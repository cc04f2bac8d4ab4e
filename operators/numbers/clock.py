"""Times of day: 三点半, 下午四点二十, 十点零五分, 15:30."""

import re

from operators.numbers import words
from operators.numbers.numeral import read
from operators.numbers.place import Span

_AM_PM = {"noon": (0, 3), "afternoon": (0, 12), "evening": (5, 12), "night": (8, 12)}
"""Hours to which twelve are added behind such a word; twelve at night is midnight."""


_MEASURES = ("元", "块", "万", "亿", "倍", "个", "米")
"""Behind 三点零五, which then is a decimal."""


def clock(text: str, at: int, *, start: int, part: str = "") -> Span | None:
    """The time of day at ``at``; ``part`` of the day (a group of ``words.WHEN``) was said at ``start``."""
    figures = words.FIGURES.match(text, at)
    if figures is not None:
        return _span(start, figures.end(), 60 * int(figures["hour"]) + int(figures["minute"]), part)
    match = words.CLOCK.match(text, at)
    if match is None or not (_is_clock(text, match) if part else _is_clock_alone(text, match)):
        return None
    minutes = 60 * _number(match["hour"]) + _number(match["odd"] or match["minute"])
    minutes += 30.0 if match["half"] else 15 * _number(match["quarter"])
    return _span(start, match.end(), minutes + _number(match["second"]) / 60, part)


def _is_clock(text: str, match: re.Match[str]) -> bool:
    return match.end() > match.end("hour")


def _is_clock_alone(text: str, match: re.Match[str]) -> bool:
    """Without 上午 or the like: 三点五 is a decimal, 一点 a little, 三点意见 are three of them."""
    behind = text[match.end() : match.end() + 1]
    if match["minute"] and not match["minutes"]:
        number = read(text, match.start())
        if number is None or not number.decimal:
            return True
        return match["minute"][0] == "零" and behind not in _MEASURES
    if match.end() > match.end("hour") + 1:
        return True
    number = read(text, match.start())
    if number is None or number.decimal:
        return False
    if match["hour"] in ("一", "零"):
        return words.AROUND_ONE.match(text, match.end()) is not None
    return words.POINTS_MADE.match(text, match.end()) is None


def _number(said: str | None) -> float:
    if not said:
        return 0.0
    if said.isascii():
        return float(said)
    number = read(said.removeprefix("零") or said, 0)
    return number.low if number is not None else 0.0


def _span(start: int, end: int, minutes: float, part: str) -> Span:
    first, last = _AM_PM.get(part, (0, 0))
    if 60 * first <= minutes < 60 * last:
        minutes += 720
    elif part in ("morning", "evening", "night") and 720 <= minutes < 780:
        minutes -= 720
    seconds = round(60 * minutes)
    shown = f"{seconds // 3600}:{seconds // 60 % 60:02d}" + (f":{seconds % 60:02d}" if seconds % 60 else "")
    return Span(start, end, "time", seconds / 3600, shown)
