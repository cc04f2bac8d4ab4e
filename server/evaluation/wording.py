"""What counts as the same wording when characters are compared: stated, and each step can be switched off."""

import re
import unicodedata
from dataclasses import dataclass

_DIGITS = "零一二三四五六七八九"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(\d+)(\.\d+)?(%)?")
_YEAR = 4
_LONGEST_NUMBER = 6
"""Digits a number is read out with as a number; longer ones are telephone, card and order numbers."""
_FOLDED = str.maketrans("幺两", "一二")


@dataclass(frozen=True)
class Wording:
    """Which differences do not count. Width and compatibility forms (NFKC) never do."""

    punctuation: bool = False
    """Compare punctuation and symbols."""
    spaces: bool = False
    """Compare spaces."""
    case: bool = False
    """Tell Latin capitals from small letters."""
    digits: bool = False
    """Leave digits as they are written, instead of reading them out."""
    ignore: str = ""
    """Characters that are left out, e.g. 嗯呃啊."""

    def of(self, text: str) -> str:
        """``text`` as it is compared, a character a unit."""
        text = unicodedata.normalize("NFKC", text)
        if not self.digits:
            text = _NUMBER.sub(_read_out, _THOUSANDS.sub("", text)).translate(_FOLDED)
        text = text if self.case else text.lower()
        return "".join(c for c in text if self._counts(c))

    def _counts(self, character: str) -> bool:
        if character in self.ignore:
            return False
        if character.isspace():
            return self.spaces
        return self.punctuation or unicodedata.category(character)[0] not in "PSCZ"

    def describe(self) -> str:
        """The comparison in one line, for reports."""
        steps = ["full width as half width"]
        steps += [] if self.digits else ["digits read out, 幺 as 一, 两 as 二"]
        steps += [] if self.case else ["no case"]
        steps += [] if self.punctuation else ["no punctuation"]
        steps += [] if self.spaces else ["no spaces"]
        steps += [f"without {' '.join(self.ignore)}"] if self.ignore else []
        return ", ".join(steps)


def _read_out(match: re.Match[str]) -> str:
    """A number as it is spoken: digit by digit where nobody says a number (long, leading zero, year)."""
    whole, decimals, percent = match.groups()
    year = len(whole) == _YEAR and not decimals and match.string[match.end() : match.end() + 1] == "年"
    if year or len(whole) > _LONGEST_NUMBER or (whole[0] == "0" and len(whole) > 1):
        spoken = "".join(_DIGITS[int(d)] for d in whole)
    else:
        spoken = number(int(whole))
    if decimals:
        spoken += "点" + "".join(_DIGITS[int(d)] for d in decimals[1:])
    return ("百分之" if percent else "") + spoken


def number(value: int) -> str:
    """A number below a hundred million in hanzi: 8623 is 八千六百二十三, 10010 is 一万零一十."""
    if value >= 10_000:
        rest = value % 10_000
        return (
            number(value // 10_000)
            + "万"
            + ("零" if 0 < rest < 1000 else "")
            + (_below(rest) if rest else "")
        )
    return _below(value).removeprefix("一") if 10 <= value < 20 else _below(value)


def _below(value: int) -> str:
    """0 to 9999, ten as 一十."""
    if value == 0:
        return _DIGITS[0]
    out, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // size % 10
        if digit:
            out += ("零" if gap and out else "") + _DIGITS[digit] + unit
        gap = not digit
    return out
