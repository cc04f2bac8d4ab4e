"""Fit the word model on television dialogue (CPED) and on collection calls written for this project."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from training.emotion.corpus import LABELS, Floats, Ints
from training.emotion.served import words

CPED_LABELS = {
    "anger": "angry", "disgust": "angry", "happy": "happy", "neutral": "neutral", "relaxed": "neutral",
    "sadness": "sad", "depress": "sad",
}  # fmt: skip
"""The corpus has 13 emotions; those left out (astonished, worried, fear, …) are none of ours."""
MEASURED = {"anger": 0, "happy": 1, "neutral": 2, "sadness": 3}
"""Those that bear our labels' names: figures are of these alone."""
ANGRY_TAGS = frozenset({"a_insult", "a_threat_harm", "c_insult", "c_abuse"})
CALM_WEIGHT = 0.3
"""Weight of a turn of a written call that bears no tag of ANGRY_TAGS, against a line of CPED."""
RARE, KEPT, INVERSE_PENALTY = 2, 14_000, 0.5
"""An n-gram must occur in this many texts and more; how many are kept, those of the largest weights."""


@dataclass(frozen=True)
class Lines:
    """Texts with their label, weight in training, and group (show or writer) that is held out together."""

    texts: list[str]
    labels: Ints
    weights: NDArray[np.float64]
    groups: NDArray[np.str_]
    named: Ints
    """Index into LABELS where the corpus' own emotion has that name, else -1."""

    def of(self, chosen: NDArray[np.bool_]) -> "Lines":
        """The chosen lines."""
        texts = [text for text, keep in zip(self.texts, chosen, strict=True) if keep]
        return Lines(
            texts, self.labels[chosen], self.weights[chosen], self.groups[chosen], self.named[chosen]
        )


def television(path: Path) -> Lines:
    """CPED's lines of the emotions that are used; the group is the show."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Emotion"] in CPED_LABELS]
    labels = np.array([LABELS.index(CPED_LABELS[row["Emotion"]]) for row in rows])
    named = np.array([MEASURED.get(row["Emotion"], -1) for row in rows])
    groups = np.array(["show " + row["TV_ID"] for row in rows])
    return Lines([row["Utterance"] for row in rows], labels, np.ones(len(rows)), groups, named)


def calls(folder: Path) -> Lines:
    """Turns of the written calls: angry where they threaten or insult, else neutral; the group is the
    writer."""
    found = [
        (text, angry, path.stem)
        for path in sorted(folder.glob("writer_*.txt"))
        for text, angry in _turns(path)
    ]
    angry = np.array([hit for _, hit, _ in found])
    labels = np.where(angry, LABELS.index("angry"), LABELS.index("neutral"))
    groups = np.array([writer for _, _, writer in found])
    weights = np.where(angry, 1.0, CALM_WEIGHT)
    return Lines([text for text, _, _ in found], labels, weights, groups, np.full(len(found), -1))


def _turns(path: Path) -> Iterator[tuple[str, bool]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("|")
        if len(parts) == 3 and parts[0] in ("a", "c"):
            yield parts[1], bool(ANGRY_TAGS & set(parts[2].split(",")))


def joined(first: Lines, second: Lines) -> Lines:
    """Both."""
    pairs = zip(
        (first.labels, first.weights, first.groups, first.named),
        (second.labels, second.weights, second.groups, second.named),
        strict=True,
    )
    return Lines(first.texts + second.texts, *(np.concatenate(pair) for pair in pairs))


def fit(lines: Lines) -> dict[str, NDArray[np.generic]]:
    """The arrays of the word model's file."""
    found = [set(words.ngrams(text)) for text in lines.texts]
    counts = Counter(ngram for ngrams in found for ngram in ngrams)
    known = sorted(ngram for ngram, count in counts.items() if count >= RARE)
    kept = range(len(known))
    for _ in range(2):
        known = [known[row] for row in kept]
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300)
        model.fit(_rows(found, known), lines.labels, _balanced(lines))
        kept = np.sort(np.argsort(-np.abs(model.coef_).max(0), kind="stable")[:KEPT]).tolist()
    scale = np.float32(np.abs(model.coef_).max() / 127)
    return {
        "ngrams": np.frombuffer("\n".join(known).encode(), np.uint8),
        "weights": np.rint(model.coef_.T / scale).astype(np.int8),
        "scale": scale,
        "bias": model.intercept_.astype(np.float32),
    }


def _rows(found: Sequence[set[str]], known: Sequence[str]) -> csr_matrix:
    place = {ngram: row for row, ngram in enumerate(known)}
    columns = [[place[ngram] for ngram in ngrams if ngram in place] for ngrams in found]
    sizes = np.array([len(row) for row in columns])
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    shape = len(columns), len(known)
    return csr_matrix((values, np.concatenate(columns).astype(int), np.cumsum([0, *sizes])), shape)


def _balanced(lines: Lines) -> NDArray[np.float64]:
    """Every label weighs the same in all."""
    totals = np.bincount(lines.labels, lines.weights, len(LABELS))
    weights: NDArray[np.float64] = lines.weights / totals[lines.labels] * lines.weights.sum() / len(LABELS)
    return weights


def held_out(lines: Lines, path: Path) -> Floats:
    """Scores [n, LABELS] of every line by a model that never saw its show or writer; ``path`` is a scratch
    file."""
    answer = np.zeros((len(lines.texts), len(LABELS)), np.float32)
    for group in np.unique(lines.groups):
        held = lines.groups == group
        np.savez(path, **fit(lines.of(~held)))  # type: ignore[arg-type]
        answer[held] = words.WordModel(path).scores(lines.of(held).texts)
    return answer
