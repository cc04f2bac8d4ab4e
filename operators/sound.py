"""How Mandarin sounds: characters to syllables without tones, and which syllables a recogniser mixes up.

The text side is a table of one syllable a character (a lookup of the scan); the side of the words looked for
also knows the readings that a character has within the word, and, for ``fuzzy``, the slips of one syllable.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from operators.table import Int32
from operators.text import FOLDED, exact_fold

_SYLLABLES = 0x110000
"""First symbol of a syllable: above every code point, so that no character equals a syllable."""
_TONES = {"\u0300", "\u0301", "\u0304", "\u030c"}
_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_FLAT = {"zh": "z", "ch": "c", "sh": "s", "n": "l"}
_AFTER_F = {"a": "ua", "an": "uan", "ei": "ui", "en": "un", "o": "uo"}
"""What stands after h where others say f: 飞 fei is 灰 hui, 分 fen is 婚 hun; hu and hou stay as they are."""
_NEAR_INITIALS = ("bp", "dt", "gkh", "jqx", "zcs", "lr", "ml")
_NEAR_FINALS = ({"an", "en"}, {"ai", "ei"}, {"ao", "ou"}, {"e", "o"}, {"in", "en"})
_GLIDES = ("i", "u", "u\u0308")
"""What a syllable slips to: an initial made at the same place, a final of the next vowel, or one that only a
glide parts (guan gan). Ours; freer slips (any final) hit four times as much harmless talk."""
SLIP_SYLLABLES = 3
"""Shortest word in which ``fuzzy`` forgives a syllable."""


@lru_cache
def _readings() -> Mapping[int, str]:
    """Code point → its readings, commonest first: pypinyin's table of characters and nothing else of it.

    Importing the package would load its table of phrases as well, at every start.
    """
    package = find_spec("pypinyin")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("pypinyin is not installed\nhelp: run `make setup`")
    path = Path(package.submodule_search_locations[0]) / "pinyin_dict.py"
    table = spec_from_file_location("operators_pinyin_dict", path)
    if table is None or table.loader is None:
        raise ModuleNotFoundError(f"{path} cannot be read\nhelp: reinstall pypinyin")
    module = module_from_spec(table)
    table.loader.exec_module(module)
    readings: dict[int, str] = module.pinyin_dict
    return readings


def _toneless(reading: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFD", reading) if mark not in _TONES)


@lru_cache
def _syllables() -> Mapping[int, str]:
    """Code point → its commonest syllable."""
    return {point: _toneless(readings.split(",")[0]) for point, readings in _readings().items()}


def _parts(syllable: str) -> tuple[str, str]:
    """Initial and final; ü is written out where spelling hides it (ju, yu)."""
    initial = next((i for i in _INITIALS if syllable.startswith(i) and syllable != i), "")
    final = syllable[len(initial) :]
    if initial and initial in "jqxy" and final.startswith("u"):
        final = "u\u0308" + final[1:]
    return initial, final


def confused(syllable: str) -> tuple[str, str]:
    """Initial and final of what ``syllable`` is taken for: equal for syllables often heard for one another.

    zh z, ch c, sh s, n l at the start; f and h (before u); an ang, en eng, in ing (so also ian iang, uan
    uang) at the end: the confusions of southern speakers, and of recognisers that hear 8 kHz.
    """
    initial, final = _parts(syllable)
    if final.endswith(("ang", "eng", "ing")):
        final = final[:-1]
    if initial == "f":
        return "h", _AFTER_F.get(final, final)
    return _FLAT.get(initial, initial), final


@lru_cache
def _symbols(match: str) -> Mapping[str, int]:
    """Syllable → its symbol; under ``fuzzy`` syllables that are confused share one."""
    numbers: dict[object, int] = {}
    return {
        syllable: numbers.setdefault(
            confused(syllable) if match == "fuzzy" else syllable, _SYLLABLES + len(numbers)
        )
        for syllable in dict.fromkeys(_syllables().values())
    }


@lru_cache
def sound_fold(match: str) -> Int32:
    """[FOLDED] a Han character is the symbol of its commonest syllable; the rest as in ``exact_fold``.

    ``match`` is ``pinyin`` (the same syllable) or ``fuzzy`` (syllables that are confused are one).
    """
    fold, symbols = exact_fold().copy(), _symbols(match)
    for point, syllable in _syllables().items():
        if point < FOLDED:
            fold[point] = symbols[syllable]
    return fold


def spellings(word: str, match: str) -> list[tuple[int, ...]]:
    """Every sequence of symbols of ``sound_fold`` that stands for ``word``, the word's own first.

    The second is that of its readings as a word (银行 is yin hang, though 行 alone is xing); under
    ``fuzzy`` words of three syllables and more add those with one syllable slipped to a close one.
    """
    fold, symbols = sound_fold(match), _symbols(match)
    alone = tuple(int(fold[ord(c)]) if ord(c) < len(fold) else ord(c) for c in word)
    found = dict.fromkeys([alone])
    if any("," in _readings().get(ord(c), "") for c in word):
        read = zip(_in_context(word), alone, strict=True)
        found[tuple(symbols.get(s, own) if own >= _SYLLABLES else own for s, own in read)] = None
    if match == "fuzzy":
        for spelling in list(found):
            found |= dict.fromkeys(_slipped(spelling))
    return list(found)


def _in_context(word: str) -> list[str]:
    """The syllable of each character of ``word`` as it is read there."""
    from pypinyin import lazy_pinyin  # its table of phrases takes 40 MB: only for words that need it

    one_by_one: Any = list
    return [_toneless(syllable) for syllable in lazy_pinyin(word, errors=one_by_one, v_to_u=True)]


def _close(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether a syllable, as ``confused`` has it, may slip to another: in its initial or in its final."""
    if one[1] == other[1]:
        initials = {one[0], other[0]}
        return len(initials) == 2 and any(initials <= set(near) for near in _NEAR_INITIALS)
    vowels = {_vowels(one[1]), _vowels(other[1])}
    return one[0] == other[0] and (len(vowels) == 1 or vowels in _NEAR_FINALS)


def _vowels(final: str) -> str:
    """A final without the glide before its vowel; how spelling shortens uei, iou and uen is undone."""
    final = {"ui": "ei", "iu": "ou", "un": "en"}.get(final, final)
    glide = next((g for g in reversed(_GLIDES) if final.startswith(g) and final[len(g) :][:1] in "aeo"), "")
    return final[len(glide) :] or final


@lru_cache
def _neighbours() -> Mapping[int, tuple[int, ...]]:
    """Symbol → the symbols to which its syllable may slip (``fuzzy``)."""
    parts = {symbol: confused(syllable) for syllable, symbol in _symbols("fuzzy").items()}
    return {
        symbol: tuple(other for other, theirs in parts.items() if _close(own, theirs))
        for symbol, own in parts.items()
    }


def _slipped(spelling: tuple[int, ...]) -> list[tuple[int, ...]]:
    if sum(symbol >= _SYLLABLES for symbol in spelling) < SLIP_SYLLABLES:
        return []
    return [
        (*spelling[:at], other, *spelling[at + 1 :])
        for at, symbol in enumerate(spelling)
        for other in _neighbours().get(symbol, ())
    ]
