"""Writes a model folder: the importer's files, the runtime, config, canary and card; then measures it."""

import base64
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import model_runtime
from model_runtime.audio import Pcm, resample
from model_runtime.classifiers import SoundClassifier, TextClassifier, WaveNetwork
from model_runtime.recogniser import FrameReader, Recogniser, prepared
from server.importers.draft import ASR, EMOTION, Draft, Wishes

CANARY_SOUND = Path(__file__).parent / "canary.npy"
"""A synthesized sentence (您好请问是王先生吗), int16 at CANARY_HZ."""
CANARY_HZ = 8_000
CANARY_TEXT, CANARY_BEFORE = "对我是本人你说", "喂您好请问是王先生本人吗"
SCORE_TOLERANCE, CONFIDENCE_TOLERANCE, TIME_TOLERANCE_MS = 0.02, 0.05, 40.0
SAME = 2e-3
"""Largest difference of probabilities between a padded batch and alone that counts as the same answer."""

_DOORS = {ASR: "RecogniserDoor", EMOTION: "SoundDoor"}
_MODEL_PY = '''"""Triton's door to an imported model; the code is in model_runtime beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from model_runtime.doors import {door} as TritonPythonModel

__all__ = ["TritonPythonModel"]
'''

Array = NDArray[Any]
Build = Callable[[Path, Path, Wishes], Draft]


@dataclass(frozen=True)
class Imported:
    """A finished folder, not yet proved in Triton."""

    folder: Path
    draft: Draft
    sample_rate_hz: int
    heard: str
    """What the model answers to the canary question."""


def write(build: Build, source: Path, folder: Path, wishes: Wishes, sample_rate_hz: int) -> Imported:
    """Import ``source`` into the new folder ``folder``; ``sample_rate_hz`` 0 takes the network's own.

    Raises:
        BadCheckpoint, BadSetting: as the importer says.
    """
    version = folder / "1"
    version.mkdir(parents=True)
    draft = build(source, version, wishes)
    draft.spec.save(version)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(model_runtime.__file__).parent, version / "model_runtime", ignore=ignore)
    (version / "model.py").write_text(_MODEL_PY.format(door=_DOORS.get(wishes.model, "TextDoor")), "utf-8")
    draft = _measured(draft, version)
    draft.spec.save(version)
    rate_hz = sample_rate_hz or draft.rate_hz
    (folder / "config.pbtxt").write_text(_config(source, draft, wishes, rate_hz), encoding="utf-8")
    inputs, outputs, heard = _canary(version, wishes.model, rate_hz)
    _write_canary(folder / "canary.json", inputs, outputs)
    (folder / "MODEL_CARD.md").write_text(_card(source, draft, wishes, heard), encoding="utf-8")
    return Imported(folder, draft, rate_hz, heard)


def _measured(draft: Draft, version: Path) -> Draft:
    """``draft`` with padded batches allowed where they are seen to give the same answers as each alone."""
    spec = draft.spec
    sounds = (
        [_sound(draft.rate_hz)[: draft.rate_hz * part // 10] for part in (6, 15, 11)] if draft.rate_hz else []
    )
    samples = [prepared(sound, draft.rate_hz, draft.rate_hz) for sound in sounds]
    if spec.network is not None and spec.front_end is not None and spec.reading is not None:
        reader = FrameReader(spec.front_end, spec.network, spec.reading, version)
        frames = [reader.mel(sound) for sound in samples]
        alone = [reader.encoder.run([one])[0].scores for one in frames]
        try:
            together = [answer.scores for answer in reader.encoder.run(frames)]
        except Exception:
            # a network exported for one segment at a time
            return draft
        same = all(map(_same, alone, together))
        return replace(draft, spec=replace(spec, network=replace(spec.network, padded_batch=same)))
    if spec.waveform is not None and spec.waveform.mask:
        network = WaveNetwork(spec.waveform, version)
        if not all(map(_same, (network.run([one])[0] for one in samples), network.run(samples))):
            return replace(draft, spec=replace(spec, waveform=replace(spec.waveform, mask="")))
    return draft


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(_powers(one), _powers(other), atol=SAME))


def _powers(scores: Array) -> Array:
    powers: Array = np.exp(scores - scores.max(-1, keepdims=True))
    shares: Array = powers / powers.sum(-1, keepdims=True)
    return shares


def _sound(rate_hz: int) -> Pcm:
    pcm = np.load(CANARY_SOUND).astype(np.float32)
    return np.rint(resample(pcm, CANARY_HZ, rate_hz)).clip(-32768, 32767).astype(np.int16)


def _canary(version: Path, model: str, rate_hz: int) -> tuple[dict[str, Array], dict[str, Array], str]:
    """A question, the answer the folder gives now, and the answer in words."""
    inputs: dict[str, Array]
    if model == ASR:
        pcm = _sound(rate_hz)
        units = Recogniser(version).recognise([pcm], [rate_hz])[0]
        inputs = {"PCM": pcm[None], "SAMPLE_RATE": np.array([[rate_hz]], np.int32)}
        outputs = {
            "UNITS": np.array([units.characters], dtype=np.object_).reshape(1, -1),
            "START_MS": units.start_ms[None],
            "END_MS": units.end_ms[None],
            "CONFIDENCE": units.confidence[None],
        }
        return inputs, outputs, "".join(units.characters) or "nothing"
    if model == EMOTION:
        pcm = _sound(CANARY_HZ)
        scores = SoundClassifier(version).scores([pcm], CANARY_HZ)
        ends, rate = np.array([[len(pcm)]], np.int32), np.array([[CANARY_HZ]], np.int32)
        return (
            {"PCM": pcm[None], "ENDS": ends, "SAMPLE_RATE": rate},
            {"SCORES": scores[None]},
            _scored(scores),
        )
    scores = TextClassifier(version).scores([CANARY_TEXT], [CANARY_BEFORE])
    words = {"TEXT": CANARY_TEXT, "ROLE": "customer", "PREVIOUS_TEXT": CANARY_BEFORE}
    return {name: np.array([[word]]) for name, word in words.items()}, {"SCORES": scores}, _scored(scores)


def _scored(scores: Array) -> str:
    return ", ".join(f"{score:.3f}" for score in scores[0, :12])


def _write_canary(path: Path, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    tolerances = {
        "SCORES": SCORE_TOLERANCE,
        "CONFIDENCE": CONFIDENCE_TOLERANCE,
        "START_MS": TIME_TOLERANCE_MS,
        "END_MS": TIME_TOLERANCE_MS,
    }
    answers = {
        name: _tensor(array) | {"tolerance": tolerances.get(name, 0.0)} for name, array in outputs.items()
    }
    content = {"inputs": {name: _tensor(array) for name, array in inputs.items()}, "outputs": answers}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _tensor(array: Array) -> dict[str, Any]:
    shape = list(array.shape)
    if array.dtype.kind in "OU":
        return {"datatype": "BYTES", "shape": shape, "data": [str(word) for word in array.reshape(-1)]}
    datatype = {"int16": "INT16", "int32": "INT32", "float32": "FP32"}[array.dtype.name]
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return {"datatype": datatype, "shape": shape, "data": base64.b64encode(raw).decode()}


def _config(source: Path, draft: Draft, wishes: Wishes, rate_hz: int) -> str:
    inputs, outputs = _tensors(draft, wishes.model)
    parameters = {"artifact": f"1/{_artifact(draft)}", "format": draft.format, "source": source.name}
    if wishes.model == ASR:
        parameters |= {
            "sample_rate_hz": str(rate_hz),
            "network_rate_hz": str(draft.rate_hz),
            "streaming": "segment",
            "max_seconds": f"{draft.spec.max_seconds:g}",
            "language": wishes.language,
        }
    elif draft.rate_hz:
        parameters["network_rate_hz"] = str(draft.rate_hz)
    if wishes.origin:
        parameters["origin"] = wishes.origin
    if draft.labels:
        parameters["labels"] = ",".join(draft.labels)
    rows = ",\n".join(
        f"  {{ key: {json.dumps(key)} value: {{ string_value: {json.dumps(value, ensure_ascii=False)} }} }}"
        for key, value in parameters.items()
    )
    return (
        f"# Written by `earshot models import`.\n"
        f'name: "{wishes.model}"\nbackend: "python"\nmax_batch_size: 32\n'
        f"input [\n{_rows(inputs)}\n]\noutput [\n{_rows(outputs)}\n]\n"
        "dynamic_batching {\n  max_queue_delay_microseconds: 2000\n"
        "  default_queue_policy { timeout_action: REJECT max_queue_size: 512 }\n}\n"
        f"instance_group [ {{ count: 1 kind: KIND_CPU }} ]\nparameters [\n{rows}\n]\n"
    )


def _tensors(draft: Draft, model: str) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    ragged, labels = "[ -1 ] allow_ragged_batch: true", len(draft.labels)
    rate = ("SAMPLE_RATE", "INT32", "[ 1 ]")
    if model == ASR:
        heads = [(name, "STRING", "[ 1 ]") for name in draft.heads]
        numbers = [
            ("START_MS", "INT32", "[ -1 ]"),
            ("END_MS", "INT32", "[ -1 ]"),
            ("CONFIDENCE", "FP32", "[ -1 ]"),
        ]
        return [("PCM", "INT16", ragged), rate], [("UNITS", "STRING", "[ -1 ]"), *numbers, *heads]
    if model == EMOTION:
        inputs = [("PCM", "INT16", ragged), ("ENDS", "INT32", ragged), rate]
        return inputs, [("SCORES", "FP32", f"[ -1, {labels} ]")]
    words = [(name, "STRING", "[ 1 ]") for name in ("TEXT", "ROLE", "PREVIOUS_TEXT")]
    return words, [("SCORES", "FP32", f"[ {labels} ]")]


def _rows(tensors: Sequence[tuple[str, str, str]]) -> str:
    return ",\n".join(
        f'  {{ name: "{name}" data_type: TYPE_{kind} dims: {dims} }}' for name, kind, dims in tensors
    )


def _artifact(draft: Draft) -> str:
    return "encoder.onnx" if draft.spec.whisper is not None else "model.onnx"


def _card(source: Path, draft: Draft, wishes: Wishes, heard: str) -> str:
    network = draft.spec.network
    batch = "padded batches give the answers of each alone" if network and network.padded_batch else ""
    facts = [
        f"Imported from `{source.name}` ({draft.format}) as `{wishes.model}`.",
        f"Network's sample rate: {draft.rate_hz} Hz; other rates are resampled." if draft.rate_hz else "",
        f"Fetched from {wishes.origin}." if wishes.origin else "",
        f"Labels: {', '.join(draft.labels)}." if draft.labels else "",
        f"Batches: {batch or 'each segment runs alone, or only with segments it cannot change'}."
        if draft.rate_hz
        else "",
        f"Answer to the canary question when imported: {heard}.",
        *draft.remarks,
        "Figures on your own calls, licence and training data: see the checkpoint's own card.",
    ]
    return f"# Model `{wishes.model}`\n\n" + "\n".join(f"- {fact}" for fact in facts if fact) + "\n"
