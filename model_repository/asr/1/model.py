"""Triton Python backend: speech recognition of segments, batched by length.

PCM INT16 [1, N] and SAMPLE_RATE INT32 [1, 1] to UNITS BYTES [1, n], START_MS and END_MS INT32 [1, n] and
CONFIDENCE FP32 [1, n]; n is 0 where nothing is said.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).resolve().parent))

from recogniser import BadAudio, Recogniser, Units, check


def _answer(units: Units) -> Any:
    """One response of the given units."""
    texts = np.array([char.encode() for char in units.characters], dtype=np.object_)
    tensors = {
        "UNITS": texts,
        "START_MS": units.start_ms,
        "END_MS": units.end_ms,
        "CONFIDENCE": units.confidence,
    }
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, values[None]) for name, values in tensors.items()]
    )


def _refuse(error: Exception) -> Any:
    return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


class TritonPythonModel:
    """One instance: one recogniser with one thread."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and compile."""
        self._recogniser = Recogniser()
        self._recogniser.warm_up()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch; a bad request gets its own error and leaves the others alone."""
        answers: list[Any] = [None] * len(requests)
        segments: dict[int, np.ndarray] = {}
        for index, request in enumerate(requests):
            pcm = pb_utils.get_input_tensor_by_name(request, "PCM").as_numpy().reshape(-1)
            rate = pb_utils.get_input_tensor_by_name(request, "SAMPLE_RATE").as_numpy().reshape(-1)
            try:
                check(len(pcm), int(rate[0]))
                segments[index] = pcm
            except BadAudio as error:
                answers[index] = _refuse(error)
        for index, units in zip(segments, self._recogniser.recognise(list(segments.values())), strict=True):
            answers[index] = _answer(units)
        return answers
