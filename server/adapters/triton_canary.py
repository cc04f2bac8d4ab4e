"""Known-answer requests: a model works when it gives the answer written beside it, not when it is "ready".

``<model>/canary.json`` holds ``{"inputs": {NAME: {"datatype", "shape", "data"}}, "outputs": {NAME: {…,
"tolerance"}}}``; data is base64 of little-endian bytes, or a list of strings for BYTES; ``tolerance`` is the
largest difference allowed (0 when absent; BYTES are compared exactly). A model without one is asked a plain
question and only the shape of its answer is checked.
"""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.adapters import triton_contract as contract
from server.adapters.triton_tensors import DTYPES, Fault, FaultKind, Outputs, Request, Tensor
from server.errors import BadModel
from server.pipeline.models import ModelInfo

LOG = logging.getLogger("earshot.triton")
_PLAIN_AUDIO_MS = 500
_PLAIN_HZ = 8000


@dataclass(frozen=True)
class Canary:
    """A request and the check of its answer, which raises Fault (WRONG)."""

    request: Request
    check: Callable[[Outputs], object]
    known_answer: bool


@dataclass(frozen=True)
class _Expected:
    tensor: Tensor
    tolerance: float


def make_canary(info: ModelInfo, folder: Path) -> Canary:
    """The canary of a model: its ``canary.json``, else a plain question with a warning in the log.

    Raises:
        BadModel: ``canary.json`` cannot be read.
    """
    path = folder / "canary.json"
    if not path.is_file():
        LOG.warning("model %s has no canary.json: only the shape of its answers is checked", info.name)
        return _plain_canary(info)
    try:
        content = json.loads(path.read_bytes())
        inputs = tuple(_read_tensor(name, entry) for name, entry in content["inputs"].items())
        expected = [
            _Expected(_read_tensor(name, entry), float(entry.get("tolerance", 0.0)))
            for name, entry in content["outputs"].items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BadModel(
            f"{info.name}/canary.json cannot be read: {type(error).__name__}: {error}",
            help="write it as docs/triton.md says, or delete it to have only shapes checked",
        ) from None
    return Canary(Request(info.name, inputs), lambda outputs: _compare(outputs, expected), known_answer=True)


def _read_tensor(name: str, entry: Mapping[str, object]) -> Tensor:
    datatype, shape, data = str(entry["datatype"]), entry["shape"], entry["data"]
    if not isinstance(shape, list):
        raise ValueError(f"{name}: shape is not a list")
    if datatype == "BYTES":
        if not isinstance(data, list) or len(data) != int(np.prod(shape)):
            raise ValueError(f"{name}: data is not a list of {int(np.prod(shape))} strings")
        return Tensor(name, datatype, tuple(shape), tuple(str(word) for word in data))
    array = np.frombuffer(base64.b64decode(str(data), validate=True), DTYPES[datatype]).reshape(shape)
    return Tensor(name, datatype, tuple(shape), array)


def _plain_canary(info: ModelInfo) -> Canary:
    labels = len(info.labels)
    if info.name == contract.TAGS:
        return Canary(
            contract.turns_request(("你好",), ("agent",), ("",)),
            contract.read_scores(info.name, 1, labels),
            known_answer=False,
        )
    sample_rate_hz = int((info.parameters or {}).get("sample_rate_hz", _PLAIN_HZ))
    silence = np.zeros(sample_rate_hz * _PLAIN_AUDIO_MS // 1000, np.int16)
    if info.name == contract.ASR:
        return Canary(
            contract.segment_request(silence, sample_rate_hz),
            lambda outputs: contract.read_units(outputs, _PLAIN_AUDIO_MS),
            known_answer=False,
        )
    request = contract.stretches_request([silence], sample_rate_hz)
    return Canary(request, contract.read_scores(info.name, 1, labels), known_answer=False)


def _compare(outputs: Outputs, expected: list[_Expected]) -> None:
    for known in expected:
        name, tensor = known.tensor.name, known.tensor
        found = outputs.get(name)
        if found is None or found.datatype != tensor.datatype or found.shape != tensor.shape:
            shown = f"{found.datatype} {list(found.shape)}" if found else "nothing"
            raise _wrong(f"{name} is {shown}, known answer {tensor.datatype} {list(tensor.shape)}")
        if isinstance(tensor.data, tuple) or isinstance(found.data, tuple):
            if found.data != tensor.data:
                raise _wrong(f"{name} is not the known text")
        else:
            difference = float(
                np.abs(np.subtract(found.data, tensor.data, dtype=np.float64)).max(initial=0.0)
            )
            if not difference <= known.tolerance:
                raise _wrong(
                    f"{name} is {difference:.3g} off the known answer, {known.tolerance:.3g} allowed"
                )


def _wrong(what: str) -> Fault:
    return Fault(FaultKind.WRONG, f"it gives a wrong canary answer: {what}")
