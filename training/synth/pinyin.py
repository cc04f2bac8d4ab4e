"""Hanzi to tone-numbered pinyin for the synthesizer, with tone sandhi of 不 and 一 and project word readings."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jieba
from pypinyin import Style, lazy_pinyin, load_phrases_dict

_HUAN = ("还款", "还钱", "还清", "还上", "还了", "还给", "不还", "还完", "没还", "未还", "能还", "应还", "已还", "要还", "先还",
         "还账", "还贷", "还债", "还进", "还掉", "还多少", "还一部分", "还最低", "还本金", "还利息", "还这", "还欠款", "还不上",
         "还不了", "还不起", "还得起", "还得上", "来还", "去还", "会还", "我还钱", "帮还", "代还", "怎么还", "分期还", "一起还",
         "慢慢还", "全部还", "按时还", "有钱还", "没钱还", "肯定还", "必须还", "还款日", "偿还", "归还", "还信用卡", "还花呗")
_PHRASES: dict[str, list[str]] = {
    "银行": ["yín", "háng"], "行号": ["háng", "hào"], "分行": ["fēn", "háng"], "支行": ["zhī", "háng"], "央行": ["yāng", "háng"],
    "的话": ["de", "huà"], "重新": ["chóng", "xīn"], "重复": ["chóng", "fù"], "征信": ["zhēng", "xìn"], "不了": ["bù", "liǎo"],
    "了解": ["liǎo", "jiě"], "长期": ["cháng", "qī"], "还是": ["hái", "shì"], "还有": ["hái", "yǒu"], "还没": ["hái", "méi"],
    "还在": ["hái", "zài"], "还要": ["hái", "yào"], "还能": ["hái", "néng"], "还不": ["hái", "bù"], "还差": ["hái", "chà"],
    "还欠": ["hái", "qiàn"], "还可以": ["hái", "kě", "yǐ"], "还会": ["hái", "huì"], "还剩": ["hái", "shèng"], "还得": ["hái", "děi"],
    "得还": ["děi", "huán"], "就得": ["jiù", "děi"], "我得": ["wǒ", "děi"], "您得": ["nín", "děi"], "总得": ["zǒng", "děi"],
    "都得": ["dōu", "děi"], "得等": ["děi", "děng"], "得问": ["děi", "wèn"], "得看": ["děi", "kàn"], "得先": ["děi", "xiān"],
    "差额": ["chā", "é"], "调解": ["tiáo", "jiě"], "空调": ["kōng", "tiáo"], "调取": ["diào", "qǔ"],
}
_NEUTRAL = set("吗呢吧啊呀嘛啦哈")


def _prepare() -> None:
    """Teach pypinyin and jieba the readings of this domain."""
    jieba.setLogLevel(60)
    table = {word: [[syllable] for syllable in syllables] for word, syllables in _PHRASES.items() if len(word) > 1}
    for word in _HUAN:
        syllables = lazy_pinyin(word, style=Style.TONE)
        table[word] = [["huán"] if char == "还" else [syllable] for char, syllable in zip(word, syllables, strict=True)]
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
    return [syllable[:-1] + "5" if char in _NEUTRAL else syllable for char, syllable in zip(phrase, result, strict=True)]


def _yi(chars: str, syllables: list[str], index: int) -> str:
    """Spoken tone of 一 at `index`: unchanged in numbers and ordinals."""
    following = chars[index + 1]
    counted = following in "十点月号日零幺一二三四五六七八九" or (index > 0 and chars[index - 1] in "第十零一二三四五六七八九幺")
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


_FIX_ALONE = {"嗯": "en1", "呃": "e4", "喂": "wei2", "诶": "ei4", "欸": "ei4", "呣": "mu2", "哼": "heng1", "噢": "o1", "幺": "yao1"}


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
