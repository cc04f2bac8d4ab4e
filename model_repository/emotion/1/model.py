"""Triton's door to the emotion classifier: requests in, one answer or one error each out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from classifier import BadAudio, EmotionClassifier


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
        """Score all segments of the batch at once; a bad request gets its own error, the others scores."""
        segments: list[np.ndarray] = []  # type: ignore[type-arg]
        answers: list[Any] = []
        for request in requests:
            try:
                rows = self._read(request)
            except BadAudio as error:
                answers.append(_refusal(error))
                continue
            answers.append(slice(len(segments), len(segments) + len(rows)))
            segments += rows
        scores = self._classifier.scores(segments)
        return [_answer(scores[rows]) if isinstance(rows, slice) else rows for rows in answers]

    def _read(self, request: Any) -> list[np.ndarray]:  # type: ignore[type-arg]
        pcm, ends, rate = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy().ravel()
            for name in ("PCM", "ENDS", "SAMPLE_RATE")
        )
        return self._classifier.stretches(pcm, ends, int(rate[0]))


def _answer(scores: np.ndarray) -> Any:  # type: ignore[type-arg]
    return pb_utils.InferenceResponse([pb_utils.Tensor("SCORES", np.ascontiguousarray(scores[None]))])


def _refusal(error: Exception) -> Any:
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(f"emotion: {error}", pb_utils.TritonError.INVALID_ARG)
    )
