"""Fit one linear layer over n-grams, shrink it to the n-grams that matter, and place each tag's threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from training.tags.corpus import Turn
from training.tags.features import Features, count

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LOUDEST = 30_000
"""N-grams kept: those with the largest share in the tags' weights."""
POSITIVE_WEIGHT, PENALTY = 3.0, 0.5
SIDES = {"a_": "agent", "c_": "customer"}


@dataclass(frozen=True)
class Layer:
    """Decision values = features · weights + bias."""

    features: Features
    weights: Floats
    """[K, N]"""
    bias: Floats

    def decide(self, bags: Sequence[set[str]]) -> Floats:
        """[n, N] decision values of turns' n-grams."""
        values: Floats = self.features.matrix(bags) @ self.weights + self.bias
        return values


class Bags:
    """N-grams of turns, read once."""

    def __init__(self, classifier: ModuleType, readers: dict[str, str]) -> None:
        self._classifier = classifier
        self._spelling = classifier.Spelling.of_syllables(readers)
        self._known: dict[tuple[str, str], set[str]] = {}

    def of(self, turn: Turn) -> set[str]:
        """Distinct n-grams of the turn (its first window) and of the turn before."""
        key = (turn.text, turn.previous)
        if key not in self._known:
            plain = self._classifier.normalise(turn.text)[: self._classifier.WINDOW]
            self._known[key] = self._spelling.features(plain, self._classifier.normalise(turn.previous))
        return self._known[key]


def allowed(turns: Sequence[Turn], labels: Sequence[str]) -> Bools:
    """[n, N]: a tag's presence or absence is certain in a turn (its role's tags, narrowed by ``known``)."""
    return np.array(
        [
            [SIDES[tag[:2]] == turn.role and (turn.known is None or tag in turn.known) for tag in labels]
            for turn in turns
        ]
    )


def present(turns: Sequence[Turn], labels: Sequence[str]) -> Bools:
    """[n, N]: the tags that turns carry."""
    return np.array([[tag in turn.tags for tag in labels] for turn in turns])


def fit(
    turns: Sequence[Turn], extra: Sequence[Turn], labels: Sequence[str], bags: Bags, *, loudest: int = LOUDEST
) -> Layer:
    """Fit the n-grams that stand in two ``turns``, keep the ``loudest``, fit again.

    ``extra`` turns (misheard, harmless, comments) teach weights, but bring no n-grams of their own.
    """
    everything = count([bags.of(turn) for turn in turns], at_least=2)
    taught = [*turns, *extra]
    read = [bags.of(turn) for turn in taught]
    weights, _ = _solve(everything, taught, read, labels)
    importance = (weights**2 / (weights**2).sum(0)).sum(1)
    kept = np.sort(np.argsort(-importance, kind="stable")[:loudest])
    features = Features(tuple(everything.grams[place] for place in kept), everything.rarity[kept])
    return Layer(features, *_solve(features, taught, read, labels))


def _solve(
    features: Features, turns: Sequence[Turn], read: Sequence[set[str]], labels: Sequence[str]
) -> tuple[Floats, Floats]:
    matrix, certain, carried = features.matrix(read), allowed(turns, labels), present(turns, labels)
    heaviness = np.array([turn.weight for turn in turns])
    weights, bias = np.zeros((len(features.grams), len(labels))), np.zeros(len(labels))
    for tag in range(len(labels)):
        rows = np.flatnonzero(certain[:, tag])
        model = LinearSVC(C=PENALTY, class_weight={False: 1.0, True: POSITIVE_WEIGHT}, random_state=0)
        model.fit(matrix[rows], carried[rows, tag], sample_weight=heaviness[rows])
        weights[:, tag], bias[tag] = model.coef_[0], model.intercept_[0]
    return weights, bias


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
