"""How much sound and words weigh: fitted on acted sound paired with television lines of the same emotion."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.emotion.corpus import LABELS, Floats, Ints

PAIRS_A_LABEL = 1500


@dataclass(frozen=True)
class Pairs:
    """Sound and words [n, LABELS] of made-up turns with their label; neither scorer met its speaker or
    show."""

    sound: Floats
    words: Floats
    labels: Ints


def pairs(sound: tuple[Floats, Ints], words: tuple[Floats, Ints], rng: np.random.Generator) -> Pairs:
    """Random pairs of one label, PAIRS_A_LABEL of each."""
    rows = [
        [rng.choice(np.flatnonzero(truth == label), PAIRS_A_LABEL) for label in range(len(LABELS))]
        for _, truth in (sound, words)
    ]
    heard, read = (np.concatenate(chosen) for chosen in rows)
    return Pairs(sound[0][heard], words[0][read], np.repeat(np.arange(len(LABELS)), PAIRS_A_LABEL))


def weights(found: Pairs) -> tuple[float, float]:
    """Weights of the log scores of sound and of words that make the truth likeliest."""
    logs = np.stack([np.log(found.sound + 1e-3), np.log(found.words + 1e-3)])

    def loss(pair: Floats) -> float:
        logits = np.tensordot(pair, logs, 1)
        return float((np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), found.labels]).mean())

    best = minimize(loss, np.array([1.0, 1.0]), method="Nelder-Mead").x
    return float(best[0]), float(best[1])
