"""Bootstrap confidence intervals: a figure is a function of sums over items, so resampling is one product.

Percentile bootstrap (B. Efron, 1979): items, or whole groups of them, are drawn again with replacement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Sums [R, K] → figures [R, M]; NaN where a figure is not defined."""

RESAMPLES, LEVEL, SEED = 1000, 0.95, 1
_CELLS = 4_000_000
"""Weights held at once."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % intervals: over items, and over groups of items where these are known."""

    value: float
    items: tuple[float, float] | None = None
    groups: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, float | list[float] | None]:
        """The shape for JSON: not defined is null."""
        return {
            "value": None if np.isnan(self.value) else self.value,
            "ci95": None if self.items is None else list(self.items),
            "ci95_groups": None if self.groups is None else list(self.groups),
        }


def estimates(
    counts: Floats, groups: Sequence[str], statistic: Statistic, *, seed: int = SEED
) -> list[Estimate]:
    """The M figures of ``counts`` [n, K]; ``groups`` names each item's group, empty where it has none.

    Intervals are widened to hold the figure itself, which a biased figure on few items may else leave.
    Resamples in which a figure is not defined are left out; with one item or one group there is no interval.
    """
    value = statistic(counts.sum(0, keepdims=True))[0]
    over_items = _interval(counts, statistic, value, seed)
    joined = _joined(counts, groups) if any(groups) else counts[:0]
    over_groups = _interval(joined, statistic, value, seed)
    return [Estimate(float(v), a, b) for v, a, b in zip(value, over_items, over_groups, strict=True)]


def group_count(groups: Sequence[str]) -> int:
    """How many groups the intervals over groups are drawn from; 0 where no item names one."""
    return len(set(filter(None, groups))) + groups.count("") if any(groups) else 0


def _joined(counts: Floats, groups: Sequence[str]) -> Floats:
    """[G, K] sums of each group; an item without one is a group of its own."""
    codes: dict[object, int] = {}
    rows = np.array([codes.setdefault(name or number, len(codes)) for number, name in enumerate(groups)])
    sums = np.zeros((len(codes), counts.shape[1]))
    np.add.at(sums, rows, counts)
    return sums


def _interval(
    counts: Floats, statistic: Statistic, value: Floats, seed: int
) -> list[tuple[float, float] | None]:
    if len(counts) < 2:
        return [None] * len(value)
    figures = statistic(_resampled(counts, np.random.default_rng(seed)))
    tail = 50 * (1 - LEVEL)
    out: list[tuple[float, float] | None] = []
    for figure, column in zip(value, figures.T, strict=True):
        defined = column[~np.isnan(column)]
        if np.isnan(figure) or not len(defined):
            out.append(None)
            continue
        low, high = np.percentile(defined, [tail, 100 - tail])
        out.append((float(min(low, figure)), float(max(high, figure))))
    return out


def _resampled(counts: Floats, rng: np.random.Generator) -> Floats:
    """[RESAMPLES, K] sums over as many items as there are, drawn with replacement."""
    n = len(counts)
    sums = []
    for first in range(0, RESAMPLES, step := max(1, _CELLS // n)):
        rows = min(step, RESAMPLES - first)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        sums.append(weights.astype(np.float64) @ counts)
    return np.concatenate(sums)


def ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, NaN where ``below`` is 0."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)
