"""Pieces of text to tag decisions: a linear layer over n-grams of a turn, its sounds and the turn before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FAMILIES = {"p": (2, 0.6), "s": (2, 0.7), "t": (3, 1.0)}
"""Family → its longest n-gram and the length of its part of a turn's vector: turn before, sounds, text."""
START, END = "^", "$"

Floats = NDArray[np.float32]


def ngrams(text: str, longest: int) -> Iterator[str]:
    """All pieces of 1 to ``longest`` characters, edges marked."""
    edged = START + text + END
    for size in range(1, longest + 1):
        for start in range(len(edged) - size + 1):
            yield edged[start : start + size]


class Spelling:
    """Writes every hanzi as one fixed homophone, so that a misheard character reads the same."""

    def __init__(self, syllables: dict[str, str]) -> None:
        """Take toneless syllable → all characters read so; the first of them stands for all."""
        first = {char: readers[0] for readers in syllables.values() for char in readers}
        self._table = {ord(char): stand_in for char, stand_in in first.items()}

    def features(self, plain: str, previous: str) -> set[str]:
        """Distinct n-grams of a normalised text and of the turn before, each with its family's letter."""
        sources = {"p": previous, "s": plain.translate(self._table), "t": plain}
        return {
            name + gram for name, (longest, _) in FAMILIES.items() for gram in ngrams(sources[name], longest)
        }


class NgramScorer:
    """Decisions of the linear layer: above 0 where a tag is likelier than not."""

    def __init__(self, path: Path, spelling: Spelling) -> None:
        """Load ``grams`` (lines, UTF-8), ``rarity``, int8 ``weights``, their ``scale`` and the ``bias``."""
        stored = np.load(path)
        self._spelling = spelling
        grams = stored["grams"].tobytes().decode("utf-8").split("\n")
        self._ids = {gram: place for place, gram in enumerate(grams)}
        self._rarity = stored["rarity"].astype(np.float32)
        self._family = np.array([list(FAMILIES).index(gram[0]) for gram in grams])
        self._weights = stored["weights"].astype(np.float32) * stored["scale"]
        self._bias = stored["bias"]

    def decide(self, plain: str, previous: str) -> Floats:
        """[N] decisions on a turn; rarities of its n-grams, each family scaled to its length, weighed."""
        ids = self._ids
        found = np.array(
            sorted(ids[g] for g in self._spelling.features(plain, previous) if g in ids), np.int64
        )
        rarity, family = self._rarity[found], self._family[found]
        square = np.bincount(family, rarity * rarity, minlength=len(FAMILIES))
        lengths = np.array([length for _, length in FAMILIES.values()])
        factor = (lengths / np.sqrt(np.maximum(square, 1e-12))).astype(np.float32)
        decided: Floats = (rarity * factor[family]) @ self._weights[found] + self._bias
        return decided
