"""One spoken number read from a place in a text: 八千六百二十三, 两万五, 七八百, 三点一四, 幺三八…, 8,623.5.

What the number counts is not looked at here; ``operators.numbers.normal`` does that.
"""

from dataclasses import dataclass
from re import compile as pattern

DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "幺": 1, "两": 2, "俩": 2, "仨": 3}
CODES = DIGITS | {"洞": 0, "拐": 7, "勾": 9}
"""Digits as they are read one by one; the last three belong to radio and card numbers."""
_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10_000, "亿": 100_000_000}
_ZERO = "零〇"
NUMERALS = "零〇一二三四五六七八九十百千万亿两俩仨幺"
_CODE_RUN = pattern(r"[零〇一二三四五六七八九两幺][零〇一二三四五六七八九两幺洞拐勾]*")
_LATIN = pattern(r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?")
_LONGEST_NUMBER = 6
"""Digits of a number written in one; longer ones are telephone, card and order numbers."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number up to ``end``; ``high`` is above ``low`` in 七八百; ``code`` is set for digit strings."""

    end: int
    low: float
    high: float
    largest: int = 1
    """Largest unit said: 1, 10, 100, 1000, 10 000 or 100 000 000."""
    code: str = ""
    decimal: bool = False

    def times(self, factor: float, end: int) -> "Numeral":
        """The number so many times, ending elsewhere."""
        largest = max(self.largest, int(factor))
        return Numeral(end, self.low * factor, self.high * factor, largest, decimal=self.decimal)


def read(text: str, at: int) -> Numeral | None:
    """The longest number at ``at``; three and more digits without a unit are a code: 幺三八, 0571."""
    if text[at : at + 1].isascii():
        return _latin(text, at)
    digits = _CODE_RUN.match(text, at)
    length = digits.end() - at if digits else 0
    if length > 3 and text[at + length : at + length + 1] in ("十", "百", "千", "万"):
        length -= 1  # the last digit begins a number of its own: 四零零一千
    if length >= 3:
        return Numeral(at + length, 0, 0, code=code(text[at : at + length]))
    found = _spoken(text, at)
    return _with_decimals(text, found) if found else None


def code(run: str) -> str:
    """A run of digits as figures."""
    return "".join(str(CODES[c]) for c in run)


def plain(value: float) -> str:
    """A number in figures, without a decimal point where it needs none."""
    return f"{value:.15g}"


def _latin(text: str, at: int) -> Numeral | None:
    match = _LATIN.match(text, at)
    if match is None:
        return None
    whole, decimals = match[1], match[2] or ""
    if not decimals and (
        (len(whole) > _LONGEST_NUMBER and "," not in whole) or (len(whole) > 1 and whole[0] == "0")
    ):
        return Numeral(match.end(), 0, 0, code=whole)
    value = float(whole.replace(",", "") + decimals)
    return _scaled(text, Numeral(match.end(), value, value, decimal=bool(decimals)))


def _scaled(text: str, found: Numeral) -> Numeral:
    """With units behind figures or decimals: 5万, 六点四二万."""
    factor, end = 1, found.end
    while (unit := text[end : end + 1]) in _BIG or (unit in ("百", "千") and end == found.end):
        factor *= _BIG.get(unit) or _SMALL[unit]
        end += 1
    return found.times(factor, end) if factor > 1 else found


def _with_decimals(text: str, found: Numeral) -> Numeral:
    """三点一四 and 零点五; 三点二十 and 三点三千 are no decimals, their second number stands alone."""
    end = found.end
    if text[end : end + 1] != "点" or found.high != found.low:
        return found
    stop = end + 1
    while text[stop : stop + 1] in DIGITS and text[stop] not in "俩仨":
        stop += 1
    if stop == end + 1 or text[stop : stop + 1] in _SMALL:
        return found
    value = float(f"{found.low:.0f}.{code(text[end + 1 : stop])}")
    if text[stop : stop + 1] in _BIG:
        return _scaled(text, Numeral(stop, value, value, found.largest, decimal=True))
    return Numeral(stop, value, value, found.largest, decimal=True)


def _pair(text: str, at: int) -> tuple[int, int, int]:
    """The digit at ``at``, or two that give a range (七八, 三五): low, high, end."""
    low = DIGITS[text[at]]
    high = DIGITS.get(text[at + 1 : at + 2], 0)
    if (
        (high == low + 1 or ((low, high) == (3, 5) and text[at - 1 : at] != "十"))
        and text[at] not in "俩仨幺"
        and low
    ):
        return low, high, at + 2
    return low, low, at + 1


class _Reading:
    """What has been read of a number so far, from its largest unit down."""

    def __init__(self) -> None:
        self.low = self.high = 0
        self.part_low = self.part_high = 0  # below the next 万 or 亿
        self.unit, self.big = 10_000, 10**12
        self.weight = 1  # of a digit without a unit: 两万五 is 25 000
        self.largest = 1
        self.closed = False  # nothing but 万 or 亿 may follow

    def add(self, low: int, high: int, unit: int) -> None:
        self.part_low += low * unit
        self.part_high += high * unit

    def take_unit(self, low: int, high: int, unit: int) -> None:
        self.add(low, high, unit)
        self.unit, self.weight, self.largest = unit, unit // 10, max(self.largest, unit)

    def take_big(self, unit: int) -> None:
        self.low, self.high = self.low + self.part_low * unit, self.high + self.part_high * unit
        self.part_low = self.part_high = 0
        self.big, self.unit, self.weight, self.closed = unit, 10_000, unit // 10, False
        self.largest = max(self.largest, unit)


def _spoken(text: str, at: int) -> Numeral | None:
    """A number in hanzi with its units, as far as units fall: 二十八四千 is 二十八, then 四千."""
    so_far, here = _Reading(), at
    if text[at] in _ZERO:
        return Numeral(at + 1, 0, 0)
    while here < len(text) and (after := _step(text, here, so_far)) > here:
        here = after
    if here == at:
        return None
    return Numeral(here, so_far.low + so_far.part_low, so_far.high + so_far.part_high, so_far.largest)


def _step(text: str, at: int, so_far: _Reading) -> int:
    """Read one digit with its unit, one 零, 十 or 万; the place behind it, ``at`` when it does not fit."""
    here = text[at]
    if here in _BIG:
        fits = _BIG[here] < so_far.big and so_far.part_low and (not so_far.closed or so_far.weight == 1)
        if fits:
            so_far.take_big(_BIG[here])
        return at + 1 if fits else at
    if so_far.closed:
        return at
    if here in _ZERO:
        so_far.weight = 1
        return at + 1 if DIGITS.get(text[at + 1 : at + 2]) or text[at + 1 : at + 2] == "十" else at
    if here == "十" and so_far.unit > 10:
        so_far.take_unit(1, 1, 10)
        return at + 1
    return _digit(text, at, so_far) if here in DIGITS else at


def _digit(text: str, at: int, so_far: _Reading) -> int:
    low, high, end = _pair(text, at)
    unit = _SMALL.get(text[end : end + 1], 0)
    if unit == 1000 and so_far.part_low and text[end + 1 : end + 2] in ("米", "克", "瓦"):
        unit = 0  # 二十五千克
    if unit and unit < so_far.unit:
        so_far.take_unit(low, high, unit)
        return end + 1
    if unit:  # a unit that does not fall: the digit begins the next number
        return at
    into_big = text[end : end + 1] in _BIG
    if into_big and so_far.weight > 1 and so_far.part_low:
        return at
    so_far.weight = 1 if into_big else so_far.weight
    so_far.add(low, high, so_far.weight)
    so_far.closed = True
    return end
