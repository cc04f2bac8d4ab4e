"""Fit and measure the emotion model, one speaker held out at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import helper
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from training.emotion import frontend
from training.emotion.corpus import LABELS, Pcm, Utterance, over_telephone, shortest
from training.synth.channel import Channel

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
INVERSE_PENALTY = 0.03


class FrontEnd:
    """Runs the served front end."""

    def __init__(self) -> None:
        made = frontend.model([], {}, "STATISTICS", frontend.STATISTICS)
        self._session = onnxruntime.InferenceSession(
            made.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def statistics(self, pcm: Pcm) -> Floats:
        """[STATISTICS] of one 8 kHz utterance."""
        signal = np.zeros((1, max(frontend.FRAME, len(pcm))), np.float32)
        signal[0, : len(pcm)] = pcm / 32768
        found = self._session.run(None, {"PCM": signal, "LENGTHS": np.array([len(pcm)])})
        row: Floats = found[0][0]
        return row


@dataclass(frozen=True)
class Views:
    """Telephone versions of utterances: statistics [n, STATISTICS], label and speaker of each."""

    statistics: Floats
    labels: Ints
    speakers: NDArray[np.str_]

    def of(self, chosen: NDArray[np.bool_]) -> "Views":
        """The chosen views."""
        return Views(self.statistics[chosen], self.labels[chosen], self.speakers[chosen])


def views(
    utterances: Sequence[Utterance], *, copies: int, seed: int, crop_share: float, warp: float
) -> Views:
    """``copies`` telephone versions of each utterance; some cropped, all warped by up to ``warp``."""
    rng = np.random.default_rng(seed)
    channel, front = Channel(rng), FrontEnd()
    statistics = []
    for _ in range(copies):
        for utterance in utterances:
            pcm = over_telephone(utterance, channel, warp=1 + rng.uniform(-warp, warp))
            if rng.random() < crop_share:
                pcm = _crop(pcm, rng)
            statistics.append(front.statistics(pcm))
    labels = np.array([utterance.label for utterance in utterances] * copies)
    speakers = np.array([utterance.speaker for utterance in utterances] * copies)
    return Views(np.array(statistics), labels, speakers)


def _crop(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    length = int(rng.uniform(min(shortest(), len(pcm)), len(pcm)))
    start = int(rng.integers(0, len(pcm) - length + 1))
    return pcm[start : start + length]


@dataclass(frozen=True)
class Layer:
    """Logits = statistics · weights + bias."""

    weights: Floats
    """[STATISTICS, K]"""
    bias: Floats

    def scores(self, statistics: Floats) -> Floats:
        """[n, K], adding up to 1."""
        logits = statistics @ self.weights + self.bias
        raised = np.exp(logits - logits.max(1, keepdims=True))
        scores: Floats = raised / raised.sum(1, keepdims=True)
        return scores

    def save(self, path: Path) -> None:
        """Write the whole model: PCM and LENGTHS in, SCORES out."""
        tail = [
            helper.make_node("Gemm", ["STATISTICS", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["SCORES"], axis=1),
        ]
        made = frontend.model(tail, {"weights": self.weights, "bias": self.bias}, "SCORES", len(self.bias))
        path.write_bytes(made.SerializeToString())


def fit(data: Views) -> Layer:
    """Multinomial logistic regression on standardised statistics, every label equally heavy."""
    mean, spread = data.statistics.mean(0), data.statistics.std(0) + 1e-6
    model = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=500)
    model.fit((data.statistics - mean) / spread, data.labels)
    weights = (model.coef_ / spread).T
    return Layer(weights.astype(np.float32), (model.intercept_ - mean @ weights).astype(np.float32))


def leave_one_speaker_out(train: Views, test: Views) -> Floats:
    """Scores [n, K] of the test views, each from a layer that never heard its speaker."""
    answer = np.zeros((len(test.labels), len(LABELS)), np.float32)
    for speaker in np.unique(test.speakers):
        held = test.speakers == speaker
        answer[held] = fit(train.of(train.speakers != speaker)).scores(test.statistics[held])
    return answer


def figures(predicted: Floats, labels: Ints) -> dict[str, float]:
    """Unweighted average recall of four labels and of anger against the rest, and recall of each label."""
    choice = predicted.argmax(1)
    recalls = recall_score(labels, choice, average=None, labels=range(len(LABELS)))
    anger = recall_score(labels == 0, choice == 0, average="macro")
    named = {f"recall_{name}": float(recall) for name, recall in zip(LABELS, recalls, strict=True)}
    return {"uar": float(recalls.mean()), "anger_uar": float(anger), **named}
