"""What is said to emotion scores: one linear model over the n-grams of a text's characters."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LONGEST = 3
"""Characters of the longest n-gram."""
LONGEST_TEXT = 2000
"""Characters of a text that are read."""

Floats = NDArray[np.float32]


def ngrams(text: str) -> list[str]:
    """All n-grams of a text's letters and digits; where it begins and ends counts as a character."""
    plain = "^" + "".join(filter(str.isalnum, text[:LONGEST_TEXT].lower())) + "$"
    return [plain[at : at + size] for size in range(1, LONGEST + 1) for at in range(len(plain) - size + 1)]


class WordModel:
    """Score = softmax of the bias and the mean weight of a text's known n-grams, times the root of their
    number."""

    def __init__(self, path: Path) -> None:
        """Load ``ngrams`` (one string, a line each), ``weights`` [V, K] int8, ``scale`` and ``bias`` [K]."""
        with np.load(path) as stored:
            known = bytes(stored["ngrams"]).decode().split("\n")
            self._weights = stored["weights"].astype(np.float32) * stored["scale"]
            self._bias = stored["bias"].astype(np.float32)
        self._row = {ngram: row for row, ngram in enumerate(known)}

    def scores(self, texts: Sequence[str]) -> Floats:
        """[k, K], adding up to 1."""
        logits = np.tile(self._bias, (len(texts), 1))
        for row, text in enumerate(texts):
            known = [self._row[ngram] for ngram in dict.fromkeys(ngrams(text)) if ngram in self._row]
            if known:
                logits[row] += self._weights[known].sum(0) / np.sqrt(len(known))
        raised = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
        answer: Floats = raised / raised.sum(1, keepdims=True)
        return answer
