"""One ONNX network and its batches: an answer does not depend on what it travelled with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_runtime.logmel import Frames
from model_runtime.spec import Network

Scores = NDArray[np.float32]

MOST_FRAMES_AT_ONCE = 24_000
"""Frames, padding included, that one run takes."""
_SHORTEST_SHARE = 0.7
"""A segment joins a group when it is at least so long as the group's longest, to keep padding small."""


def session(path: Path) -> onnxruntime.InferenceSession:
    """A network on one thread, whose threads do not spin and whose memory does not grow."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def groups(lengths: Sequence[int], most: int = MOST_FRAMES_AT_ONCE) -> list[list[int]]:
    """Places of segments of like length, longest first."""
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        longest = lengths[found[-1][0]] if found else 0
        fits = found and (len(found[-1]) + 1) * longest <= most
        if fits and lengths[place] >= _SHORTEST_SHARE * longest:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _tail(weights: Scores, frames: int, width: int) -> Scores:
    """A row's weights without its padding: some for each frame, and one more behind them."""
    return weights[: len(weights) // width * frames + 1]


class Answer:
    """Scores [steps, tokens] of one segment, and the weights of its frames if the network tells them."""

    def __init__(self, scores: Scores, weights: Scores | None) -> None:
        self.scores = scores
        self.weights = weights


class Encoder:
    """Runs ``model.onnx`` on frames as the spec says."""

    def __init__(self, spec: Network, path: Path) -> None:
        self._spec = spec
        self._session = session(path)
        self._types = {node.name: node.type for node in self._session.get_inputs()}

    def __call__(self, segments: Sequence[Frames]) -> list[Answer]:
        """One answer for each segment of frames [T, bins]."""
        answers: dict[int, Answer] = {}
        lengths = [len(frames) for frames in segments]
        together = groups(lengths) if self._spec.padded_batch else [[place] for place in range(len(lengths))]
        for places in together:
            answers |= zip(places, self.run([segments[place] for place in places]), strict=True)
        return [answers[place] for place in range(len(segments))]

    def run(self, segments: Sequence[Frames]) -> list[Answer]:
        """All segments in one padded batch, whatever the spec says of it."""
        spec = self._spec
        lengths = np.array([len(frames) for frames in segments], np.int64)
        width = segments[0].shape[1]
        batch = np.full((len(segments), int(lengths.max()), width), spec.padding, np.float32)
        for row, frames in zip(batch, segments, strict=True):
            row[: len(frames)] = frames
        feed = {
            spec.features: batch.transpose(0, 2, 1) if spec.bins_first else batch,
            spec.lengths: self._integers(spec.lengths, lengths),
        }
        for name, value in spec.constants.items():
            feed[name] = self._integers(name, np.full(len(segments), value))
        wanted = [name for name in (spec.scores, spec.lengths_out, spec.weights) if name]
        found = dict(zip(wanted, self._session.run(wanted, feed), strict=True))
        steps = found.get(spec.lengths_out)
        counts = lengths // spec.length_divisor + spec.length_extra if steps is None else steps.reshape(-1)
        weights = found.get(spec.weights)
        return [
            Answer(
                scores[: int(count)], None if weights is None else _tail(weights[row], length, batch.shape[1])
            )
            for row, (scores, count, length) in enumerate(
                zip(found[spec.scores], counts, lengths.tolist(), strict=True)
            )
        ]

    def _integers(self, name: str, values: NDArray[np.int64]) -> NDArray[np.generic]:
        return values.astype(np.int32 if self._types[name] == "tensor(int32)" else np.int64)
