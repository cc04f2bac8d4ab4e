"""Figures of the tag model: by tag on writers held out, and false alarms on harmless talk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.tags.corpus import Turn
from training.tags.fit import Bags, Bools, Calibration, Floats, allowed, calibrate, fit, present

FOLDS = 4


@dataclass(frozen=True)
class Material:
    """All turns: our own with two misheard copies, the examples, foreign talk that teaches weights only."""

    own: list[Turn]
    misheard: list[Turn]
    """Copies of ``own``, in order, that train."""
    noisy: list[Turn]
    """Copies of ``own``, in order, that only measure."""
    examples: list[Turn]
    foreign: list[Turn]


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
    """Decisions [n, N] on every own turn from layers that never saw its writer, and each turn's fold."""

    decisions: Floats
    noisy: Floats
    folds: NDArray[np.int64]


def folds_of(turns: Sequence[Turn]) -> NDArray[np.int64]:
    """[n] fold of each turn: two whole writers a fold."""
    writers = sorted({turn.source for turn in turns})
    return np.array([writers.index(turn.source) * FOLDS // len(writers) for turn in turns])


def held_out(material: Material, labels: Sequence[str], bags: Bags) -> HeldOut:
    """Cross-validate by whole writers; misheard copies of held-out turns are not trained on either."""
    own, folds = material.own, folds_of(material.own)
    decisions, noisy = np.zeros((len(own), len(labels))), np.zeros((len(own), len(labels)))
    for fold in range(FOLDS):
        learnt, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        extra = [*(material.misheard[i] for i in learnt), *material.foreign]
        layer = fit([*(own[i] for i in learnt), *material.examples], extra, labels, bags)
        decisions[held] = layer.decide([bags.of(own[i]) for i in held])
        noisy[held] = layer.decide([bags.of(material.noisy[i]) for i in held])
    return HeldOut(decisions, noisy, folds)


def flagged(found: HeldOut, decisions: Floats, own: Sequence[Turn], labels: Sequence[str]) -> Bools:
    """[n, N] tags at 0.5, each fold calibrated on the others only."""
    carried, certain = present(own, labels), allowed(own, labels)
    flags = np.zeros_like(carried)
    for fold in range(FOLDS):
        rest, held = found.folds != fold, found.folds == fold
        calibration = calibrate(found.decisions[rest], carried[rest], certain[rest])
        flags[held] = (calibration.scores(decisions[held]) > 0.5) & certain[held]
    return flags


def by_tag(flags: Bools, own: Sequence[Turn], labels: Sequence[str]) -> list[TagFigures]:
    """Figures of each tag."""
    carried = present(own, labels)
    right, all_flagged, all_carried = (flags & carried).sum(0), flags.sum(0), carried.sum(0)
    return [
        TagFigures(tag, int(c), r / max(1, f), r / max(1, c), 2 * r / max(1, f + c))
        for tag, r, f, c in zip(labels, right, all_flagged, all_carried, strict=True)
    ]


def micro_f1(flags: Bools, own: Sequence[Turn], labels: Sequence[str]) -> float:
    """F1 over all decisions at once."""
    carried = present(own, labels)
    return float(2 * (flags & carried).sum() / (flags.sum() + carried.sum()))


def false_alarms(
    turns: Sequence[Turn], decisions: Floats, calibration: Calibration, labels: Sequence[str]
) -> dict[str, float]:
    """Share of harmless turns with any violation flagged, and per tag where above 0.2 %."""
    flags = (calibration.scores(decisions) > 0.5) & allowed(turns, labels)
    rates = {
        tag: float(flags[:, place].mean())
        for place, tag in enumerate(labels)
        if flags[:, place].mean() > 0.002
    }
    return {"any": float(flags.any(1).mean()), **rates}
