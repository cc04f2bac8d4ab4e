"""Fit the sound classifier, and measure it with one speaker held out at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.emotion.corpus import EMOTIONS, Floats, Ints, Views
from training.emotion.served import classifier

MEMBERS, HIDDEN = 5, 32
"""Networks whose logits are averaged, and hidden units of each."""
STEPS, ROWS_A_STEP, LEARNING_RATE, DECAY, DROPOUT = 400, 256, 3e-3, 0.05, 0.4
GROUPS = (1, 4, 12, 60)
"""Stretches that a speaker's baseline is made of, in training."""
SHARE = np.array([0.36, 0.23, 0.1, 0.18, 0.05, 0.03, 0.05])
"""How much each of EMOTIONS weighs: the four served alike, anger a little more."""


class Networks(nn.Module):
    """MEMBERS networks of one hidden layer: [n, S] → [MEMBERS, n, EMOTIONS]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(MEMBERS, width, HIDDEN) / width**0.5)
        self.inner_bias = nn.Parameter(torch.zeros(MEMBERS, 1, HIDDEN))
        self.outer = nn.Parameter(torch.randn(MEMBERS, HIDDEN, len(EMOTIONS)) / HIDDEN**0.5)
        self.outer_bias = nn.Parameter(torch.zeros(MEMBERS, 1, len(EMOTIONS)))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits."""
        hidden = self.drop(torch.relu(self.drop(rows) @ self.inner + self.inner_bias))
        logits: torch.Tensor = hidden @ self.outer + self.outer_bias
        return logits


def grouped(data: Views, size: int, rng: np.random.Generator) -> Ints:
    """A group of about ``size`` views of one speaker and copy for each view: whose baseline it shares."""
    order = rng.permutation(len(data.emotions))
    keys = np.char.add(data.speakers, data.copies.astype(str))
    group = np.zeros(len(order), np.int64)
    seen: dict[str, int] = {}
    names: dict[tuple[str, int], int] = {}
    for row in order:
        key = str(keys[row])
        place = seen[key] = seen.get(key, -1) + 1
        group[row] = names.setdefault((key, place // size), len(names))
    return group


def fit(data: Views, seed: int) -> dict[str, Floats]:
    """The arrays of the classifier's weights file."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    mean, scale = data.statistics.mean(0), data.statistics.std(0) + 1e-3
    rows = np.concatenate(
        [classifier.relative(data.statistics, mean, scale, grouped(data, size, rng)) for size in GROUPS]
    )
    inputs, truth = torch.from_numpy(rows), torch.from_numpy(np.tile(data.emotions, len(GROUPS)))
    networks = Networks(rows.shape[1])
    optimiser = torch.optim.AdamW(networks.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    heavy = torch.from_numpy(
        SHARE / (np.bincount(data.emotions, minlength=len(EMOTIONS)) / len(data.emotions))
    )
    loss = nn.CrossEntropyLoss(weight=heavy.float(), label_smoothing=0.05)
    for _ in range(STEPS):
        chosen = torch.from_numpy(rng.integers(0, len(rows), ROWS_A_STEP))
        optimiser.zero_grad()
        loss(networks(inputs[chosen]).flatten(0, 1), truth[chosen].repeat(MEMBERS)).backward()
        optimiser.step()
        pace.step()
    layers = {name: value.detach().numpy() for name, value in networks.named_parameters()}
    return {"mean": mean, "scale": scale, **layers}


@dataclass(frozen=True)
class Held:
    """Scores [n, LABELS] of views by classifiers that never heard their speaker."""

    alone: Floats
    """Each stretch by itself."""
    relative: Floats
    """Relative to the speaker's other stretches, labels unknown."""


def leave_one_speaker_out(train: Views, tests: Mapping[str, Views], seed: int) -> dict[str, Held]:
    """Scores of the views of each test."""
    rng = np.random.default_rng(seed)
    answers = {name: Held(*np.zeros((2, len(test.emotions), 4), np.float32)) for name, test in tests.items()}
    groups = {name: grouped(test, 10**6, rng) for name, test in tests.items()}
    for speaker in np.unique(train.speakers):
        weights = fit(train.of(train.speakers != speaker), seed)
        for name, test in tests.items():
            held = test.speakers == speaker
            rows = test.statistics[held]
            answers[name].alone[held] = classifier.scores(weights, rows, np.arange(len(rows)))
            answers[name].relative[held] = classifier.scores(weights, rows, groups[name][held])
    return answers


def figures(scores: Floats, emotions: Ints) -> dict[str, float]:
    """Recall of the four labels and its mean over their utterances; anger against the rest of all seven.

    ``anger`` counts the first choice; ``anger_auc`` is the area under the curve, which no threshold enters.
    """
    choice, four = scores.argmax(1), emotions < scores.shape[1]
    recalls = [float((choice[emotions == label] == label).mean()) for label in range(scores.shape[1])]
    return {
        "uar": float(np.mean(recalls)),
        "anger_of_4": _two_way(choice[four] == 0, emotions[four] == 0),
        "anger_of_7": _two_way(choice == 0, emotions == 0),
        "anger_of_4_auc": area(scores[four, 0], emotions[four] == 0),
        "anger_of_7_auc": area(scores[:, 0], emotions == 0),
        **{f"recall_{name}": recall for name, recall in zip(EMOTIONS, recalls, strict=False)},
    }


def _two_way(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((said[true].mean() + (~said[~true]).mean()) / 2)


def area(scores: Floats, true: NDArray[np.bool_]) -> float:
    """Share of pairs (true, false) in which the true one scores higher; ties count half."""
    higher = scores[true][:, None] - scores[~true][None]
    return float((higher > 0).mean() + (higher == 0).mean() / 2)
