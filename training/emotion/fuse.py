"""How much sound and words weigh: fitted on acted sound paired with television lines of the same emotion."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from server.pipeline import emotion
from training.emotion.corpus import LABELS, Floats, Ints

PAIRS_A_LABEL = 1500
LIFT = (1.0, 0.5, 0.0, -0.5)
"""What a raised voice says of each of LABELS, before its weight."""


@dataclass(frozen=True)
class Pairs:
    """Sound and words [n, LABELS] of made-up turns with their label; neither scorer met its speaker or
    show."""

    sound: Floats
    words: Floats
    lift: Floats
    """[n] how far the voice is raised, see server.pipeline.emotion."""
    labels: Ints


def pairs(sound: tuple[Floats, Floats, Ints], words: tuple[Floats, Ints], rng: np.random.Generator) -> Pairs:
    """Random pairs of one label, PAIRS_A_LABEL of each."""
    rows = [
        [rng.choice(np.flatnonzero(truth == label), PAIRS_A_LABEL) for label in range(len(LABELS))]
        for truth in (sound[-1], words[-1])
    ]
    heard, read = (np.concatenate(chosen) for chosen in rows)
    labels = np.repeat(np.arange(len(LABELS)), PAIRS_A_LABEL)
    return Pairs(sound[0][heard], words[0][read], sound[1][heard], labels)


def weights(found: Pairs) -> list[float]:
    """Weights of the log scores of sound and words, and of the lift, that make the truth likeliest."""
    logs = np.stack(
        [
            np.log(found.sound + emotion.FAINTEST),
            np.log(found.words + emotion.FAINTEST),
            np.outer(found.lift, LIFT),
        ]
    )

    def loss(three: Floats) -> float:
        logits = np.tensordot(three, logs, 1)
        return float((np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), found.labels]).mean())

    best = minimize(loss, np.array([1.0, 1.0, 0.0]), method="Nelder-Mead").x
    return [round(float(weight), 2) for weight in best]
