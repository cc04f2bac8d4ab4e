"""Triton Python backend: speech recognition of segments, batched by length.

PCM INT16 [1, N] and SAMPLE_RATE INT32 [1, 1] to UNITS BYTES [1, n], START_MS and END_MS INT32 [1, n] and
CONFIDENCE FP32 [1, n]; n is 0 where nothing is said.

Optional: CONTEXT_WORDS BYTES [1, w] and CONTEXT_WEIGHTS FP32 [1, w] make names and products likelier. WINDOW
INT32 [1, 2] and STATE UINT8 [1, b] ask for a piece of a segment that is still being spoken; the answer's
STATE goes with the next piece.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

from context_words import BadContext, Context
from ctc_lattice import BadState
from recogniser import BadAudio, Recogniser, Units, Window, check, check_window

Array = NDArray[Any]
NOTHING: Array = np.zeros(0, np.uint8)


def _answer(units: Units, state: Array) -> Any:
    """One response of the given units."""
    texts = np.array([char.encode() for char in units.characters], dtype=np.object_)
    tensors = {
        "UNITS": texts,
        "START_MS": units.start_ms,
        "END_MS": units.end_ms,
        "CONFIDENCE": units.confidence,
        "STATE": state,
    }
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, values[None]) for name, values in tensors.items()]
    )


def _refuse(error: Exception) -> Any:
    return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


def _read(request: Any, name: str) -> Array:
    """An input without its batch axis; an optional one that was left out is empty."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return NOTHING if tensor is None else tensor.as_numpy().reshape(-1)


class TritonPythonModel:
    """One instance: one recogniser with one thread."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and compile."""
        self._recogniser = Recogniser()
        self._recogniser.warm_up()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch; a bad request gets its own error and leaves the others alone."""
        answers: list[Any] = [None] * len(requests)
        whole: dict[int, tuple[Array, Context]] = {}
        pieces: dict[int, tuple[Array, Window, Context]] = {}
        for index, request in enumerate(requests):
            try:
                pcm, context = _read(request, "PCM"), self._context(request)
                check(len(pcm), int(_read(request, "SAMPLE_RATE")[0]))
                window = self._window(request, len(pcm))
            except (BadAudio, BadContext, BadState) as error:
                answers[index] = _refuse(error)
                continue
            if window is None:
                whole[index] = pcm, context
            else:
                pieces[index] = pcm, window, context
        if whole:
            segments, contexts = zip(*whole.values(), strict=True)
            for index, units in zip(whole, self._recogniser.recognise(segments, contexts), strict=True):
                answers[index] = _answer(units, NOTHING)
        if pieces:
            heard = self._recogniser.listen(*zip(*pieces.values(), strict=True))
            for index, (units, state) in zip(pieces, heard, strict=True):
                answers[index] = _answer(units, state)
        return answers

    def _context(self, request: Any) -> Context:
        words, weights = _read(request, "CONTEXT_WORDS"), _read(request, "CONTEXT_WEIGHTS")
        return self._recogniser.context(
            tuple(word.decode("utf8", "replace") for word in words), tuple(weights.tolist())
        )

    def _window(self, request: Any, samples: int) -> Window | None:
        window = _read(request, "WINDOW")
        if not len(window):
            return None
        first, end = window.tolist()
        lattice = self._recogniser.lattice(_read(request, "STATE"))
        check_window(first, end, samples, lattice)
        return Window(first, end, lattice)
