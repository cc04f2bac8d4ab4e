"""Spoken numbers in their normal form: amounts, dates, times, durations, percentages, codes and counts.

``spans`` finds them, ``normalised`` writes a text with figures and keeps where each character was said. Made
for what a recogniser of Mandarin calls writes (八千六百二十三块五, 幺三八…) and for figures in chats.
What is no number stays: idioms (七七八八), ordinals (第一), weekdays (周三), a lone 一 (一下, 一个).
"""

import re
from dataclasses import dataclass

from operators.numbers import kinds, words
from operators.numbers.clock import clock
from operators.numbers.numeral import DIGITS, NUMERALS
from operators.numbers.place import Span, place

_KINDS = (
    kinds.of_percent, kinds.of_money, kinds.of_date, kinds.of_duration, kinds.of_range_of_hours,
    kinds.of_short_year,
)  # fmt: skip
"""In this order: the first that takes a number has it."""
_RUN = re.compile(f"[{NUMERALS}]+|[0-9.,]+")


def spans(text: str) -> list[Span]:
    """All numbers of ``text`` in order; they do not overlap."""
    found: list[Span] = []
    start = words.START.search(text)
    while start is not None:
        here = _at(text, start.start())
        if isinstance(here, Span):
            found.append(here)
            here = here.end
        start = words.START.search(text, here)
    return found


def _at(text: str, at: int) -> Span | int:
    """The number at ``at``, or where to go on."""
    if (idiom := words.IDIOMS.match(text, at)) is not None:
        return idiom.end()
    if (when := words.WHEN.match(text, at)) is not None:
        after = when.end() + (text[when.end() : when.end() + 1] == " ")
        return clock(text, after, start=at, part=when.lastgroup or "") or when.end()
    first = text[at]
    if first in "百千万":
        return kinds.of_share(text, at) or _behind_run(text, at)
    if first in "半个":
        return kinds.of_half(text, at) or at + 1
    if first == "负":
        return _negative(text, at)
    return _number(text, at)


def _number(text: str, at: int) -> Span | int:
    if (time := clock(text, at, start=at)) is not None:
        return time
    here = place(text, at)
    if here is None:
        return at + 1
    if (found := kinds.of_code(here)) is not None and not words.YEAR.match(text, here.end):
        return found
    for kind in _KINDS:
        if (other := kind(here)) is not None:
            return other
    return found or _two_digits(text, at) or kinds.of_count(here) or here.number.end


def _two_digits(text: str, at: int) -> int:
    """Behind two digits that are no range, as in 九五开头: they are no number; 0 elsewhere."""
    here = place(text, at)
    two = text[at + 1 : at + 2] in DIGITS and here is not None and here.end == at + 1
    return at + 2 if two and text[at + 2 : at + 3] not in ("十", "百", "千", "万") else 0


def _negative(text: str, at: int) -> Span | int:
    here = (
        place(text, at + 1) if text[at + 1 : at + 2] in DIGITS or text[at + 1 : at + 2].isdecimal() else None
    )
    if here is None or here.number.code:
        return at + 1
    return Span(at, here.number.end, "cardinal", -here.number.low, f"-{here.figures()}")


def _behind_run(text: str, at: int) -> int:
    run = _RUN.match(text, at)
    return run.end() if run else at + 1


@dataclass(frozen=True)
class Normalised:
    """A text in normal form; character ``k`` of it was said in characters [starts[k], ends[k])."""

    text: str
    starts: list[int]
    ends: list[int]

    def said(self, start: int, end: int) -> tuple[int, int]:
        """The characters that were said for [start, end) of the normal form, numbers whole."""
        if start >= end:
            place = self.starts[start] if start < len(self.starts) else (self.ends[-1] if self.ends else 0)
            return place, place
        return self.starts[start], self.ends[end - 1]


def normalised(text: str) -> Normalised:
    """``text`` with its numbers in figures: 还八千六百二十三块五 is 还8623.5元, 下午三点 is 15:00."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for span in spans(text):
        if pieces and at == span.start:  # 七点三千 is 7:00 3000
            pieces.append(" ")
            starts.append(at)
            ends.append(at)
        pieces += (text[at : span.start], span.normal)
        starts += [*range(at, span.start), *[span.start] * len(span.normal)]
        ends += [*range(at + 1, span.start + 1), *[span.end] * len(span.normal)]
        at = span.end
    pieces.append(text[at:])
    starts += range(at, len(text))
    ends += range(at + 1, len(text) + 1)
    return Normalised("".join(pieces), starts, ends)
