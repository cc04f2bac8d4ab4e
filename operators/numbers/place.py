"""What ``operators.numbers.normal`` finds: numbers with place and kind, and numbers not yet told apart."""

from dataclasses import dataclass

from operators.numbers import words
from operators.numbers.numeral import Numeral, plain, read

KINDS = ("amount", "date", "time", "duration", "percent", "code", "cardinal")


@dataclass(frozen=True, slots=True)
class Span:
    """A number in a text, its characters [start, end), and its normal form.

    ``value`` is in yuan (amount), hours since midnight (time), days (duration: month 30, year 365), percent,
    the day of the month (date; 0 when only month or year are said), the number of digits (code) or the number
    itself. Of 七八百 and 三百多 it is the lower end, and ``rough`` is set.
    """

    start: int
    end: int
    kind: str
    value: float
    normal: str
    rough: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A number read at ``start`` of a text, up to ``end`` with 多, 来 or 几 (``mark``) behind it."""

    text: str
    start: int
    end: int
    number: Numeral
    mark: str = ""

    def span(self, end: int, kind: str, value: float, normal: str) -> Span:
        """The number as ``kind``."""
        rough = bool(self.mark) or self.number.high > self.number.low
        return Span(self.start, end, kind, value, normal, rough)

    @property
    def before(self) -> str:
        """The words before it, as many as any pattern looks at."""
        return self.text[max(0, self.start - 8) : self.start]

    @property
    def said(self) -> str:
        """The number's own characters."""
        return self.text[self.start : self.end]

    @property
    def next(self) -> str:
        """The character behind it, empty at the end."""
        return self.text[self.end : self.end + 1]

    @property
    def some_day(self) -> bool:
        """Whether it is the 一 of 有一天 or the 两 of 这两年: no length of time."""
        vague = self.said in ("一", "两") and self.next in ("天", "年")
        return vague and words.SOME_DAY.search(self.before) is not None

    def figures(self, more: float = 0) -> str:
        """The number plus ``more`` in figures, both ends of a range."""
        low, high = self.number.low + more, self.number.high + more
        shown = plain(low) if low == high else f"{plain(low)}~{plain(high)}"
        return shown + ("多" if self.mark else "")


def place(text: str, at: int) -> Place | None:
    """The number at ``at``, None where there is none."""
    number = read(text, at)
    if number is None:
        return None
    mark = words.ROUGHLY.match(text, number.end) if number.largest >= 10 else None
    if mark is None:
        return Place(text, at, number.end, number)
    big = {"万": 1e4, "亿": 1e8}.get(text[mark.end() : mark.end() + 1])
    if big:
        return Place(text, at, mark.end() + 1, number.times(big, mark.end() + 1), mark.group())
    return Place(text, at, mark.end(), number, mark.group())
