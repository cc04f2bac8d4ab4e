"""Tensors, requests and faults as the rest of the adapter knows them; no gRPC in sight."""

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic] | tuple[str, ...]
"""A tensor's data: a numpy array, or for BYTES the flat tuple of its strings."""

DTYPES: Mapping[str, str] = {
    "BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1",
    "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Triton's datatypes as numpy ones; BYTES apart."""


class FaultKind(enum.Enum):
    """What a failed request means for the one who sent it."""

    GONE = "gone"
    """The model's process or the server is dead or unreachable: repair, then try again."""
    FULL = "full"
    """The queue is full: try again a little later."""
    LATE = "late"
    """No answer in time, while a queue explains it."""
    HUNG = "hung"
    """No answer in time, and no queue explains it: repair, then try again."""
    FAILED = "failed"
    """The model raised an exception: the request, or one batched with it, is at fault."""
    WRONG = "wrong"
    """An answer with status OK that breaks the contract: repair, then try again."""
    REFUSED = "refused"
    """Triton refuses the request or the command as malformed: trying again is of no use."""


class Fault(Exception):
    """A request that failed; ``what`` is fit for a user's eyes (no file path, no data of the request)."""

    def __init__(self, kind: FaultKind, what: str, details: str = "") -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.details = details
        """Triton's own words, for this package only: they may hold file paths and words of the call."""


@dataclass(frozen=True)
class Tensor:
    """A named tensor with Triton's datatype."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Array


@dataclass(frozen=True)
class Request:
    """A question to a model; it can be sent any number of times."""

    model: str
    inputs: tuple[Tensor, ...]
    id: str = ""


Outputs = Mapping[str, Tensor]
"""An answer: the model's output tensors by name."""


def encode(tensor: Tensor) -> bytes:
    """The tensor's bytes on the wire."""
    if isinstance(tensor.data, tuple):
        words = [word.encode() for word in tensor.data]
        return b"".join(struct.pack("<I", len(word)) + word for word in words)
    return np.ascontiguousarray(tensor.data, dtype=DTYPES[tensor.datatype]).tobytes()


def decode(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> Tensor:
    """The tensor with exactly as many bytes as its datatype and shape say.

    Raises:
        Fault: WRONG; an empty or short tensor with status OK is what a stub with a wrong numpy answers.
    """
    size = int(np.prod(shape, dtype=np.int64))
    if datatype == "BYTES":
        words = _words(name, raw)
        if len(words) != size:
            raise Fault(FaultKind.WRONG, f"output {name} has shape {list(shape)} but {len(words)} strings")
        return Tensor(name, datatype, shape, words)
    if datatype not in DTYPES:
        raise Fault(FaultKind.WRONG, f"output {name} has datatype {datatype}, which has no numpy type")
    dtype = np.dtype(DTYPES[datatype])
    if len(raw) != size * dtype.itemsize:
        what = f"output {name} has shape {list(shape)} of {datatype} but {len(raw)} bytes"
        raise Fault(FaultKind.WRONG, what)
    return Tensor(name, datatype, shape, np.frombuffer(raw, dtype).reshape(shape))


def _words(name: str, raw: bytes) -> tuple[str, ...]:
    words, position = [], 0
    try:
        while position < len(raw):
            (length,) = struct.unpack_from("<I", raw, position)
            (word,) = struct.unpack_from(f"{length}s", raw, position + 4)
            words.append(word.decode())
            position += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise Fault(FaultKind.WRONG, f"output {name} is not text: {type(error).__name__}") from None
    return tuple(words)
