"""What Triton calls: requests in, one answer or one error each out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from model_runtime.audio import BadInput, Pcm
from model_runtime.classifiers import SoundClassifier, TextClassifier
from model_runtime.recogniser import Recogniser
from model_runtime.words import Units

HEADS = ("LANGUAGE", "EMOTION", "EVENT")


def _folder(args: dict[str, str]) -> Path:
    return Path(args["model_repository"]) / args["model_version"]


def _parameter(args: dict[str, str], name: str) -> str:
    return str(json.loads(args["model_config"])["parameters"][name]["string_value"])


def _refusal(error: Exception) -> Any:
    return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))


def _sound(request: Any) -> tuple[Pcm, int]:
    pcm = pb_utils.get_input_tensor_by_name(request, "PCM").as_numpy().reshape(-1)
    rate = pb_utils.get_input_tensor_by_name(request, "SAMPLE_RATE").as_numpy().reshape(-1)
    return pcm, int(rate[0])


def _bytes(words: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array([word.encode() for word in words], dtype=np.object_)[None]


class RecogniserDoor:
    """PCM and SAMPLE_RATE to UNITS, START_MS, END_MS, CONFIDENCE, and the heads a model has."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the network."""
        self._recogniser = Recogniser(_folder(args))
        how = self._recogniser.spec.reading
        self._heads = how.heads[: len(HEADS)] if how is not None else ()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch; a bad request gets its own error and leaves the others alone."""
        answers: list[Any] = [None] * len(requests)
        good: dict[int, tuple[Pcm, int]] = {}
        for place, request in enumerate(requests):
            pcm, rate_hz = _sound(request)
            try:
                self._recogniser.check(len(pcm), rate_hz)
                good[place] = pcm, rate_hz
            except BadInput as error:
                answers[place] = _refusal(error)
        heard = self._recogniser.recognise([pcm for pcm, _ in good.values()], [r for _, r in good.values()])
        for place, units in zip(good, heard, strict=True):
            answers[place] = self._answer(units)
        return answers

    def _answer(self, units: Units) -> Any:
        tensors = {
            "UNITS": _bytes(units.characters),
            "START_MS": units.start_ms[None],
            "END_MS": units.end_ms[None],
            "CONFIDENCE": units.confidence[None],
        }
        told = units.heads or ("",) * len(self._heads)
        tensors |= {name: _bytes([word]) for name, word in zip(self._heads, told, strict=False)}
        return pb_utils.InferenceResponse([pb_utils.Tensor(*tensor) for tensor in tensors.items()])


class SoundDoor:
    """PCM of some stretches, their ENDS and SAMPLE_RATE to SCORES [1, stretches, labels]."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the network."""
        self._classifier = SoundClassifier(_folder(args))
        _check_labels(args, self._classifier.n_labels)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Score all stretches of the batch; a bad request gets its own error, the others scores."""
        answers: list[Any] = [None] * len(requests)
        for place, request in enumerate(requests):
            pcm, rate_hz = _sound(request)
            ends = pb_utils.get_input_tensor_by_name(request, "ENDS").as_numpy().reshape(-1)
            try:
                scores = self._classifier.scores(self._classifier.cut(pcm, ends, rate_hz), rate_hz)
                answers[place] = pb_utils.InferenceResponse([pb_utils.Tensor("SCORES", scores[None])])
            except BadInput as error:
                answers[place] = _refusal(error)
        return answers


class TextDoor:
    """TEXT, ROLE and PREVIOUS_TEXT of some turns to SCORES [turns, labels]."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load network and tokenizer."""
        self._classifier = TextClassifier(_folder(args))
        _check_labels(args, self._classifier.n_labels)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Score all turns of the batch; a bad request gets its own error, the others scores."""
        answers: list[Any] = [None] * len(requests)
        for place, request in enumerate(requests):
            try:
                texts, _, before = (_words(request, name) for name in ("TEXT", "ROLE", "PREVIOUS_TEXT"))
                scores = self._classifier.scores(texts, before)
                answers[place] = pb_utils.InferenceResponse([pb_utils.Tensor("SCORES", scores)])
            except BadInput as error:
                answers[place] = _refusal(error)
        return answers


def _words(request: Any, name: str) -> list[str]:
    values = pb_utils.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)
    try:
        return [value.decode("utf-8") for value in values]
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8 at byte {error.start}\nhelp: encode the text as UTF-8") from None


def _check_labels(args: dict[str, str], found: int) -> None:
    labels = _parameter(args, "labels").split(",")
    if len(labels) != found:
        raise pb_utils.TritonModelException(
            f"config.pbtxt has {len(labels)} labels, the network {found}\nhelp: import the model again"
        )
