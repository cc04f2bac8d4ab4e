"""Sound, words and their measurements to scores. Knows nothing of Triton."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from voice import RATE_HZ, measure
from words import WordModel

LONGEST_S = 120
PRIOR_STRETCHES = 8.0
"""What the voices of the training corpus weigh in a speaker's baseline, in stretches of that speaker."""
FARTHEST = 5.0
"""Deviations beyond which a statistic is cut: noise must not outvote the rest."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pcm = NDArray[np.int16]


class BadInput(ValueError):
    """A request that cannot be scored; the message says why and what to send instead."""


@dataclass(frozen=True)
class Heard:
    """Answers for k stretches."""

    scores: Floats
    """[k, K], adding up to 1."""
    arousal: Floats
    """[k, F], see voice.AROUSAL."""


def relative(statistics: Floats, mean: Floats, scale: Floats, speakers: Ints) -> Floats:
    """Statistics in deviations from their speaker's mean, itself drawn to the corpus mean if it has few
    stretches.

    ``speakers`` [k] are any numbers; equal ones belong to one speaker.
    """
    away: Floats = np.clip((statistics - mean) / scale, -FARTHEST, FARTHEST).astype(np.float32)
    _, place, count = np.unique(speakers, return_inverse=True, return_counts=True)
    sums = np.zeros((len(count), away.shape[1]), np.float32)
    np.add.at(sums, place, away)
    baseline: Floats = sums / (count[:, None] + PRIOR_STRETCHES).astype(np.float32)
    answer: Floats = away - baseline[place]
    return answer


def scores(weights: Mapping[str, Floats], statistics: Floats, speakers: Ints) -> Floats:
    """[k, 4] angry, happy, neutral, sad. Neutral is whatever the other three are not: boredom, fear and
    disgust too."""
    rows = relative(statistics, weights["mean"], weights["scale"], speakers)
    hidden = np.maximum(rows @ weights["inner"] + weights["inner_bias"], 0)
    logits = (hidden @ weights["outer"] + weights["outer_bias"]).mean(0)
    raised = np.exp(logits - logits.max(1, keepdims=True))
    shares = raised / raised.sum(1, keepdims=True)
    angry, happy, sad = shares[:, 0], shares[:, 1], shares[:, 3]
    answer: Floats = np.stack([angry, happy, 1 - angry - happy - sad, sad], 1)
    return answer.clip(0, 1)


class EmotionClassifier:
    """Scores stretches of sound and of words. No state between calls; an answer depends on its request
    alone."""

    n_labels = 4

    def __init__(self, folder: Path, *, rate_hz: int) -> None:
        """Load ``sound.npz`` and ``words.npz`` from a folder.

        Raises:
            BadInput: another sample rate than the front end's.
        """
        if rate_hz != RATE_HZ:
            raise BadInput(
                f"config.pbtxt says {rate_hz} Hz\nhelp: this model measures voices at {RATE_HZ} Hz"
            )
        with np.load(folder / "sound.npz") as stored:
            self._weights = {name: stored[name].astype(np.float32) for name in stored.files}
        self._words = WordModel(folder / "words.npz")

    def stretches(self, pcm: Pcm, ends: NDArray[np.int32], rate_hz: int) -> list[Pcm]:
        """The stretches that were joined into ``pcm``, the n-th ending before sample ``ends[n]``.

        Raises:
            BadInput: another sample rate, ends that do not cut ``pcm``, or a stretch that cannot be scored.
        """
        if rate_hz != RATE_HZ:
            raise BadInput(f"SAMPLE_RATE is {rate_hz} Hz\nhelp: resample to {RATE_HZ} Hz")
        if not len(ends) or ends[-1] != len(pcm) or (np.diff(ends, prepend=0) < 0).any():
            shown = ", ".join(map(str, ends[:5]))
            raise BadInput(
                f"ENDS ({shown}) does not cut PCM of {len(pcm)} samples\n"
                "help: give the sample behind each stretch, rising, the last one the length of PCM"
            )
        found = np.split(pcm, ends[:-1])
        for stretch in found:
            _check(stretch)
        return found

    def hear(self, stretches: Sequence[Pcm], speakers: Ints | None = None) -> Heard:
        """Scores and measurements of stretches; each by itself unless ``speakers`` [k] says who speaks them.

        Raises:
            BadInput: another number of speakers than of stretches.
        """
        found = measure(stretches)
        if not len(stretches):
            return Heard(np.zeros((0, self.n_labels), np.float32), found.arousal)
        if speakers is None:
            speakers = np.arange(len(stretches))
        if len(speakers) != len(stretches):
            raise BadInput(
                f"SPEAKER has {len(speakers)} numbers for {len(stretches)} stretches\n"
                "help: send one a stretch"
            )
        return Heard(scores(self._weights, found.statistics, speakers), found.arousal)

    def read(self, texts: Sequence[str]) -> Floats:
        """Scores [k, K] of what is said, adding up to 1; the model's bias for a text it knows nothing of."""
        return self._words.scores(texts)


def _check(pcm: Pcm) -> None:
    if not len(pcm):
        raise BadInput("PCM has a stretch without samples\nhelp: send only stretches that hold speech")
    if len(pcm) > LONGEST_S * RATE_HZ:
        raise BadInput(
            f"PCM has a stretch of {len(pcm) / RATE_HZ:.1f} s\n"
            f"help: cut speech into stretches of at most {LONGEST_S} s"
        )
