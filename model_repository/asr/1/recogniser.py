"""The recogniser without Triton: int16 PCM at 8 kHz in, characters with times and confidences out."""

from __future__ import annotations

import functools
import json
import lzma
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from char_trigram import load  # noqa: E402
from context_words import Context, build, check_words, none  # noqa: E402
from ctc_decoder import Weights, best, decode, empty  # noqa: E402
from ctc_lattice import BadState, Lattice, extend, pack, unpack  # noqa: E402
from ctc_segments import Readings  # noqa: E402

SAMPLE_RATE_HZ = 8000
MAX_SECONDS = 30
MIN_SAMPLES = 640
PADDING_SAMPLES = 1600
MOST_SAMPLES_AT_ONCE = 32 * 20 * SAMPLE_RATE_HZ // 4
CONTEXTS_KEPT = 32
CHUNK_FRAMES, LEFT_FRAMES, RIGHT_FRAMES, FRAME_SAMPLES = 12, 36, 2, 640
Pcm = NDArray[np.int16]
LogProbabilities = tuple[NDArray[np.float32], NDArray[np.float32]]


class Units(NamedTuple):
    """What was heard: characters, start and end in ms from the first sample [n], confidence 0..1 [n]."""

    characters: tuple[str, ...]
    start_ms: NDArray[np.int32]
    end_ms: NDArray[np.int32]
    confidence: NDArray[np.float32]


class Window(NamedTuple):
    """A piece of a segment that is still being spoken: it starts on a chunk's edge.

    Frames [first, end) of it are new; `end` -1: all to the end, for nothing follows. `lattice`: before them.
    """

    first: int
    end: int
    lattice: Lattice


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


def check_window(first: int, end: int, samples: int, lattice: Lattice) -> None:
    """Raise BadState where a window's frames are not the next ones, or not wholly heard.

    A window starts on a chunk's edge, at most LEFT_FRAMES before its new frames (or at the segment's start),
    and ends RIGHT_FRAMES after them (or at the segment's end).
    """
    start = lattice.frames - first
    wanted = min(lattice.frames, LEFT_FRAMES)
    if first < 0 or start < 0 or start % CHUNK_FRAMES or lattice.frames % CHUNK_FRAMES or first < wanted:
        raise BadState(
            f"WINDOW says {first} frames of PCM were heard before, the state is at frame {lattice.frames}. "
            f"help: start windows on multiples of {CHUNK_FRAMES} frames, {LEFT_FRAMES} before the new ones"
        )
    whole_chunks = end > first and (end - first) % CHUNK_FRAMES == 0
    if end != -1 and (not whole_chunks or (end + RIGHT_FRAMES) * FRAME_SAMPLES > samples):
        raise BadState(
            f"WINDOW ends with frame {end} of {samples / FRAME_SAMPLES:.2f} in PCM. help: end on a whole "
            f"chunk of {CHUNK_FRAMES} frames and send {RIGHT_FRAMES} more, or send -1 at the segment's end"
        )


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Weights are dequantised once at start; no spinning threads, no growing arena."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    network = lzma.decompress(path.read_bytes())
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


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
        self._session = _session(folder / "recogniser.onnx.xz", threads)
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
        self.no_context = none(len(self._chars))
        ids = {char: number for number, char in enumerate(self._chars, 1)}
        self._build = functools.lru_cache(CONTEXTS_KEPT)(
            lambda words, values: build(words, values, ids, len(self._chars))
        )

    def warm_up(self) -> None:
        """Compile and run everything once."""
        rng = np.random.default_rng(0)
        rows = [
            np.log(rng.dirichlet(np.full(size, 0.01), 12) + 1e-9).astype(np.float32)
            for size in (len(self._chars) + 1, len(self.readings.group))
        ]
        decode(rows[0], rows[1], self.readings, self.trigram, self.no_context, self.weights)
        self.recognise([np.zeros(4000, np.int16)])

    def context(self, words: tuple[str, ...], weights: tuple[float, ...] = ()) -> Context:
        """The automaton of some context words (weights: 1 each), kept for the next request.

        Raises:
            BadContext: too many words, or one too long or with a weight out of range.
        """
        if not words:
            return self.no_context
        check_words(words, weights or (1.0,) * len(words))
        return self._build(words, weights or (1.0,) * len(words))

    def log_probabilities(
        self, segments: Sequence[Pcm], padding: Sequence[int] | None = None
    ) -> list[LogProbabilities]:
        """[frames, classes] of characters and syllables a segment (80 ms a frame, class 0: blank).

        `padding`: samples of silence put behind each, 0.2 s unless given.
        """
        behind = padding or [PADDING_SAMPLES] * len(segments)
        result: list[LogProbabilities | None] = [None] * len(segments)
        lengths = [
            max(len(segment), MIN_SAMPLES) + more for segment, more in zip(segments, behind, strict=True)
        ]
        for group in buckets(lengths):
            width = max(lengths[index] for index in group)
            pcm = np.zeros((len(group), -(-width // MIN_SAMPLES) * MIN_SAMPLES), np.float32)
            for row, index in enumerate(group):
                pcm[row, : len(segments[index])] = segments[index]
            pcm *= np.float32(1 / 32768)
            counts = np.array([lengths[index] for index in group], np.int64)
            chars, syllables, frames = self._session.run(None, {"PCM": pcm, "LENGTHS": counts})
            for row, index in enumerate(group):
                result[index] = (chars[row, : frames[row]], syllables[row, : frames[row]])
        return [item for item in result if item is not None]

    def recognise(self, segments: Sequence[Pcm], contexts: Sequence[Context] | None = None) -> list[Units]:
        """What is said in each segment (int16, 8 kHz, at most 30 s); nothing said gives zero units."""
        answers = []
        chosen = contexts or [self.no_context] * len(segments)
        rows = self.log_probabilities(segments)
        for segment, (chars, syllables), context in zip(segments, rows, chosen, strict=True):
            heard = (
                decode(chars, syllables, self.readings, self.trigram, context, self.weights)
                if segment.any()
                else empty()
            )
            answers.append(self._units(heard, len(segment)))
        return answers

    def listen(
        self, pieces: Sequence[Pcm], windows: Sequence[Window], contexts: Sequence[Context]
    ) -> list[tuple[Units, NDArray[np.uint8]]]:
        """What is said in each stream up to the end of its new frames, and its state for the next window.

        After the last window the units are those of the whole segment asked at once.
        """
        padding = [PADDING_SAMPLES if window.end < 0 else 0 for window in windows]
        answers = []
        for pcm, window, context, (chars, syllables) in zip(
            pieces, windows, contexts, self.log_probabilities(pieces, padding), strict=True
        ):
            last = window.end < 0
            new = slice(window.first, None if last else window.end)
            known = self.readings, self.trigram, context, self.weights
            lattice = extend(window.lattice, chars[new], syllables[new], *known, last=last)
            heard = best(lattice, self.trigram, context, self.weights)
            before = (window.lattice.frames - window.first) * FRAME_SAMPLES
            answers.append((self._units(heard, before + len(pcm)), pack(lattice)))
        return answers

    def lattice(self, state: NDArray[np.uint8]) -> Lattice:
        """The state of an earlier window; no bytes: none came before. Raises BadState."""
        return unpack(state, len(self._chars), len(self.readings.group) - 1)

    def _units(self, heard: Any, samples: int) -> Units:
        """Characters by name, times inside the segment."""
        limit_ms = np.int32(max(1, round(samples * 1000 / SAMPLE_RATE_HZ)))
        return Units(
            tuple(self._chars[char - 1] for char in heard.chars),
            np.minimum(heard.start_ms, limit_ms - 1),
            np.minimum(heard.end_ms, limit_ms),
            heard.confidence,
        )
