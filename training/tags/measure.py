"""Figures of the tag model: by tag on writers held out, calibration, false alarms, likeness of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.tags.batches import Lines
from training.tags.calibrate import Bools, Calibration, Floats, calibrate


@dataclass(frozen=True)
class TagFigures:
    """One tag over all held-out writers."""

    tag: str
    carried: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class HeldOut:
    """Floats [n, N] on turns by networks that never saw their writer, with the truth."""

    decisions: Floats
    carried: Bools
    certain: Bools
    folds: NDArray[np.int64]
    """[n] the network that decided."""


def fold_of(writer: str, folds: int) -> int:
    """Fold of a writer (``writer_7``): neighbours, who were given like briefs, come apart."""
    return (int(writer.rpartition("_")[2]) - 1) % folds


def truth(talks: Sequence[Lines]) -> tuple[Bools, Bools]:
    """[n, N]: tags that turns carry, and which are certain."""
    return np.concatenate([t.carried > 0 for t in talks]), np.concatenate([t.weight > 0 for t in talks])


def scores(found: HeldOut, decisions: Floats | None = None) -> Floats:
    """[n, N] scores in 0..1, each fold calibrated on the others only; 0 where a tag is not certain."""
    shown = found.decisions if decisions is None else decisions
    told = np.zeros(found.carried.shape)
    for fold in np.unique(found.folds):
        rest, held = found.folds != fold, found.folds == fold
        calibration = calibrate(found.decisions[rest], found.carried[rest], found.certain[rest])
        told[held] = calibration.scores(shown[held]) * found.certain[held]
    return told


def flagged(found: HeldOut, decisions: Floats | None = None) -> Bools:
    """[n, N] tags at 0.5; as ``scores``."""
    return scores(found, decisions) > 0.5


def by_tag(flags: Bools, carried: Bools, labels: Sequence[str]) -> list[TagFigures]:
    """Figures of each tag."""
    right, all_flagged, all_carried = (flags & carried).sum(0), flags.sum(0), carried.sum(0)
    return [
        TagFigures(tag, int(c), r / max(1, f), r / max(1, c), 2 * r / max(1, f + c))
        for tag, r, f, c in zip(labels, right, all_flagged, all_carried, strict=True)
    ]


def macro_f1(flags: Bools, carried: Bools) -> float:
    """Mean of the tags' F1."""
    return float(np.mean(2 * (flags & carried).sum(0) / np.maximum(1, flags.sum(0) + carried.sum(0))))


def micro_f1(flags: Bools, carried: Bools) -> float:
    """F1 over all decisions at once."""
    return float(2 * (flags & carried).sum() / (flags.sum() + carried.sum()))


def scored_error(found: HeldOut, bins: int = 10) -> float:
    """Expected calibration error of the scores taken as probabilities, over all certain decisions at once."""
    told, true = scores(found)[found.certain], found.carried[found.certain]
    place = np.minimum((told * bins).astype(int), bins - 1)
    gaps = np.bincount(place, told, minlength=bins) - np.bincount(place, true, minlength=bins)
    return float(np.abs(gaps).sum() / len(told))


def false_alarms(
    decisions: Floats, certain: Bools, calibration: Calibration, labels: Sequence[str]
) -> dict[str, float]:
    """Share of harmless turns with any of the tags known to be absent, and per tag where above 0.2 %."""
    scores = calibration.scores(decisions) * certain
    rates = {tag: float((scores[:, place] > 0.5).mean()) for place, tag in enumerate(labels)}
    often = {tag: rate for tag, rate in rates.items() if rate > 0.002}
    return {
        "any": float((scores > 0.5).any(1).mean()),
        "above 0.8": float((scores > 0.8).any(1).mean()),
        **often,
    }


def likeness_auc(vectors: Floats, carried: Bools, rng: np.random.Generator, pairs: int = 20_000) -> float:
    """ROC area of the cosine: pairs of turns with the same one tag against pairs that share none."""
    single = np.flatnonzero(carried.sum(1) == 1)
    tags, unit = carried[single].argmax(1), vectors[single] / np.linalg.norm(vectors[single], axis=1)[:, None]
    left, right = rng.integers(len(single), size=(2, 40 * pairs))
    apart = left != right
    likeness = (unit[left[apart]] * unit[right[apart]]).sum(1)
    same = tags[left[apart]] == tags[right[apart]]
    ranks = np.empty(len(likeness))
    ranks[np.argsort(likeness, kind="stable")] = np.arange(1, len(likeness) + 1)
    n_same = int(same.sum())
    return float((ranks[same].sum() - n_same * (n_same + 1) / 2) / (n_same * (len(same) - n_same)))
