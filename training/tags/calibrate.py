"""Where each tag's 0.5 lies, and how steeply scores rise through it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """score = sigmoid(scale × (decision − threshold)), per tag."""

    threshold: Floats
    scale: Floats

    def scores(self, decisions: Floats) -> Floats:
        """[n, N] in 0..1."""
        return 1 / (1 + np.exp(-self.scale * (decisions - self.threshold)))


def calibrate(decisions: Floats, carried: Bools, certain: Bools) -> Calibration:
    """Put 0.5 where F1 on unseen writers is best, and the slope where the scores' likelihood is highest."""
    thresholds, scales = [], []
    for tag in range(decisions.shape[1]):
        rows = certain[:, tag]
        values, truth = decisions[rows, tag], carried[rows, tag]
        threshold = _best_threshold(values, truth)
        slopes = np.geomspace(1, 12, 40)
        away = (values - threshold)[:, None] * slopes * np.where(truth, 1, -1)[:, None]
        thresholds.append(threshold)
        scales.append(slopes[np.logaddexp(0, -away).sum(0).argmin()])
    return Calibration(np.array(thresholds), np.array(scales))


def _best_threshold(values: Floats, truth: Bools, caution: float = 5.0) -> float:
    """The value over which F1 is best; ``caution`` phantom errors keep a rare tag from an extreme one."""
    candidates = np.quantile(values, np.linspace(0.6, 0.9995, 200))
    found = np.array([(values[truth] > candidate).sum() for candidate in candidates])
    flagged = np.array([(values > candidate).sum() for candidate in candidates])
    return float(candidates[np.argmax(2 * found / (flagged + truth.sum() + caution))])
