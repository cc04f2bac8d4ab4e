"""What a spoken number counts, told by the words around it: one function a kind, None where it is another."""

from re import Match

from operators.numbers import words
from operators.numbers.numeral import DIGITS, code, plain
from operators.numbers.place import Place, Span, place

_SMALLEST_SUM = 100
"""A bare number with a unit from here on (八千六) is a sum unless something counted follows."""


def of_code(here: Place) -> Span | None:
    """Telephone, card and staff numbers: three digits and more, two behind 尾号 and the like."""
    digits = here.number.code
    end = here.end
    if not digits and words.CODE_BEFORE.search(here.before):
        while end < here.start + 2 and here.text[end : end + 1] in DIGITS:
            end += 1
        said = here.text[here.start : end]
        digits = said if said.isdecimal() and said.isascii() else ""
        if len(said) == 2 and all(c in DIGITS for c in said):
            digits = code(said)
    if not digits:
        return None
    return here.span(end, "code", len(digits), digits)


def of_share(text: str, at: int) -> Span | None:
    """百分之三十, 万分之五, 百分百."""
    share = words.SHARE.match(text, at)
    parts = place(text, share.end()) if share else None
    if share is None or parts is None:
        hundred = text.startswith("百分百", at) or text.startswith("百分之百", at)
        return Span(at, text.index("百", at + 1) + 1, "percent", 100, "100%") if hundred else None
    percent = parts.number.low * words.SHARES[share["of"] or "百"]
    return Span(at, parts.number.end, "percent", percent, f"{plain(percent)}%", bool(parts.mark))


def of_percent(here: Place) -> Span | None:
    """30%, 三成, 三分之一."""
    text, number = here.text, here.number
    if here.next in ("%", "％"):
        return here.span(here.end + 1, "percent", number.low, f"{here.figures()}%")
    if number.largest == 1 and (mark := words.TENTHS.match(text, here.end)):
        return here.span(mark.end(), "percent", 10 * number.low, f"{plain(10 * number.low)}%")
    if text.startswith("分之", here.end) and number.low:
        above = place(text, here.end + 2)
        if above is not None and not above.number.code:
            shown = f"{plain(above.number.low)}/{plain(number.low)}"
            return here.span(above.number.end, "percent", 100 * above.number.low / number.low, shown)
    return None


def of_money(here: Place) -> Span | None:
    """八千六百二十三块五, 三毛, 五十元, 一分钱."""
    text, number = here.text, here.number
    lone = here.said == "一"
    if (unit := words.YUAN.match(text, here.end)) is not None:
        tail = None if unit["money"] else words.TAIL.match(text, unit.end())
        if lone and tail is None and not unit["money"] and text[unit.start()] == "块":
            return None  # 一块 is together as well
        more = _cents(tail) / 100 if tail else 0.0
        end = tail.end() if tail else unit.end()
        return here.span(end, "amount", number.low + more, f"{here.figures(more)}元")
    if (unit := words.DIMES.match(text, here.end)) is not None and number.low < 100:
        tail = None if unit["money"] else words.DIME_TAIL.match(text, unit.end())
        if lone and tail is None and not unit["money"]:
            return None
        value = round(number.low / 10 + (DIGITS_OR_FIGURES[tail["cents"]] / 100 if tail else 0), 2)
        return here.span((tail or unit).end(), "amount", value, f"{plain(value)}元")
    if (unit := words.CENTS.match(text, here.end)) is not None:
        return here.span(unit.end(), "amount", number.low / 100, f"{plain(number.low / 100)}元")
    return None


DIGITS_OR_FIGURES = DIGITS | {str(n): n for n in range(10)}


def _cents(tail: Match[str]) -> int:
    if tail["first"] is None:
        return 50
    first = DIGITS_OR_FIGURES[tail["first"]]
    if tail["fen"] or (tail["zero"] and not tail["dimes"]):
        return first
    return 10 * first + (DIGITS_OR_FIGURES[tail["cents"]] if tail["cents"] else 0)


def of_date(here: Place) -> Span | None:
    """二零二四年三月五号, 八月, 十五号."""
    text, number, end, shown, day = here.text, here.number, here.end, "", 0.0
    year = words.YEAR.match(text, end)
    if year is not None and (figures := _year(here)):
        shown, end = f"{figures}年", year.end()
        following = place(text, end)
        number, end = (following.number, following.end) if following else (number, end)
        if following is None or not _is_month(text, number.low, end):
            return here.span(year.end(), "date", 0, shown)
    if _is_month(text, number.low, end) and text[end - 1] not in "两俩仨" and not number.code:
        month = words.MONTH.match(text, end)
        end = month.end() if month else end
        shown += f"{plain(number.low)}月"
        following = place(text, end)
        if following is None or not (unit := _day(following)):
            return here.span(end, "date", 0, shown)
        return here.span(unit[0], "date", following.number.low, shown + unit[1])
    if not shown and (unit := _day(here)):
        return here.span(unit[0], "date", number.low, unit[1])
    return here.span(end, "date", day, shown) if shown else None


def of_short_year(here: Place) -> Span | None:
    """八五年, 零四年: two digits that are no range of years."""
    last = here.end + 1
    if here.said not in DIGITS or here.next not in DIGITS or not words.YEAR.match(here.text, last):
        return None
    return here.span(last + 1, "date", 0, f"{code(here.text[here.start : last])}年")


def of_range_of_hours(here: Place) -> Span | None:
    """五六点."""
    number = here.number
    if number.low == number.high or number.high > 24 or here.next != "点":
        return None
    return here.span(here.end + 1, "time", number.low, f"{here.figures()}点")


def _year(here: Place) -> str:
    """二零二四, 零四, 两千零五 in figures; empty where 年 counts years."""
    digits, number = here.number.code, here.number
    if digits:
        return digits if len(digits) == 4 and digits[:2] in ("19", "20") else ""
    exact = number.low == number.high and not here.mark and not number.decimal
    return plain(number.low) if exact and 1900 <= number.low < 2100 else ""


def _is_month(text: str, number: float, end: int) -> bool:
    return 1 <= number <= 12 and number == int(number) and words.MONTH.match(text, end) is not None


def _day(here: Place) -> tuple[int, str] | None:
    """End and normal form of a day of the month."""
    number, unit = here.number, words.DAY.match(here.text, here.end)
    if unit is None or number.code or number.decimal or not 1 <= number.low <= 31 or here.said == "两":
        return None
    if unit["unit"] == "日" and words.DURATION.match(here.text, here.end):
        return None
    return unit.end(), f"{here.figures()}{unit['unit']}"


def of_duration(here: Place) -> Span | None:
    """三十天, 两个半小时, 俩月, 一年半; 一天 behind 有, 哪, 第 … is none."""
    number, unit = here.number, words.DURATION.match(here.text, here.end)
    if unit is None or number.code or not number.low or here.some_day:
        return None
    if not unit["of"] and unit["unit"] == "月" and here.said not in ("两", "俩", "仨"):
        return None
    if here.said == "一" and unit["unit"] == "季度":
        return None
    half = 0.5 if unit["half"] or unit["of"] == "个半" else 0.0
    value = (number.low + half) * words.DAYS[unit["unit"]]
    return here.span(unit.end(), "duration", value, here.figures(half) + _with_of(unit))


def of_half(text: str, at: int) -> Span | None:
    """半年, 半个月, 个半月."""
    match = words.HALF.match(text, at)
    if match is None or text[max(0, at - 1) : at] in ("上", "下", "前", "后"):
        return None
    count = 1.5 if match["of"] == "个半" else 0.5
    rough = "多" in match.group()
    value = count * words.DAYS[match["unit"]]
    return Span(at, match.end(), "duration", value, f"{plain(count)}{_with_of(match)}", rough)


def _with_of(match: Match[str]) -> str:
    counted = "个" in (match["of"] or "") or match["unit"] == "月"
    return ("个" if counted else "") + str(match["unit"])


def of_count(here: Place) -> Span | None:
    """A bare sum (还八千六), a count (三期), or a number that says nothing more (二十五)."""
    number = here.number
    if number.code or here.some_day:
        return None
    counted = here.next in words.CLASSIFIERS or words.FOREIGN.match(here.text, here.end) is not None
    if not counted and _is_sum(here):
        return here.span(here.end, "amount", number.low, here.figures())
    if number.largest == 1 and not number.decimal and not here.said.isdecimal():
        told = counted and (here.said not in ("一", "零", "〇", "幺"))
        return here.span(here.end, "cardinal", number.low, here.figures()) if told else None
    if here.said == "十" and not counted:
        return None
    return here.span(here.end, "cardinal", number.low, here.figures())


def _is_sum(here: Place) -> bool:
    number = here.number
    if number.largest >= _SMALLEST_SUM:
        return True
    plain_figures = here.said.isascii() and number.low >= _SMALLEST_SUM
    return (number.largest >= 10 or plain_figures) and words.SPENT.search(here.before) is not None
