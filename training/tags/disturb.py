"""What a recogniser, another speaker or another case would have made of a turn's text."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

FILLERS = ("呃", "那个", "就是", "嗯", "啊", "哎", "这个", "然后", "喂", "我说", "是吧", "你看")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
DIGITS = "一二三四五六七八九"
_CALLED = re.compile("[\u4e00-\u9fff](?=先生|女士|小姐)")
_DIGIT = re.compile(f"[{DIGITS}](?![下点些直样起会定共])")
"""A numeral, but not the 一 of 一下, 一起 and the like."""


class Misheard:
    """Texts with homophones put in, characters dropped or doubled."""

    def __init__(self, syllables: dict[str, str], rng: np.random.Generator) -> None:
        self._homophones = {char: group[:12] for group in syllables.values() for char in group}
        self._rng = rng

    def text(self, text: str, rate: float) -> str:
        """The text with about ``rate`` of its characters misheard."""
        draws = self._rng.random(len(text)) / max(rate, 1e-9)
        return "".join(self._char(char, draw) for char, draw in zip(text, draws, strict=True))

    def _char(self, char: str, draw: float) -> str:
        if draw >= 1:
            return char
        if draw < 0.15:
            return ""
        if draw < 0.25:
            return char + char
        choices = self._homophones.get(char, char)
        return choices[int(self._rng.integers(len(choices)))]


class Disturber:
    """Half of all turns changed: other amounts, names, fillers, misheard characters, a cut edge.

    Some turns are run together with one that means nothing in particular.
    """

    def __init__(
        self,
        syllables: dict[str, str],
        rng: np.random.Generator,
        neutral: Mapping[int, Sequence[str]],
        *,
        share: float = 0.5,
        joined: float = 0.15,
    ) -> None:
        """``neutral`` are normalised turns without any tag, by role."""
        self._misheard, self._rng, self._share = Misheard(syllables, rng), rng, share
        self._neutral, self._joined = neutral, joined

    def turn(self, plain: str, role: int, longest: int) -> str:
        """A normalised turn, changed or not; never empty where it was not, nor cut for what is joined."""
        text, others = self._text(plain), self._neutral.get(role, ())
        if others and self._rng.random() < self._joined:
            other = others[int(self._rng.integers(len(others)))]
            if len(text) + len(other) <= longest:
                return other + text if self._rng.random() < 0.5 else text + other
        return text[:longest]

    def _text(self, plain: str) -> str:
        rng = self._rng
        if rng.random() >= self._share:
            return plain
        text = plain
        if rng.random() < 0.5:
            text = _DIGIT.sub(lambda found: self._one_of(DIGITS) if rng.random() < 0.5 else found[0], text)
        if rng.random() < 0.4:
            text = _CALLED.sub(lambda found: self._one_of(SURNAMES), text)
        if rng.random() < 0.25 and len(text) > 4:
            place = int(rng.integers(len(text)))
            text = text[:place] + self._one_of(FILLERS) + text[place:]
        text = self._misheard.text(text, float(rng.choice([0, 0.04, 0.08, 0.15], p=[0.3, 0.3, 0.25, 0.15])))
        if rng.random() < 0.08 and len(text) > 12:
            cut = int(rng.integers(1, 4))
            text = text[cut:] if rng.random() < 0.5 else text[:-cut]
        return text or plain

    def _one_of(self, choices: str | tuple[str, ...]) -> str:
        return choices[int(self._rng.integers(len(choices)))]
