"""Audio to emotion scores: padding, level, one ONNX network. Knows nothing of Triton."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

SHORTEST = 256
"""Samples that the network needs; shorter audio is padded with silence that it does not look at."""
LONGEST_S = 120
PADDED_AT_ONCE = 2_000_000
"""Samples, padding included, that one run of the network takes: bounds memory (about 60 bytes each)."""

Pcm = NDArray[np.int16]
Scores = NDArray[np.float32]


class BadAudio(ValueError):
    """A request that cannot be scored; the message says why and what to send instead."""


class EmotionClassifier:
    """Scores segments. One thread, no state between calls; a segment's scores do not depend on its batch."""

    def __init__(self, folder: Path, *, rate_hz: int) -> None:
        """Load ``weights.onnx`` from a folder."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "weights.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.n_labels = int(self._session.get_outputs()[0].shape[1])
        self._rate_hz = rate_hz

    def check(self, pcm: Pcm, rate_hz: int) -> None:
        """Refuse what cannot be scored.

        Raises:
            BadAudio: another sample rate, no samples, or more than LONGEST_S seconds.
        """
        if rate_hz != self._rate_hz:
            raise BadAudio(f"SAMPLE_RATE is {rate_hz} Hz\nhelp: resample to {self._rate_hz} Hz")
        if not len(pcm):
            raise BadAudio("PCM has no samples\nhelp: send only segments that hold speech")
        if len(pcm) > LONGEST_S * self._rate_hz:
            raise BadAudio(
                f"PCM has {len(pcm) / self._rate_hz:.1f} s\n"
                f"help: cut speech into segments of at most {LONGEST_S} s"
            )

    def stretches(self, pcm: Pcm, ends: NDArray[np.int32], rate_hz: int) -> list[Pcm]:
        """The stretches that were joined into ``pcm``, the n-th ending before sample ``ends[n]``.

        Raises:
            BadAudio: the ends do not cut ``pcm``, or a stretch cannot be scored.
        """
        if not len(ends) or ends[-1] != len(pcm) or (np.diff(ends, prepend=0) < 0).any():
            shown = ", ".join(map(str, ends[:5]))
            raise BadAudio(
                f"ENDS ({shown}) does not cut PCM of {len(pcm)} samples\n"
                "help: give the sample behind each stretch, rising, the last one the length of PCM"
            )
        found = np.split(pcm, ends[:-1])
        for stretch in found:
            self.check(stretch, rate_hz)
        return found

    def scores(self, segments: Sequence[Pcm]) -> Scores:
        """Scores [B, K], adding up to 1, of int16 segments of any lengths."""
        answer = np.zeros((len(segments), self.n_labels), np.float32)
        for group in _groups([len(segment) for segment in segments]):
            answer[group] = self._run([segments[place] for place in group])
        return answer

    def _run(self, segments: Sequence[Pcm]) -> Scores:
        lengths = np.array([len(segment) for segment in segments], np.int64)
        padded = np.zeros((len(segments), max(SHORTEST, int(lengths.max()))), np.float32)
        for row, segment in zip(padded, segments, strict=True):
            row[: len(segment)] = segment
        padded /= 32768.0
        scores: Scores = self._session.run(["SCORES"], {"PCM": padded, "LENGTHS": lengths})[0]
        return scores


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Places of segments of like length, shortest first: at most twice as long, PADDED_AT_ONCE in all."""
    groups: list[list[int]] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        longest = max(SHORTEST, lengths[place])
        fits = groups and (len(groups[-1]) + 1) * longest <= PADDED_AT_ONCE
        if fits and longest <= 2 * max(SHORTEST, lengths[groups[-1][0]]):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
