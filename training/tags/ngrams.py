"""Fit the linear layer over n-grams that speaks beside the encoder; keep the n-grams that matter."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC

from training.served import load
from training.tags.batches import NOTHING, Lines
from training.tags.disturb import Misheard
from training.tags.fit import reworded

LOUDEST = 16_000
"""N-grams kept: those with the largest share in the tags' weights."""
POSITIVE_WEIGHT, PENALTY = 3.0, 0.5
MISHEARD, MISHEARD_WEIGHT = 0.1, 0.5

Floats = NDArray[np.float64]


scorer = load("semantic_tags", "ngram_scorer")


@dataclass(frozen=True)
class Features:
    """Known n-grams, sorted (so families are contiguous), with the weight of each by its rarity."""

    grams: tuple[str, ...]
    rarity: Floats
    """[K] 1 + log(turns / turns with the n-gram)."""

    def matrix(self, bags: Sequence[set[str]]) -> sparse.csr_matrix:
        """[n, K] of turns' n-grams; each family's part has its own length."""
        index = {gram: place for place, gram in enumerate(self.grams)}
        family = np.array([list(scorer.FAMILIES).index(gram[0]) for gram in self.grams])
        lengths = np.array([length for _, length in scorer.FAMILIES.values()])
        places, values, ends = [], [], [0]
        for bag in bags:
            ids = np.array(sorted(index[gram] for gram in bag if gram in index), np.int64)
            square = np.bincount(family[ids], self.rarity[ids] ** 2, minlength=len(lengths))
            values.append(self.rarity[ids] * (lengths / np.sqrt(np.maximum(square, 1e-12)))[family[ids]])
            places.append(ids)
            ends.append(ends[-1] + len(ids))
        shape = len(bags), len(self.grams)
        return sparse.csr_matrix((np.concatenate(values), np.concatenate(places), ends), shape)


@dataclass(frozen=True)
class Layer:
    """Decisions = features · weights + bias."""

    features: Features
    weights: Floats
    """[K, N]"""
    bias: Floats

    def save(self, path: Path, loudness: float) -> None:
        """Write what the served scorer loads; decisions are multiplied by ``loudness``."""
        weights = self.weights * loudness
        scale = np.maximum(np.abs(weights).max(0), 1e-9) / 127
        np.savez_compressed(
            path,
            grams=np.frombuffer("\n".join(self.features.grams).encode(), np.uint8),
            rarity=self.features.rarity.astype(np.float16),
            weights=np.rint(weights / scale).astype(np.int8),
            scale=scale.astype(np.float32),
            bias=(self.bias * loudness).astype(np.float32),
        )


class Bags:
    """N-grams of turns by text and text before."""

    def __init__(self, syllables: dict[str, str]) -> None:
        self._spelling = scorer.Spelling(syllables)

    def of(self, talks: Sequence[Lines]) -> list[set[str]]:
        """One set for each turn of all talks."""
        return [
            self._spelling.features(text, before)
            for talk in talks
            for text, before in zip(talk.plain, ("", *talk.plain[:-1]), strict=True)
        ]


def fit(own: Sequence[Lines], foreign: Sequence[Lines], syllables: dict[str, str], seed: int) -> Layer:
    """Fit the n-grams that stand in two turns of ``own``, keep the LOUDEST, fit again.

    Misheard copies of ``own`` and ``foreign`` talks teach weights, but bring no n-grams of their own.
    """
    misheard, bags = Misheard(syllables, np.random.default_rng(seed)), Bags(syllables)
    poor = [reworded(talk, lambda text: misheard.text(text, MISHEARD) or NOTHING) for talk in own]
    read = bags.of(own)
    counts = Counter(gram for bag in read for gram in bag)
    grams = tuple(sorted(gram for gram, seen in counts.items() if seen > 1))
    everything = Features(grams, 1 + np.log(len(read) / np.array([counts[gram] for gram in grams])))
    talks = [*own, *poor, *foreign]
    read += bags.of([*poor, *foreign])
    carried = np.concatenate([talk.carried > 0 for talk in talks])
    weight = np.concatenate([talk.weight for talk in talks])
    weight[sum(len(t.plain) for t in own) : sum(len(t.plain) for t in [*own, *poor])] *= MISHEARD_WEIGHT
    weights, _ = _solve(everything, read, carried, weight)
    importance = (weights**2 / (weights**2).sum(0)).sum(1)
    kept = np.sort(np.argsort(-importance, kind="stable")[:LOUDEST])
    features = Features(tuple(grams[place] for place in kept), everything.rarity[kept])
    return Layer(features, *_solve(features, read, carried, weight))


def _solve(
    features: Features, read: Sequence[set[str]], carried: NDArray[np.bool_], weight: NDArray[np.float32]
) -> tuple[Floats, Floats]:
    matrix = features.matrix(read)
    weights, bias = np.zeros((len(features.grams), carried.shape[1])), np.zeros(carried.shape[1])
    for tag in range(carried.shape[1]):
        rows = np.flatnonzero(weight[:, tag])
        model = LinearSVC(C=PENALTY, class_weight={False: 1.0, True: POSITIVE_WEIGHT}, random_state=0)
        model.fit(matrix[rows], carried[rows, tag], sample_weight=weight[rows, tag])
        weights[:, tag], bias[tag] = model.coef_[0], model.intercept_[0]
    return weights, bias


def decide(layer: Layer, talks: Sequence[Lines], syllables: dict[str, str]) -> Floats:
    """[turns of all talks, N]"""
    decided: Floats = layer.features.matrix(Bags(syllables).of(talks)) @ layer.weights + layer.bias
    return decided
