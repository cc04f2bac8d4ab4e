"""A pruned back-off character trigram in compact arrays, looked up from compiled code.

Identity 0 is the sentence start, 1..V are the recogniser's characters. Scores are natural logarithms
stored as bytes of 1/16 (`-log p * 16`), back-off weights as bytes of 1/16 around 128.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

STEP = 16.0
ZERO = 128
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with Numba, kept on disk where the folder can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no writable place for the cache
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return]


class Trigram(NamedTuple):
    """Sorted successor lists: of each character (bigrams), and of each bigram (trigrams)."""

    unigram: NDArray[np.float32]
    unigram_backoff: NDArray[np.float32]
    bigram_start: NDArray[np.int32]
    bigram_next: NDArray[np.uint16]
    bigram_score: NDArray[np.float32]
    bigram_backoff: NDArray[np.float32]
    trigram_start: NDArray[np.int32]
    trigram_next: NDArray[np.uint16]
    trigram_score: NDArray[np.float32]


def load(path: Path) -> Trigram:
    """Read the packed arrays and expand their scores."""
    with np.load(path) as file:
        return Trigram(
            _score(file["unigram"]),
            _backoff(file["unigram_backoff"]),
            _starts(file["bigram_counts"]),
            file["bigram_next"],
            _score(file["bigram_score"]),
            _backoff(file["bigram_backoff"]),
            _starts(file["trigram_counts"]),
            file["trigram_next"],
            _score(file["trigram_score"]),
        )


def _score(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (-codes.astype(np.float32) / STEP).astype(np.float32)


def _backoff(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ((codes.astype(np.float32) - ZERO) / STEP).astype(np.float32)


def _starts(counts: NDArray[np.uint16]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(counts.astype(np.int64))]).astype(np.int32)


@compiled
def find(starts: Any, following: Any, index: int, char: int) -> int:
    """Position of `char` among the successors of `index`, or -1."""
    low, high = starts[index], starts[index + 1]
    while low < high:
        middle = (low + high) // 2
        if following[middle] < char:
            low = middle + 1
        else:
            high = middle
    if low < starts[index + 1] and following[low] == char:
        return int(low)
    return -1


@compiled
def step(model: Any, pair: int, last: int, char: int) -> tuple[float, int]:
    """Log P of `char` after bigram number `pair` (-1: unknown) that ends in `last`; new pair."""
    following = find(model.bigram_start, model.bigram_next, last, char)
    backed_off = 0.0
    if pair >= 0:
        place = find(model.trigram_start, model.trigram_next, pair, char)
        if place >= 0:
            return float(model.trigram_score[place]), following
        backed_off = float(model.bigram_backoff[pair])
    if following >= 0:
        return backed_off + float(model.bigram_score[following]), following
    return backed_off + float(model.unigram_backoff[last]) + float(model.unigram[char]), following
