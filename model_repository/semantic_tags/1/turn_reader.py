"""Text to ids: characters, their sounds, and the turns before a turn. Knows nothing of the network."""

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROLES = ("agent", "customer", "other")
TURNS_BEFORE = 6
"""Turns before a turn that are read with it."""
WINDOW, OVERLAP = 64, 24
"""Characters read at once; a longer text is read in windows and keeps the highest score of each tag."""
STRIDE = 2
"""Rows of ids are as wide as a multiple of this."""
PAD, UNKNOWN, FIRST = 0, 1, 2
"""Ids: behind the end, a character or sound that is not known, the first that is."""

_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
_SIGNS = 100
"""The longest stretch of a line in which its role is looked for."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """What somebody said: a normalised text and the place of the role in ROLES."""

    plain: str
    role: int


def normalise(text: str) -> str:
    """Letters, digits (as hanzi) and hanzi only, lower case: what a telephone recogniser writes."""
    plain = unicodedata.normalize("NFKC", text).lower().translate(_DIGITS)
    return "".join(char for char in plain if char.isalnum())


def earlier(previous: str, role: int) -> list[Said]:
    """Turns before a turn, the last one first; at most TURNS_BEFORE.

    One a line, oldest first. A line may begin with its role and a colon (``agent:``); one that does not is
    taken for the other side of the line after it, the last line for the other side of the turn itself.
    """
    found: list[Said] = []
    for line in reversed(previous.rsplit("\n", TURNS_BEFORE)[-TURNS_BEFORE:]):
        name, colon, _ = line[:_SIGNS].partition(":")
        known = bool(colon) and name in ROLES
        role = ROLES.index(name) if known else {0: 1, 1: 0}.get(role, 2)
        plain = normalise((line[len(name) + 1 :] if known else line)[-4 * WINDOW :])
        if plain:
            found.append(Said(plain[-WINDOW:], role))
    return found


def windows(plain: str) -> list[str]:
    """Pieces of at most WINDOW characters, neighbours sharing OVERLAP; one piece for a short text."""
    starts = range(0, max(1, len(plain) - OVERLAP), WINDOW - OVERLAP)
    return [plain[start : start + WINDOW] for start in starts]


class Alphabet:
    """Ids of characters and of their sounds (toneless syllables)."""

    def __init__(self, characters: str, syllables: dict[str, str]) -> None:
        """Take all known characters in order, and toneless syllable → all characters read so."""
        self.syllables = syllables
        self._characters = {char: place for place, char in enumerate(characters, FIRST)}
        self._sounds = {
            char: place for place, readers in enumerate(syllables.values(), FIRST) for char in readers
        }
        self.n_characters, self.n_sounds = FIRST + len(characters), FIRST + len(syllables)

    @classmethod
    def load(cls, path: Path) -> "Alphabet":
        """Read a JSON object with ``characters`` and ``syllables``."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(stored["characters"], stored["syllables"])

    def rows(self, texts: list[str]) -> tuple[Ids, Ids]:
        """Ids of characters and sounds, both [U, T], PAD behind each text; T is even and at least STRIDE."""
        longest = max(map(len, texts), default=1)
        shape = len(texts), max(1, -(-longest // STRIDE)) * STRIDE
        characters, sounds = np.full(shape, PAD, np.int64), np.full(shape, PAD, np.int64)
        for row, text in enumerate(texts):
            characters[row, : len(text)] = [self._characters.get(char, UNKNOWN) for char in text]
            sounds[row, : len(text)] = [self._sounds.get(char, UNKNOWN) for char in text]
        return characters, sounds
