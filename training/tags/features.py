"""N-grams of turns as the served classifier reads them, and the errors a recogniser would make in them."""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin
from scipy import sparse  # type: ignore[import-untyped]

from training.tags.corpus import Turn

MODEL = Path(__file__).parents[2] / "model_repository/semantic_tags"
FAMILY_WEIGHTS = {"p": 0.6, "s": 0.7, "t": 1.0}
"""Length of each family's part of a turn's vector."""


def served() -> ModuleType:
    """The classifier module that the server runs, so that training reads text in the same way."""
    spec = importlib.util.spec_from_file_location("semantic_tags_classifier", MODEL / "1/classifier.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no classifier in {MODEL}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def syllables(texts: Iterable[str]) -> dict[str, str]:
    """Toneless syllable → its characters, commonest in the texts first; all of GB 2312 and of the texts."""
    counts: dict[str, int] = {}
    for text in texts:
        for char in text:
            if "\u4e00" <= char <= "\u9fff":
                counts[char] = counts.get(char, 0) + 1
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


class Misheard:
    """Turns with homophones put in, characters dropped or doubled."""

    def __init__(self, readers: dict[str, str], *, rate: float, seed: int) -> None:
        self._homophones = {char: group[:12] for group in readers.values() for char in group}
        self._rng = np.random.default_rng(seed)
        self._rate = rate

    def turn(self, turn: Turn, *, weight: float) -> Turn:
        """The turn as a poor recogniser would have written it."""
        return replace(
            turn, text=self._text(turn.text), previous=self._text(turn.previous), weight=turn.weight * weight
        )

    def _text(self, text: str) -> str:
        draws = self._rng.random(len(text))
        return "".join(self._char(char, draw / self._rate) for char, draw in zip(text, draws, strict=True))

    def _char(self, char: str, draw: float) -> str:
        if draw >= 1:
            return char
        if draw < 0.2:
            return ""
        if draw < 0.3:
            return char + char
        choices = self._homophones.get(char, char)
        return choices[int(self._rng.integers(len(choices)))]


@dataclass(frozen=True)
class Features:
    """Known n-grams, sorted (so families are contiguous), with the weight of each by its rarity."""

    grams: tuple[str, ...]
    rarity: NDArray[np.float64]
    """[K] 1 + log(turns / turns with the n-gram)."""

    def matrix(self, bags: Sequence[set[str]]) -> sparse.csr_matrix:
        """[n, K] of turns' n-grams; each family's part has the length of FAMILY_WEIGHTS."""
        index = {gram: place for place, gram in enumerate(self.grams)}
        family = np.array([list(FAMILY_WEIGHTS).index(gram[0]) for gram in self.grams])
        lengths = np.array(list(FAMILY_WEIGHTS.values()))
        places, values, ends = [], [], [0]
        for bag in bags:
            ids = np.array(sorted(index[gram] for gram in bag if gram in index), np.int64)
            square = np.bincount(family[ids], self.rarity[ids] ** 2, minlength=len(lengths))
            values.append(self.rarity[ids] * (lengths / np.sqrt(np.maximum(square, 1e-12)))[family[ids]])
            places.append(ids)
            ends.append(ends[-1] + len(ids))
        return sparse.csr_matrix(
            (np.concatenate(values), np.concatenate(places), ends), (len(bags), len(self.grams))
        )


def count(bags: Sequence[set[str]], *, at_least: int) -> Features:
    """The n-grams that stand in ``at_least`` turns."""
    counts: dict[str, int] = {}
    for bag in bags:
        for gram in bag:
            counts[gram] = counts.get(gram, 0) + 1
    grams = tuple(sorted(gram for gram, seen in counts.items() if seen >= at_least))
    seen = np.array([counts[gram] for gram in grams])
    return Features(grams, 1 + np.log(len(bags) / seen))
