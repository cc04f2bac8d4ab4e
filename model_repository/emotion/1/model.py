"""Triton's door to the emotion classifier: requests in, one answer or one error each out.

PCM INT16 [1, N], ENDS INT32 [1, k] and SAMPLE_RATE INT32 [1, 1] are k stretches of sound, answered by SCORES
FP32
[1, k, K] and AROUSAL FP32 [1, k, F]; SPEAKER INT32 [1, k] says which are of one speaker. TEXT BYTES [1, k]
is what is said, answered by WORDS FP32 [1, k, K]. A request has sound, words or both.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from classifier import BadInput, EmotionClassifier

Arrays = dict[str, np.ndarray]  # type: ignore[type-arg]


class TritonPythonModel:
    """Called by Triton; one instance, one thread."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the classifier and hold its labels and rate against the config's."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._classifier = EmotionClassifier(
            Path(args["model_repository"]) / args["model_version"],
            rate_hz=int(parameters["sample_rate_hz"]["string_value"]),
        )
        labels = parameters["labels"]["string_value"].split(",")
        if len(labels) != self._classifier.n_labels:
            raise pb_utils.TritonModelException(
                f"emotion: config.pbtxt has {len(labels)} labels, the weights {self._classifier.n_labels}\n"
                "help: take config.pbtxt and the weights from the same training run"
            )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch; a bad request gets its own error and leaves the others alone."""
        answers = []
        for request in requests:
            try:
                answers.append(_answer(self._answered(request)))
            except BadInput as error:
                answers.append(_refusal(error))
        return answers

    def _answered(self, request: Any) -> Arrays:
        pcm, text = _read(request, "PCM"), _read(request, "TEXT")
        if pcm is None and text is None:
            raise BadInput("neither PCM nor TEXT\nhelp: send sound, words or both")
        found: Arrays = {}
        if pcm is not None:
            ends, rate, speaker = (_read(request, name) for name in ("ENDS", "SAMPLE_RATE", "SPEAKER"))
            if ends is None or rate is None:
                raise BadInput("PCM without ENDS or SAMPLE_RATE\nhelp: send the three together")
            heard = self._classifier.hear(self._classifier.stretches(pcm, ends, int(rate[0])), speaker)
            found |= {"SCORES": heard.scores, "AROUSAL": heard.arousal}
        if text is not None:
            found["WORDS"] = self._classifier.read([_decode(value) for value in text])
        return found


def _read(request: Any, name: str) -> Any:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy().ravel()


def _decode(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"TEXT is not UTF-8 at byte {error.start}\nhelp: encode the text as UTF-8") from error


def _answer(found: Arrays) -> Any:
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, np.ascontiguousarray(rows[None])) for name, rows in found.items()]
    )


def _refusal(error: Exception) -> Any:
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(f"emotion: {error}", pb_utils.TritonError.INVALID_ARG)
    )
