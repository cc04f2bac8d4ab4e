"""How a tag model's decisions compare with labelled turns: by tag, over all tags, and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.evaluation.calibration import Bin, expected_error, reliability
from server.evaluation.intervals import Estimate, Floats, estimates, ratio

Bools = NDArray[np.bool_]
OVERALL = ("micro_precision", "micro_recall", "micro_f1", "macro_f1")


@dataclass(frozen=True)
class TagFigures:
    """One tag over all turns."""

    tag: str
    threshold: float
    carried: int
    """Turns that carry it."""
    flagged: int
    """Turns the model gives it to."""
    precision: Estimate
    recall: Estimate
    f1: Estimate
    calibration_error: float

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        out = dict(vars(self))
        return out | {name: out[name].as_dict() for name in ("precision", "recall", "f1")}


@dataclass(frozen=True)
class AllTags:
    """Every tag; the overall figures (OVERALL): micro over all decisions at once, macro over carried tags."""

    tags: list[TagFigures]
    overall: dict[str, Estimate]
    calibration_error: float
    """Over every (turn, tag) pair; most are sure and right, so look at the table and the tags as well."""
    bins: list[Bin]

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        return {
            **{name: estimate.as_dict() for name, estimate in self.overall.items()},
            "calibration_error": self.calibration_error,
            "reliability": [b.as_dict() for b in self.bins],
            "tags": {tag.tag: tag.as_dict() for tag in self.tags},
        }


def figures(
    scores: NDArray[np.float32], carried: Bools, labels: Sequence[str], thresholds: Sequence[float],
    groups: Sequence[str],
) -> AllTags:  # fmt: skip
    """Figures of ``scores`` [T, N] against ``carried`` [T, N]; a tag is given from its threshold [N] on."""
    flagged = scores >= np.asarray(thresholds, np.float32)
    counts = np.hstack([flagged & carried, flagged, carried]).astype(np.float64)
    occurs, size = carried.any(0), len(labels)
    found = estimates(counts, groups, lambda sums: _figures(sums, occurs))
    tags = [
        TagFigures(
            tag=label, threshold=float(thresholds[n]), carried=int(carried[:, n].sum()),
            flagged=int(flagged[:, n].sum()), precision=found[4 + n], recall=found[4 + size + n],
            f1=found[4 + 2 * size + n],
            calibration_error=expected_error(reliability(scores[:, n], carried[:, n])),
        )
        for n, label in enumerate(labels)
    ]  # fmt: skip
    bins = reliability(scores, carried)
    return AllTags(tags, dict(zip(OVERALL, found, strict=False)), expected_error(bins), bins)


def _figures(sums: Floats, occurs: Bools) -> Floats:
    """[R, 3 N] right, flagged, carried → the overall figures, then precision, recall and F1 of each tag."""
    right, flagged, carried = np.split(sums, 3, axis=1)
    f1 = ratio(2 * right, flagged + carried)
    some = f1[:, occurs]
    macro = ratio(np.nansum(some, 1), (~np.isnan(some)).sum(1).astype(np.float64))
    micro = [side.sum(1) for side in (right, flagged, carried)]
    overall = [
        ratio(micro[0], micro[1]),
        ratio(micro[0], micro[2]),
        ratio(2 * micro[0], micro[1] + micro[2]),
        macro,
    ]
    return np.column_stack([*overall, ratio(right, flagged), ratio(right, carried), f1])
