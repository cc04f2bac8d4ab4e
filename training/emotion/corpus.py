"""EMO-DB utterances over telephone channels: 10 German actors, seven emotions."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from training.emotion.served import voice
from training.synth.channel import PHONE_RATE_HZ, Channel, alaw_bytes, alaw_decode, alaw_encode, resample

EMOTIONS = ("anger", "happiness", "neutral", "sadness", "boredom", "disgust", "fear")
"""As the corpus calls them; the first four are served under the names of LABELS."""
LABELS = ("angry", "happy", "neutral", "sad")
SHORTEST_CROP = PHONE_RATE_HZ // 2
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pcm = NDArray[np.int16]
Line = Callable[["Utterance", np.random.Generator], Pcm]
"""A way over the telephone: an utterance at 8 kHz."""


@dataclass(frozen=True)
class Utterance:
    """One acted sentence, silence after its end cut off."""

    speaker: str
    emotion: int
    pcm: Pcm
    rate_hz: int


@dataclass(frozen=True)
class Views:
    """Utterances as heard: statistics [n, S], arousal [n, F], emotion, speaker, and which copy each is of."""

    statistics: Floats
    arousal: Floats
    emotions: Ints
    speakers: NDArray[np.str_]
    copies: Ints

    def of(self, chosen: NDArray[np.bool_]) -> "Views":
        """The chosen views."""
        columns = (self.statistics, self.arousal, self.emotions, self.speakers, self.copies)
        return Views(*(column[chosen] for column in columns))  # type: ignore[arg-type]


def utterances(folder: Path) -> list[Utterance]:
    """All utterances, from ``labels.tsv`` and its FLAC files."""
    found = []
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            pcm, rate_hz = soundfile.read(folder / row["path"], dtype="int16")
            end_s = float(row["speech_end_sec_from_silb"] or 2.0)
            spoken = pcm[: int(min(2.0, end_s) * rate_hz)]
            found.append(Utterance(row["speaker"], EMOTIONS.index(row["emotion"]), spoken, int(rate_hz)))
    return found


def plain(utterance: Utterance, rng: np.random.Generator) -> Pcm:
    """Resampled to 8 kHz and through A-law, nothing else."""
    return alaw_decode(alaw_encode(resample(utterance.pcm, utterance.rate_hz, PHONE_RATE_HZ)))


def warped(utterance: Utterance, rng: np.random.Generator) -> Pcm:
    """As ``plain``, formants, pitch and tempo shifted by up to 8 %, level by up to -15 dB."""
    rate_hz = round(utterance.rate_hz * (1 + rng.uniform(-0.08, 0.08)))
    pcm = resample(utterance.pcm, rate_hz, PHONE_RATE_HZ)
    return alaw_decode(alaw_encode((pcm * 10 ** (rng.uniform(-15, 0) / 20)).astype(np.int16)))


def noisy(rng: np.random.Generator, *, warp: float, crop_share: float) -> Line:
    """Random bands, equalisers, rooms, noises and levels; shifted by up to ``warp``, some cropped."""
    channel = Channel(rng)

    def line(utterance: Utterance, rng: np.random.Generator) -> Pcm:
        signal = channel.apply(utterance.pcm, utterance.rate_hz, warp=1 + rng.uniform(-warp, warp))
        pcm = alaw_decode(alaw_bytes(signal))
        return _crop(pcm, rng) if rng.random() < crop_share else pcm

    return line


def views(acted: Sequence[Utterance], lines: Sequence[Line], rng: np.random.Generator) -> Views:
    """Every utterance over every line."""
    heard = voice.measure([line(utterance, rng) for line in lines for utterance in acted])
    emotions = np.array([utterance.emotion for utterance in acted] * len(lines))
    speakers = np.array([utterance.speaker for utterance in acted] * len(lines))
    copies = np.repeat(np.arange(len(lines)), len(acted))
    return Views(heard.statistics, heard.arousal, emotions, speakers, copies)


def _crop(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    length = int(rng.uniform(min(SHORTEST_CROP, len(pcm)), len(pcm)))
    start = int(rng.integers(0, len(pcm) - length + 1))
    return pcm[start : start + length]
