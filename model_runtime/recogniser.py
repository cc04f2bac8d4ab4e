"""An imported recogniser without Triton: int16 PCM of any usual rate in, characters with times out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from model_runtime import audio, reading
from model_runtime.audio import Pcm, Samples
from model_runtime.logmel import LogMel
from model_runtime.network import Answer, Encoder
from model_runtime.spec import FrontEnd, Network, Reading, Spec
from model_runtime.whisper import WhisperReader
from model_runtime.words import Units, spread

TOKENS_FILE = "tokens.json"
NETWORK_FILE = "model.onnx"
SHORTEST_MS = 200
"""Shorter segments are padded with silence to this: the networks' strides need some frames."""


class Reader(Protocol):
    """What turns segments at the model's rate into characters."""

    def __call__(self, segments: Sequence[Samples], durations_ms: Sequence[int]) -> list[Units]:
        """Characters of each segment, whose own length is given in ms."""


class FrameReader:
    """CTC and Paraformer networks over log-mel frames."""

    def __init__(self, front_end: FrontEnd, network: Network, how: Reading, folder: Path) -> None:
        self.mel = LogMel(front_end, folder)
        self.encoder = Encoder(network, folder / NETWORK_FILE)
        self._how = how
        self._texts: list[str] = json.loads((folder / TOKENS_FILE).read_text(encoding="utf-8"))

    def __call__(self, segments: Sequence[Samples], durations_ms: Sequence[int]) -> list[Units]:
        """Characters of each segment."""
        answers = self.encoder([self.mel(samples) for samples in segments])
        return [self._units(*pair) for pair in zip(answers, durations_ms, strict=True)]

    def _units(self, answer: Answer, duration_ms: int) -> Units:
        how, scores = self._how, answer.scores
        if how.kind == "cif":
            tokens = reading.cif(scores, answer.weights, duration_ms, how.step_ms, how.silent, self._texts)
            return spread(tokens, duration_ms, how.glue)
        skip = len(how.heads)
        told = tuple(self._texts[token].strip("<|>") for token in scores[:skip].argmax(1))
        tokens = reading.ctc(scores[skip:], how.step_ms, how.silent, self._texts)
        return spread([t for t in tokens if not _is_mark(t.text)], duration_ms, how.glue, told)


class Recogniser:
    """Loads everything from one folder; safe to use from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.spec = Spec.load(folder)
        front_end = self.spec.front_end
        if front_end is None:
            raise ValueError("model.json has no front_end: it is not a recogniser's")
        self.rate_hz = front_end.rate_hz
        self.reader: Reader
        if self.spec.whisper is not None:
            self.reader = WhisperReader(front_end, self.spec.whisper, folder)
        elif self.spec.network is not None and self.spec.reading is not None:
            self.reader = FrameReader(front_end, self.spec.network, self.spec.reading, folder)
        else:
            raise ValueError("model.json has neither whisper nor network and reading")

    def check(self, samples: int, rate_hz: int) -> None:
        """Raise BadInput for an unusual rate, no samples or too many."""
        audio.check(samples, rate_hz, self.spec.max_seconds)

    def recognise(self, segments: Sequence[Pcm], rates_hz: Sequence[int]) -> list[Units]:
        """What is said in each segment; digital silence says nothing."""
        durations_ms = [max(1, round(len(s) * 1000 / r)) for s, r in zip(segments, rates_hz, strict=True)]
        loud = [place for place, segment in enumerate(segments) if segment.any()]
        samples = [prepared(segments[place], rates_hz[place], self.rate_hz) for place in loud]
        heard = dict(zip(loud, self.reader(samples, [durations_ms[place] for place in loud]), strict=True))
        return [heard.get(place) or spread([], durations_ms[place]) for place in range(len(segments))]


def prepared(pcm: Pcm, rate_hz: int, wanted_hz: int) -> Samples:
    """Samples in -1..1 at the wanted rate, at least SHORTEST_MS of them."""
    samples = audio.resample(pcm.astype(np.float32) / np.float32(32768), rate_hz, wanted_hz)
    return np.pad(samples, (0, max(0, wanted_hz * SHORTEST_MS // 1000 - len(samples))))


def _is_mark(text: str) -> bool:
    return text.startswith("<|") and text.endswith("|>")
