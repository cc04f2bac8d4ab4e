"""From recognised tokens to characters with times: what every recogniser of ours answers."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Token(NamedTuple):
    """One recognised token: its text (lone bytes as surrogate escapes, a leading space before a word)."""

    text: str
    start_ms: float
    end_ms: float
    confidence: float


class Units(NamedTuple):
    """What was heard: characters, start and end in ms from the first sample [n], confidence 0..1 [n]."""

    characters: tuple[str, ...]
    start_ms: NDArray[np.int32]
    end_ms: NDArray[np.int32]
    confidence: NDArray[np.float32]
    heads: tuple[str, ...] = ()
    """What the model tells besides (SenseVoice: language, emotion, event, form)."""


def spread(tokens: Sequence[Token], duration_ms: int, glue: str = "", heads: tuple[str, ...] = ()) -> Units:
    """Characters of tokens; a token's time is shared out evenly among its characters.

    A character of several tokens (byte pieces) lasts from the first to the last of them. A space stays only
    between characters of scripts that write spaces.
    """
    rows = [row for row in _characters(_joined(tokens, glue)) if row.text.isprintable() or row.text == " "]
    kept = [
        row
        for place, row in enumerate(rows)
        if row.text != " "
        or (0 < place < len(rows) - 1 and _spaced(rows[place - 1].text) and _spaced(rows[place + 1].text))
    ]
    times = np.array([[row.start_ms, row.end_ms] for row in kept], np.float64).reshape(-1, 2)
    start = np.maximum.accumulate(np.clip(np.rint(times[:, 0]), 0, max(0, duration_ms - 1)))
    end = np.maximum(np.clip(np.rint(times[:, 1]), 0, duration_ms), start)
    return Units(
        tuple(row.text for row in kept),
        start.astype(np.int32),
        end.astype(np.int32),
        np.array([row.confidence for row in kept], np.float32).clip(0.0, 1.0),
        heads,
    )


def _joined(tokens: Sequence[Token], glue: str) -> list[Token]:
    """Tokens without their glue; what follows a glued one has lost its space."""
    if not glue:
        return list(tokens)
    joined, open_word = [], False
    for token in tokens:
        text = token.text.removeprefix(" ") if open_word else token.text
        open_word = text.endswith(glue)
        joined.append(token._replace(text=text.removesuffix(glue)))
    return joined


def _characters(tokens: Sequence[Token]) -> list[Token]:
    """One row a character; bytes that make no character are dropped."""
    rows: list[Token] = []
    pending = b""
    first_ms = 0.0
    for token in tokens:
        raw = token.text.encode("utf-8", "surrogateescape")
        begun_ms = first_ms if pending else token.start_ms
        text, rest = _decoded(pending + raw)
        step = (token.end_ms - token.start_ms) / max(1, len(text))
        for place, character in enumerate(text):
            start = begun_ms if place == 0 else token.start_ms + place * step
            rows.append(Token(character, start, token.start_ms + (place + 1) * step, token.confidence))
        first_ms = begun_ms if rest and not text else token.start_ms
        pending = rest
    return rows


def _decoded(raw: bytes) -> tuple[str, bytes]:
    """Text of whole characters, and the bytes of one that may be still incomplete."""
    for keep in range(min(3, len(raw)), 0, -1):
        if _may_begin(raw[-keep:]):
            return raw[:-keep].decode("utf-8", "ignore"), raw[-keep:]
    return raw.decode("utf-8", "ignore"), b""


def _may_begin(rest: bytes) -> bool:
    need = 4 if rest[0] >= 0xF0 else 3 if rest[0] >= 0xE0 else 2 if rest[0] >= 0xC2 else 0
    return len(rest) < need and all(0x80 <= byte < 0xC0 for byte in rest[1:])


def _spaced(character: str) -> bool:
    return character != " " and unicodedata.east_asian_width(character) not in "WF"
