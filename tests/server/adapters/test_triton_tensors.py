"""Bytes, contracts and canaries without a server: every answer that is not whole is refused."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from server.adapters import triton_contract as contract
from server.adapters import triton_guard
from server.adapters.triton_canary import make_canary
from server.adapters.triton_client import without_paths
from server.adapters.triton_tensors import Fault, FaultKind, Outputs, Tensor, decode, encode
from server.errors import BadModel
from server.pipeline.models import ModelInfo
from tests.fakes.repository import copy_models, edit_canary


def test_tensors_come_back_as_they_went() -> None:
    numbers = Tensor("X", "INT16", (2, 2), np.array([[1, -2], [3, 4]], np.int16))
    words = Tensor("W", "BYTES", (1, 3), ("你好", "", "a"))
    assert np.array_equal(np.asarray(decode("X", "INT16", (2, 2), encode(numbers)).data), numbers.data)
    assert decode("W", "BYTES", (1, 3), encode(words)).data == words.data


@pytest.mark.parametrize(
    ("datatype", "shape", "raw"),
    [
        ("FP32", (1, 3), b""),
        ("FP32", (1, 3), bytes(11)),
        ("FP32", (1, 3), bytes(16)),
        ("BYTES", (1, 2), b"\1\0\0\0a"),
        ("BYTES", (1, 1), b"\5\0\0\0ab"),
        ("BYTES", (1, 1), b"\1\0\0\0\xff"),
        ("BYTES", (1, 1), b""),
        ("BF16", (1, 1), bytes(2)),
    ],
)
def test_bytes_that_do_not_fit_the_shape_are_refused(
    datatype: str, shape: tuple[int, ...], raw: bytes
) -> None:
    with pytest.raises(Fault) as raised:
        decode("Y", datatype, shape, raw)
    assert raised.value.kind is FaultKind.WRONG


def units(**changes: Tensor) -> Outputs:
    """A right answer of the recogniser, with some tensors exchanged."""
    right = {
        "UNITS": Tensor("UNITS", "BYTES", (1, 2), ("你", "好")),
        "START_MS": Tensor("START_MS", "INT32", (1, 2), np.array([[0, 100]], np.int32)),
        "END_MS": Tensor("END_MS", "INT32", (1, 2), np.array([[90, 200]], np.int32)),
        "CONFIDENCE": Tensor("CONFIDENCE", "FP32", (1, 2), np.array([[0.5, 1.0]], np.float32)),
    }
    return {**right, **changes}


def numbers(name: str, datatype: str, values: list[float]) -> Tensor:
    """A [1, n] tensor."""
    dtype = {"INT32": np.int32, "FP32": np.float32, "INT64": np.int64}[datatype]
    return Tensor(name, datatype, (1, len(values)), np.array([values], dtype))


def test_units_are_read() -> None:
    read = contract.read_units(units(), 200)
    assert read.characters == ("你", "好") and read.end_ms.tolist() == [90, 200]
    nothing = {name: numbers(name, "INT32", []) for name in ("START_MS", "END_MS")}
    nothing |= {
        "UNITS": Tensor("UNITS", "BYTES", (1, 0), ()),
        "CONFIDENCE": numbers("CONFIDENCE", "FP32", []),
    }
    assert contract.read_units(units(**nothing), 200).characters == ()


@pytest.mark.parametrize(
    "wrong",
    [
        numbers("START_MS", "INT32", [0]),
        numbers("START_MS", "INT64", [0, 100]),
        numbers("START_MS", "INT32", [100, 0]),
        numbers("START_MS", "INT32", [-1, 100]),
        numbers("END_MS", "INT32", [90, 99]),
        numbers("END_MS", "INT32", [90, 900]),
        numbers("CONFIDENCE", "FP32", [0.5, 1.5]),
        numbers("CONFIDENCE", "FP32", [0.5, float("nan")]),
        Tensor("UNITS", "BYTES", (1, 2), ("你", "")),
        Tensor("UNITS", "BYTES", (2,), ("你", "好")),
    ],
    ids=lambda tensor: f"{tensor.name}-{tensor.data}",
)
def test_units_that_break_the_contract_are_refused(wrong: Tensor) -> None:
    with pytest.raises(Fault) as raised:
        contract.read_units(units(**{wrong.name: wrong}), 200)
    assert raised.value.kind is FaultKind.WRONG


def test_the_version_follows_the_files_but_not_the_prose(tmp_path: Path) -> None:
    folder = copy_models(tmp_path) / "asr"
    first = contract.folder_digest(folder)
    (folder / "MODEL_CARD.md").write_text("prose")
    (folder / "1" / "__pycache__").mkdir()
    (folder / "1" / "__pycache__" / "x.nbi").write_bytes(b"cache")
    assert contract.folder_digest(folder) == first
    (folder / "1" / "weights.bin").write_bytes(b"0")
    assert contract.folder_digest(folder) != first


def test_an_unreadable_canary_is_refused(tmp_path: Path) -> None:
    folder = copy_models(tmp_path) / "asr"
    info = ModelInfo("asr", "1", (), {"sample_rate_hz": "8000"})
    assert make_canary(info, folder).known_answer
    edit_canary(folder, lambda canary: canary["inputs"]["PCM"].update(shape=[1, 1599]))
    with pytest.raises(BadModel, match=r"asr/canary\.json cannot be read"):
        make_canary(info, folder)
    (folder / "canary.json").unlink()
    assert not make_canary(info, folder).known_answer


def test_paths_are_cut() -> None:
    assert without_paths("cannot open /opt/models/asr/1/w.onnx (/a/b)") == "cannot open w.onnx (b)"


def test_the_backends_own_folder_is_removed_by_its_age(tmp_path: Path) -> None:
    folder = tmp_path / f"{triton_guard.FOLDER_PREFIX}test"
    folder.mkdir()
    (folder / "lock").write_text("1")
    old, new = Path("/tmp/python_env_earshot_old"), Path("/tmp/python_env_earshot_new")
    for path in (old, new):
        path.mkdir()
    os.utime(old, (0, time.time() - 3600))
    try:
        triton_guard.remove(folder)
        assert old.exists() and not new.exists() and not folder.exists()
    finally:
        old.rmdir()
