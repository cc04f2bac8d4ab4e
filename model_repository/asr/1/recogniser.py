"""The recogniser without Triton: int16 PCM at 8 kHz in, characters with times and confidences out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from char_trigram import load  # noqa: E402
from ctc_decoder import Weights, decode, empty  # noqa: E402
from ctc_segments import Readings  # noqa: E402

SAMPLE_RATE_HZ = 8000
MAX_SECONDS = 30
MIN_SAMPLES = 640
PADDING_SAMPLES = 1600
MOST_SAMPLES_AT_ONCE = 32 * 20 * SAMPLE_RATE_HZ // 4
Pcm = NDArray[np.int16]


class Units(NamedTuple):
    """What was heard: characters, start and end in ms from the first sample [n], confidence 0..1 [n]."""

    characters: tuple[str, ...]
    start_ms: NDArray[np.int32]
    end_ms: NDArray[np.int32]
    confidence: NDArray[np.float32]


class BadAudio(ValueError):
    """A segment cannot be recognised; the message says what to do."""


def check(samples: int, sample_rate_hz: int) -> None:
    """Raise BadAudio for a wrong rate, no samples or too many."""
    if sample_rate_hz != SAMPLE_RATE_HZ:
        raise BadAudio(
            f"SAMPLE_RATE is {sample_rate_hz}, this recogniser takes {SAMPLE_RATE_HZ}. "
            f"help: resample to {SAMPLE_RATE_HZ} Hz before asking"
        )
    if samples == 0:
        raise BadAudio("PCM is empty. help: send at least one sample, or do not ask for an empty segment")
    if samples > MAX_SECONDS * SAMPLE_RATE_HZ:
        raise BadAudio(
            f"PCM is {samples / SAMPLE_RATE_HZ:.1f} s long, the most is {MAX_SECONDS} s. "
            "help: cut the call into segments at its pauses"
        )


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Weights are dequantised once at start; no spinning threads, no growing arena."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def buckets(lengths: Sequence[int]) -> list[list[int]]:
    """Indices grouped so that padding stays under a third and a group under a memory bound."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        if groups:
            longest = lengths[groups[-1][0]]
            fits = longest * (len(groups[-1]) + 1) <= MOST_SAMPLES_AT_ONCE
            if fits and lengths[index] >= 0.7 * longest - SAMPLE_RATE_HZ // 2:
                groups[-1].append(index)
                continue
        groups.append([index])
    return groups


class Recogniser:
    """Loads everything from one folder; safe to use from one thread at a time."""

    def __init__(self, folder: Path = HERE, threads: int = 1, weights: Weights | None = None) -> None:
        alphabet = json.loads((folder / "alphabet.json").read_text(encoding="utf8"))
        self._chars: str = alphabet["chars"]
        self._session = _session(folder / "recogniser.onnx", threads)
        self.trigram = load(folder / "language.npz")
        with np.load(folder / "language.npz") as file:
            starts = np.concatenate([[0], np.cumsum(file["reading_counts"].astype(np.int64))]).astype(
                np.int32
            )
            self.readings = Readings(
                starts,
                file["reading_chars"].astype(np.int32),
                (-file["reading_score"].astype(np.float32) / 16).astype(np.float32),
                file["group"].astype(np.int32),
            )
        self.weights = weights or Weights()

    def warm_up(self) -> None:
        """Compile and run everything once."""
        rng = np.random.default_rng(0)
        rows = [
            np.log(rng.dirichlet(np.full(size, 0.01), 12) + 1e-9).astype(np.float32)
            for size in (len(self._chars) + 1, len(self.readings.group))
        ]
        decode(rows[0], rows[1], self.readings, self.trigram, self.weights)
        self.recognise([np.zeros(4000, np.int16)])

    def log_probabilities(
        self, segments: Sequence[Pcm]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """[frames, classes] of characters and syllables a segment (80 ms a frame, class 0: blank)."""
        result: list[tuple[NDArray[np.float32], NDArray[np.float32]] | None] = [None] * len(segments)
        lengths = [max(len(segment), MIN_SAMPLES) for segment in segments]
        for group in buckets(lengths):
            width = max(lengths[index] for index in group) + PADDING_SAMPLES
            pcm = np.zeros((len(group), -(-width // MIN_SAMPLES) * MIN_SAMPLES), np.float32)
            for row, index in enumerate(group):
                pcm[row, : len(segments[index])] = segments[index]
            pcm *= np.float32(1 / 32768)
            counts = np.array([lengths[index] + PADDING_SAMPLES for index in group], np.int64)
            chars, syllables, frames = self._session.run(None, {"PCM": pcm, "LENGTHS": counts})
            for row, index in enumerate(group):
                result[index] = (chars[row, : frames[row]], syllables[row, : frames[row]])
        return [item for item in result if item is not None]

    def recognise(self, segments: Sequence[Pcm]) -> list[Units]:
        """What is said in each segment (int16, 8 kHz, at most 30 s); nothing said gives zero units."""
        answers = []
        for segment, (chars, syllables) in zip(segments, self.log_probabilities(segments), strict=True):
            heard = (
                decode(chars, syllables, self.readings, self.trigram, self.weights)
                if segment.any()
                else empty()
            )
            limit_ms = np.int32(max(1, round(len(segment) * 1000 / SAMPLE_RATE_HZ)))
            answers.append(
                Units(
                    tuple(self._chars[char - 1] for char in heard.chars),
                    np.minimum(heard.start_ms, limit_ms - 1),
                    np.minimum(heard.end_ms, limit_ms),
                    heard.confidence,
                )
            )
        return answers
