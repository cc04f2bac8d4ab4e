"""Characters of the text column: decoding, folding to what counts as equal, and counting what was spoken."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from operators.columns import PAUSE_MS, kernel
from operators.table import CallTable, Int32, Int64

FOLDED = 0x10000
"""Code points below this fold through a table; those above (rare Han, emoji) stand for themselves."""
_HAN, _DIGIT, _LETTER, _OTHER = 0, 1, 2, 3


@lru_cache
def exact_fold() -> Int32:
    """[FOLDED] every character is itself, but A-Z are a-z."""
    fold = np.arange(FOLDED, dtype=np.int32)
    fold[ord("A") : ord("Z") + 1] += 32
    return fold


@kernel
def _tail(text: NDArray[np.uint8], at: np.uint64, byte: int) -> int:
    return int(text[at + np.uint64(byte)] & 0x3F)


@kernel
def symbols(text: NDArray[np.uint8], offsets: Int64, fold: Int32) -> tuple[Int32, Int64]:
    """Decode valid UTF-8 to folded characters, and the [T + 1] character offsets of the turns."""
    out = np.empty(len(text), np.int32)
    starts = np.zeros(len(offsets), np.int64)
    written = 0
    for turn in range(len(offsets) - 1):
        at, end = np.uint64(offsets[turn]), np.uint64(offsets[turn + 1])
        while at < end:  # unsigned indices: Numba then leaves out its test for negative ones
            lead = int(text[at])
            if lead < 0x80:
                point, size = lead, 1
            elif 0xE0 <= lead < 0xF0:  # nearly all of a Chinese text
                point = ((lead & 0x0F) << 12) | (_tail(text, at, 1) << 6) | _tail(text, at, 2)
                size = 3
            elif lead < 0xE0:
                point, size = ((lead & 0x1F) << 6) | _tail(text, at, 1), 2
            else:
                high = ((lead & 0x07) << 18) | (_tail(text, at, 1) << 12)
                point, size = high | (_tail(text, at, 2) << 6) | _tail(text, at, 3), 4
            out[written] = fold[point] if point < len(fold) else point
            written += 1
            at += np.uint64(size)
        starts[turn + 1] = written
    return out[:written], starts


@lru_cache
def _classes() -> NDArray[np.int8]:
    """[FOLDED] Han and kana, digits, letters of alphabets, everything else."""
    letters = [chr(point).isalpha() for point in range(FOLDED)]
    classes = np.where(letters, _LETTER, _OTHER).astype(np.int8)
    for first, last in (
        (0x3005, 0x3007),
        (0x3040, 0x30FF),
        (0x3400, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0xF900, 0xFAFF),
    ):
        classes[first : last + 1] = _HAN
    for first in (ord("0"), 0xFF10):
        classes[first : first + 10] = _DIGIT
    classes[[ord("'"), 0x2019]] = _LETTER
    return classes


@kernel
def _count_spoken(points: Int32, starts: Int64, classes: NDArray[np.int8]) -> Int64:
    out = np.zeros(len(starts) - 1, np.int64)
    for turn in range(len(starts) - 1):
        in_word = False
        for at in range(starts[turn], starts[turn + 1]):
            point = points[at]
            rare = _HAN if 0x20000 <= point < 0x33480 else _OTHER
            kind = classes[point] if point < len(classes) else rare
            if kind in (_HAN, _DIGIT) or (kind == _LETTER and not in_word):
                out[turn] += 1
            in_word = kind == _LETTER
    return out


def spoken_chars(table: CallTable) -> Int64:
    """[T] Han characters, digits and words of alphabets in each turn; punctuation and spaces do not count."""
    points, starts = symbols(table.text, table.text_offsets, np.arange(FOLDED, dtype=np.int32))
    return _count_spoken(points, starts, _classes())


@kernel
def _pairs(points: Int32, starts: Int64, classes: NDArray[np.int8]) -> tuple[Int64, Int64]:
    out = np.empty(len(points), np.int64)
    offsets = np.zeros(len(starts), np.int64)
    written = 0
    for turn in range(len(starts) - 1):
        before = np.int64(-1)
        for at in range(starts[turn], starts[turn + 1]):
            point = np.int64(points[at])
            if point < len(classes) and classes[point] == _OTHER:
                continue
            if before >= 0:
                out[written] = (before << 21) | point
                written += 1
            before = point
        offsets[turn + 1] = written
        out[offsets[turn] : written].sort()
    return out[:written], offsets


def character_pairs(table: CallTable) -> tuple[Int64, Int64]:
    """The pairs of neighbouring characters of each turn, ordered, and their [T + 1] offsets.

    Punctuation and spaces are left out, Latin letters compare without case.
    """
    points, starts = symbols(table.text, table.text_offsets, exact_fold())
    return _pairs(points, starts, _classes())


@kernel
def _spoken_time(
    start_ms: Int64,
    end_ms: Int64,
    char_offsets: Int64,
    char_start_ms: Int64,
    char_end_ms: Int64,
    pause_ms: int,
) -> Int64:
    out = end_ms - start_ms
    for turn in range(len(out)):
        first, end = char_offsets[turn], char_offsets[turn + 1]
        if end == first:
            continue
        total = char_end_ms[end - 1] - char_start_ms[first]
        for at in range(first + 1, end):
            hole = char_start_ms[at] - char_end_ms[at - 1]
            if hole > pause_ms:
                total -= hole
        if total > 0:
            out[turn] = total
    return out


def spoken_ms(table: CallTable) -> Int64:
    """[T] time spent speaking in each turn: first to last character less pauses, else the turn's length."""
    return _spoken_time(
        table.turn_start_ms,
        table.turn_end_ms,
        table.char_offsets,
        table.char_start_ms,
        table.char_end_ms,
        PAUSE_MS,
    )
