"""Hanzi to tone-numbered pinyin for the synthesizer, with sandhi of 不 and 一."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import jieba
from pypinyin import Style, lazy_pinyin, load_phrases_dict

_NEUTRAL = set("吗呢吧啊呀嘛啦哈")


def _prepare() -> None:
    """Teach pypinyin and jieba the words of readings.txt."""
    jieba.setLogLevel(60)
    table: dict[str, list[list[str]]] = {}
    for line in (Path(__file__).parent / "readings.txt").read_text(encoding="utf8").splitlines():
        if line.startswith("#"):
            continue
        word, *syllables = line.split()
        if not syllables:
            usual = lazy_pinyin(word, style=Style.TONE)
            syllables = [
                "huán" if char == "还" else syllable for char, syllable in zip(word, usual, strict=True)
            ]
        table[word] = [[syllable] for syllable in syllables]
    load_phrases_dict(table)
    for word in table:
        jieba.add_word(word, 100_000)


_prepare()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is spoken: phrases of (characters, tone-numbered syllables); pauses lie between phrases."""

    phrases: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def chars(self) -> str:
        """All spoken characters without punctuation."""
        return "".join(chars for chars, _ in self.phrases)

    @property
    def syllables(self) -> tuple[str, ...]:
        """One tone-numbered syllable (1–5) a character, sandhi of 不 and 一 applied."""
        return tuple(syllable for _, syllables in self.phrases for syllable in syllables)


def _lexical(phrase: str) -> list[str] | None:
    """Dictionary syllables of one phrase, or None if some character has no reading."""
    result: list[str] = []
    for word in jieba.cut(phrase, HMM=False):
        syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
        if len(syllables) != len(word):
            return None
        result.extend(syllables)
    if len(result) != len(phrase) or not all(re.fullmatch(r"[a-zü]+[1-5]", syllable) for syllable in result):
        return None
    result = [syllable.replace("ü", "v") for syllable in result]
    return [
        syllable[:-1] + "5" if char in _NEUTRAL else syllable
        for char, syllable in zip(phrase, result, strict=True)
    ]


def _yi(chars: str, syllables: list[str], index: int) -> str:
    """Spoken tone of 一 at `index`: unchanged in numbers and ordinals."""
    following = chars[index + 1]
    counted = following in "十点月号日零幺一二三四五六七八九" or (
        index > 0 and chars[index - 1] in "第十零一二三四五六七八九幺"
    )
    if counted:
        return "yi1"
    return "yi2" if following == "个" or syllables[index + 1][-1] == "4" else "yi4"


def _sandhi(chars: str, syllables: list[str]) -> tuple[str, ...]:
    """Apply the tone changes of 不 and 一 (third-tone sandhi is left to the synthesizer)."""
    spoken = list(syllables)
    for index, char in enumerate(chars[:-1]):
        if char == "不" and syllables[index] == "bu4" and syllables[index + 1][-1] == "4":
            spoken[index] = "bu2"
        elif char == "一" and syllables[index] == "yi1":
            spoken[index] = _yi(chars, syllables, index)
    return tuple(spoken)


_FIX_ALONE = {
    "嗯": "en1",
    "呃": "e4",
    "喂": "wei2",
    "诶": "ei4",
    "欸": "ei4",
    "呣": "mu2",
    "哼": "heng1",
    "噢": "o1",
    "幺": "yao1",
}


def read(text: str) -> Reading | None:
    """Reading of `text` (hanzi with Chinese punctuation), or None if it holds anything unreadable."""
    phrases: list[tuple[str, tuple[str, ...]]] = []
    for phrase in re.split(r"[，、。？！；：,?!;:\s]+", text):
        if not phrase:
            continue
        syllables = _lexical(phrase)
        if syllables is None:
            return None
        syllables = [_FIX_ALONE.get(char, syllable) for char, syllable in zip(phrase, syllables, strict=True)]
        phrases.append((phrase, _sandhi(phrase, syllables)))
    return Reading(tuple(phrases)) if phrases else None
