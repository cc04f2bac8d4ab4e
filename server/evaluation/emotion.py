"""How an emotion model's first choice compares with labels: confusion, recall by label, its plain mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.evaluation.calibration import Bin, expected_error, reliability
from server.evaluation.intervals import Estimate, Floats, estimates, ratio

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class EmotionFigures:
    """Figures over all recordings; the confusion's rows are labels, its columns the model's choices."""

    labels: tuple[str, ...]
    confusion: Ints
    uar: Estimate
    """Unweighted average recall: the mean over the labels that occur."""
    accuracy: Estimate
    recall: list[Estimate]
    precision: list[Estimate]
    f1: list[Estimate]
    calibration_error: float
    """Of the first choice's score."""
    bins: list[Bin]

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        by_label = {
            label: {
                "recordings": int(self.confusion[row].sum()), "recall": self.recall[row].as_dict(),
                "precision": self.precision[row].as_dict(), "f1": self.f1[row].as_dict(),
            }
            for row, label in enumerate(self.labels)
        }  # fmt: skip
        return {
            "uar": self.uar.as_dict(), "accuracy": self.accuracy.as_dict(), "labels": by_label,
            "confusion": {"labels": list(self.labels), "rows": self.confusion.tolist()},
            "calibration_error": self.calibration_error, "reliability": [b.as_dict() for b in self.bins],
        }  # fmt: skip


def figures(
    scores: NDArray[np.float32], truth: Ints, labels: Sequence[str], groups: Sequence[str]
) -> EmotionFigures:
    """Figures of ``scores`` [n, K] against the true label ``truth`` [n] of each recording."""
    size, choice = len(labels), scores.argmax(1)
    cells = np.zeros((len(truth), size * size))
    cells[np.arange(len(truth)), truth * size + choice] = 1
    found = estimates(cells, groups, lambda sums: _figures(sums.reshape(-1, size, size)))
    bins = reliability(scores.max(1), choice == truth)
    return EmotionFigures(
        labels=tuple(labels), confusion=cells.sum(0).astype(np.int64).reshape(size, size),
        uar=found[0], accuracy=found[1], recall=found[2 : 2 + size],
        precision=found[2 + size : 2 + 2 * size], f1=found[2 + 2 * size :],
        calibration_error=expected_error(bins), bins=bins,
    )  # fmt: skip


def _figures(confusion: Floats) -> Floats:
    """[R, K, K] → UAR, accuracy, then recall, precision and F1 of each label."""
    right, true, chosen = np.einsum("rkk->rk", confusion), confusion.sum(2), confusion.sum(1)
    recall = ratio(right, true)
    uar = ratio(np.nansum(recall, 1), (true > 0).sum(1).astype(np.float64))
    accuracy = ratio(right.sum(1), true.sum(1))
    return np.column_stack([uar, accuracy, recall, ratio(right, chosen), ratio(2 * right, true + chosen)])
