"""The contract of the three models: how a request is made, an answer read, a config understood.

Knows nothing of processes or repair. A broken contract is a Fault (WRONG) in an answer, a BadModel in a
config.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.adapters.triton_client import Config
from server.adapters.triton_tensors import Fault, FaultKind, Outputs, Request, Tensor
from server.errors import BadModel
from server.pipeline.models import ModelInfo, Pcm, Units
from server.pipeline.windows import Window

ASR, EMOTION, TAGS = "asr", "emotion", "semantic_tags"
INPUTS: Mapping[str, Mapping[str, str]] = {
    ASR: {"PCM": "INT16", "SAMPLE_RATE": "INT32"},
    EMOTION: {"PCM": "INT16", "ENDS": "INT32", "SAMPLE_RATE": "INT32"},
    TAGS: {"TEXT": "BYTES", "ROLE": "BYTES", "PREVIOUS_TEXT": "BYTES"},
}
OUTPUTS: Mapping[str, Mapping[str, str]] = {
    ASR: {"UNITS": "BYTES", "START_MS": "INT32", "END_MS": "INT32", "CONFIDENCE": "FP32"},
    EMOTION: {"SCORES": "FP32"},
    TAGS: {"SCORES": "FP32"},
}
"""Model → tensor → datatype; docs/triton.md has the shapes."""
OFFERS: Mapping[str, Mapping[str, str]] = {
    EMOTION: {"SPEAKER": "INT32", "TEXT": "BYTES", "AROUSAL": "FP32", "WORDS": "FP32"},
}
"""What a model may take and give beyond that; used where its config has it."""
AROUSAL_COLUMNS = 5
SCORE_SLACK = 1e-3
"""How far rounding may carry a score out of 0..1."""
TIME_SLACK_MS = 200
"""How far a unit's end may lie behind the segment's: one frame of a coarse model."""

Scores = NDArray[np.float32]


def segment_request(pcm: Pcm, sample_rate_hz: int, more: tuple[Tensor, ...] = ()) -> Request:
    """A request for the words of one segment; ``pcm`` is [samples], not empty; ``more``: optional inputs."""
    return Request(ASR, (*_audio(pcm, sample_rate_hz), *more))


def window_request(
    window: Window, state: bytes, sample_rate_hz: int, more: tuple[Tensor, ...] = ()
) -> Request:
    """A request for the next frames of a segment that is still being spoken; ``state`` of the last answer."""
    frames = Tensor("WINDOW", "INT32", (1, 2), np.array([[window.first, window.end]], np.int32))
    carried = Tensor("STATE", "UINT8", (1, len(state)), np.frombuffer(state, np.uint8))
    inputs = (*_audio(window.pcm, sample_rate_hz), frames, *((carried,) if state else ()), *more)
    return Request(ASR, inputs)


def stretches_request(
    stretches: Sequence[Pcm], sample_rate_hz: int, more: tuple[Tensor, ...] = ()
) -> Request:
    """A request for the emotion of some stretches of a call, none empty: their sound joined, and its ends."""
    ends = np.cumsum([len(pcm) for pcm in stretches], dtype=np.int32)
    audio = _audio(np.concatenate(stretches), sample_rate_hz)
    return Request(EMOTION, (*audio, Tensor("ENDS", "INT32", (1, len(ends)), ends), *more))


def turn_words(texts: Sequence[str]) -> Tensor:
    """What is said in turns, for the emotion model: TEXT."""
    return Tensor("TEXT", "BYTES", (1, len(texts)), tuple(texts))


def turn_speakers(speakers: Sequence[int]) -> Tensor:
    """Who speaks in turns, for the emotion model: SPEAKER."""
    return Tensor("SPEAKER", "INT32", (1, len(speakers)), np.array([speakers], np.int32))


def _audio(pcm: Pcm, sample_rate_hz: int) -> tuple[Tensor, Tensor]:
    rate = np.array([[sample_rate_hz]], np.int32)
    audio = Tensor("PCM", "INT16", (1, len(pcm)), np.asarray(pcm, np.int16))
    return audio, Tensor("SAMPLE_RATE", "INT32", (1, 1), rate)


def turns_request(texts: Sequence[str], roles: Sequence[str], previous: Sequence[str]) -> Request:
    """A request for the tags of some turns of a call: one row each, all columns of one length."""
    columns = {"TEXT": texts, "ROLE": roles, "PREVIOUS_TEXT": previous}
    shape = (len(texts), 1)
    return Request(TAGS, tuple(Tensor(name, "BYTES", shape, tuple(c)) for name, c in columns.items()))


def read_units(outputs: Outputs, duration_ms: int) -> Units:
    """What the recogniser heard in a segment of ``duration_ms``; no unit at all is a valid answer.

    Raises:
        Fault: WRONG, with the value that breaks the contract.
    """
    outputs = _checked_outputs(ASR, outputs)
    shape = outputs["UNITS"].shape
    if len(shape) != 2 or shape[0] != 1 or any(tensor.shape != shape for tensor in outputs.values()):
        raise _wrong(f"shapes { {name: list(t.shape) for name, t in outputs.items()} }, expected all [1, n]")
    start, end, confidence = (
        np.asarray(outputs[name].data)[0] for name in ("START_MS", "END_MS", "CONFIDENCE")
    )
    characters = tuple(str(word) for word in outputs["UNITS"].data)
    if not all(characters):
        raise _wrong("an empty unit in UNITS")
    if np.any(start < 0) or np.any(end < start) or np.any(np.diff(start) < 0):
        raise _wrong("times that do not run forward in START_MS and END_MS")
    if len(end) and int(end.max()) > duration_ms + TIME_SLACK_MS:
        raise _wrong(f"END_MS {int(end.max())} behind the segment's end at {duration_ms} ms")
    return Units(characters, start.astype(np.int64), end.astype(np.int64), _checked_scores(confidence))


def read_window(outputs: Outputs, duration_ms: int) -> tuple[Units, bytes]:
    """Units of a segment so far, and the state to ask its next window with; Fault (WRONG) as `read_units`."""
    state = outputs.get("STATE")
    if state is None or state.datatype != "UINT8":
        raise _wrong("no STATE of UINT8 to a WINDOW")
    return read_units(outputs, duration_ms), np.asarray(state.data, np.uint8).tobytes()


def read_scores(model: str, rows: int, labels: int) -> Callable[[Outputs], Scores]:
    """A reader of answers with one score per label: outputs → [rows, labels] in 0..1, or Fault (WRONG)."""
    expected = (rows, labels) if model == TAGS else (1, rows, labels)

    def read(outputs: Outputs) -> Scores:
        tensor = _checked_outputs(model, outputs)["SCORES"]
        if tensor.shape != expected:
            raise _wrong(f"SCORES of shape {list(tensor.shape)}, expected {list(expected)}")
        return _checked_scores(np.asarray(tensor.data).reshape(rows, labels))

    return read


def read_feelings(
    rows: int, labels: int, parts: Collection[str]
) -> Callable[[Outputs], Mapping[str, Scores]]:
    """A reader of the emotion model's ``parts`` (SCORES, WORDS, AROUSAL): outputs → [rows, …] each, or
    Fault."""

    def read(outputs: Outputs) -> Mapping[str, Scores]:
        found = {}
        for part in parts:
            tensor, width = outputs.get(part), AROUSAL_COLUMNS if part == "AROUSAL" else labels
            if tensor is None or tensor.datatype != "FP32" or tensor.shape != (1, rows, width):
                shown = f"{tensor.datatype} {list(tensor.shape)}" if tensor else "nothing"
                raise _wrong(f"{part} of {shown}, expected FP32 {[1, rows, width]}")
            values = np.asarray(tensor.data, np.float32).reshape(rows, width)
            found[part] = _finite(values) if part == "AROUSAL" else _checked_scores(values)
        return found

    return read


def model_info(model: str, config: Config, version: str) -> ModelInfo:
    """Labels, parameters and version of a model whose config keeps the contract.

    Raises:
        BadModel: a tensor or parameter is missing or has the wrong datatype; the message lists them all.
    """
    wrong = [
        *_differences("input", INPUTS[model], config.inputs),
        *_differences("output", OUTPUTS[model], config.outputs),
    ]
    labels = tuple(label.strip() for label in config.parameters.get("labels", "").split(",") if label.strip())
    if model == ASR and not config.parameters.get("sample_rate_hz", "").isdecimal():
        wrong.append("parameter sample_rate_hz is missing or not a number")
    if model != ASR and not labels:
        wrong.append("parameter labels is missing or empty")
    if len(set(labels)) != len(labels):
        wrong.append("parameter labels names a label twice")
    if wrong:
        raise BadModel(
            f"the model {model!r} breaks its contract: {'; '.join(wrong)}",
            help=f"mend {model}/config.pbtxt in the model repository; the contract is in docs/triton.md",
        )
    declared = {**config.inputs, **config.outputs}
    offers = frozenset(name for name, kind in OFFERS.get(model, {}).items() if declared.get(name) == kind)
    return ModelInfo(model, version, labels, dict(config.parameters), offers)


def folder_digest(folder: Path) -> str:
    """Version of a model folder: 12 hex digits of a SHA-256 over its files, prose and caches apart."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix != ".md" and "__pycache__" not in path.parts:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:12]


def _checked_outputs(model: str, outputs: Outputs) -> Outputs:
    found = {name: tensor.datatype for name, tensor in outputs.items()}
    wrong = _differences("output", OUTPUTS[model], found)
    if wrong:
        raise _wrong("; ".join(wrong))
    return {name: outputs[name] for name in OUTPUTS[model]}


def _differences(kind: str, expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [
        f"{kind} {name} is {found.get(name, 'missing')}, expected {datatype}"
        for name, datatype in expected.items()
        if found.get(name) != datatype
    ]


def _checked_scores(scores: NDArray[np.generic]) -> Scores:
    values = scores.astype(np.float32)
    if not np.all((values >= -SCORE_SLACK) & (values <= 1 + SCORE_SLACK)):
        raise _wrong("scores outside 0..1 or not a number")
    return values.clip(0.0, 1.0)


def _finite(values: Scores) -> Scores:
    if not np.isfinite(values).all():
        raise _wrong("AROUSAL that is not a number")
    return values


def _wrong(what: str) -> Fault:
    return Fault(FaultKind.WRONG, f"it answers with {what}")
