"""Which characters and sounds the encoder knows, read as the served model reads them."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from training.served import load

HANZI = 3400
"""Hanzi with an id of their own, the commonest; the rest are known by their sound."""


_reader = load("semantic_tags", "turn_reader")
normalise: Callable[[str], str] = _reader.normalise
ROLES: tuple[str, ...] = _reader.ROLES
WINDOW: int = _reader.WINDOW
STRIDE: int = _reader.STRIDE
TURNS_BEFORE: int = _reader.TURNS_BEFORE


class Alphabet(Protocol):
    """The served model's ids of characters and sounds."""

    n_characters: int
    n_sounds: int

    def rows(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of characters and sounds, both [U, T]."""


def alphabet(characters: str, syllables: dict[str, str]) -> Alphabet:
    """The served model's reading of these characters and syllables."""
    made: Alphabet = _reader.Alphabet(characters, syllables)
    return made


def is_hanzi(char: str) -> bool:
    """True for the unified ideographs of the first plane."""
    return "\u4e00" <= char <= "\u9fff"


def common_characters(texts: Iterable[str]) -> str:
    """Latin letters, then the HANZI commonest hanzi of normalised texts."""
    counts = Counter(char for text in texts for char in text)
    hanzi = sorted((char for char in counts if is_hanzi(char)), key=lambda char: (-counts[char], char))
    return "abcdefghijklmnopqrstuvwxyz" + "".join(hanzi[:HANZI])


def syllables(texts: Iterable[str]) -> dict[str, str]:
    """Toneless syllable → its characters, commonest in the texts first; all of GB 2312 and of the texts."""
    counts = Counter(char for text in texts for char in text if is_hanzi(char))
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF):
            char = bytes([high, low]).decode("gb2312", "ignore")
            if char:
                counts.setdefault(char, 0)
    readers: dict[str, str] = {}
    for char in sorted(counts, key=lambda char: (-counts[char], char)):
        syllable = lazy_pinyin(char, style=Style.NORMAL)[0]
        readers[syllable] = readers.get(syllable, "") + char
    return dict(sorted(readers.items()))
