"""Triton's door to the tag classifier: requests in, one answer or one error each out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from classifier import Answer, BadText, TagClassifier

INPUTS = ("TEXT", "ROLE", "PREVIOUS_TEXT")


class TritonPythonModel:
    """Called by Triton; one instance, one thread."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the classifier and hold its labels against the config's."""
        self._classifier = TagClassifier(Path(args["model_repository"]) / args["model_version"])
        parameters = json.loads(args["model_config"])["parameters"]
        labels = parameters["labels"]["string_value"].split(",")
        if len(labels) != self._classifier.n_labels:
            raise pb_utils.TritonModelException(
                f"semantic_tags: config.pbtxt has {len(labels)} labels, "
                f"the weights {self._classifier.n_labels}\n"
                "help: take config.pbtxt and the weights from the same training run"
            )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Score all turns of the batch at once; a bad request gets its own error, the others scores."""
        texts: tuple[list[str], list[str], list[str]] = ([], [], [])
        answers: list[Any] = []
        for request in requests:
            try:
                rows = self._read(request)
            except BadText as error:
                answers.append(_refusal(error))
                continue
            answers.append(slice(len(texts[0]), len(texts[0]) + len(rows[0])))
            for column, values in zip(texts, rows, strict=True):
                column += values
        found = self._classifier.answer(*texts)
        return [
            _answer(Answer(*(part[rows] for part in found))) if isinstance(rows, slice) else rows
            for rows in answers
        ]

    def _read(self, request: Any) -> list[list[str]]:
        columns = []
        for name in INPUTS:
            values = pb_utils.get_input_tensor_by_name(request, name).as_numpy().ravel()
            columns.append([_decode(name, value) for value in values])
        for text, role in zip(columns[0], columns[1], strict=True):
            self._classifier.check(text, role)
        return columns


def _decode(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadText(f"{name} is not UTF-8 at byte {error.start}\nhelp: encode the text as UTF-8") from error


def _answer(found: Answer) -> Any:
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("SCORES", np.ascontiguousarray(found.scores)),
            pb_utils.Tensor("VECTOR", np.ascontiguousarray(found.vectors)),
        ]
    )


def _refusal(error: Exception) -> Any:
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(f"semantic_tags: {error}", pb_utils.TritonError.INVALID_ARG)
    )
