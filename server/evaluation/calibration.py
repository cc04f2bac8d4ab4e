"""Whether scores mean what they say: of all answers scored 0.8, are 80 % right?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers with a score in [low, high), the last bin with 1 as well."""

    low: float
    high: float
    answers: int
    score: float
    """Mean score; NaN in an empty bin, as is ``right``."""
    right: float
    """Share that was right."""

    def as_dict(self) -> Mapping[str, float | int | None]:
        """The shape for JSON."""
        empty = not self.answers
        return {
            "from": self.low, "to": self.high, "answers": self.answers,
            "score": None if empty else self.score, "right": None if empty else self.right,
        }  # fmt: skip


def reliability(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> list[Bin]:
    """Ten equal bins of scores in 0..1 (any shape) against whether each answer was right (same shape)."""
    # In single precision, as the models give scores: 0.9 begins the last bin only there.
    place = np.minimum((scores.ravel().astype(np.float32) * BINS).astype(np.int64), BINS - 1)
    flat = scores.ravel().astype(np.float64)
    answers = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        score = np.bincount(place, flat, BINS) / answers
        share = np.bincount(place, right.ravel().astype(np.float64), BINS) / answers
    return [
        Bin(b / BINS, (b + 1) / BINS, int(answers[b]), float(score[b]), float(share[b])) for b in range(BINS)
    ]


def expected_error(bins: list[Bin]) -> float:
    """Expected calibration error: |score - share right| over the bins, weighted by answers; NaN without any.

    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015.
    """
    total = sum(b.answers for b in bins)
    gaps = sum(b.answers * abs(b.score - b.right) for b in bins if b.answers)
    return gaps / total if total else float("nan")
