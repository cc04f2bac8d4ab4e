"""EMO-DB utterances through the telephone: 10 German actors, the four emotions that are served."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from training.synth.channel import PHONE_RATE_HZ, Channel, alaw_bytes, alaw_decode

LABELS = ("angry", "happy", "neutral", "sad")
_NAMES = {"anger": "angry", "happiness": "happy", "neutral": "neutral", "sadness": "sad"}
Pcm = NDArray[np.int16]


@dataclass(frozen=True)
class Utterance:
    """One acted sentence, silence after its end cut off."""

    speaker: str
    label: int
    pcm: Pcm
    rate_hz: int


def utterances(folder: Path) -> list[Utterance]:
    """All utterances of the served emotions, from ``labels.tsv`` and its FLAC files."""
    found = []
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["emotion"] not in _NAMES:
                continue
            pcm, rate_hz = soundfile.read(folder / row["path"], dtype="int16")
            end_s = float(row["speech_end_sec_from_silb"] or 2.0)
            spoken = pcm[: int(min(2.0, end_s) * rate_hz)]
            found.append(
                Utterance(row["speaker"], LABELS.index(_NAMES[row["emotion"]]), spoken, int(rate_hz))
            )
    return found


def over_telephone(utterance: Utterance, channel: Channel, *, warp: float = 1.0) -> Pcm:
    """The utterance at 8 kHz after a random band, noise and level, through A-law."""
    signal = channel.apply(utterance.pcm, utterance.rate_hz, warp=warp)
    decoded: Pcm = alaw_decode(alaw_bytes(signal))
    return decoded


def shortest() -> int:
    """Samples of the shortest crop that training uses: half a second."""
    return PHONE_RATE_HZ // 2
