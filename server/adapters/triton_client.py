"""Requests to a Triton server over gRPC: tensors in and out, faults sorted by what can be done about them.

Uses tritonclient's generated stub directly, from threads. One core shared by client, server and model, null model,
10 s clips of 160 kB, 32 in flight: 1,870 requests/s and 280 us of client CPU each, against 1,680 and 330 us
for tritonclient's ``infer`` in threads, 1,500 and 350 us for ``async_infer``. System shared memory reaches 3,000 and
200 us, but 80 us saved on 10 s of audio is below 0.1 % of its recognition and costs a registry of regions to repair.
"""

import enum
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor

Array = NDArray[np.generic] | tuple[str, ...]
"""A tensor: a numpy array, or for BYTES the flat tuple of its strings."""

DTYPES: Mapping[str, str] = {
    "BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Triton's datatypes as numpy ones; BYTES apart."""


class FaultKind(enum.Enum):
    """What a failed request means for the one who sent it."""

    GONE = "gone"
    """The model's process or the server is dead or unreachable: repair, then try again."""
    FULL = "full"
    """The queue is full: try again a little later."""
    LATE = "late"
    """No answer in time: the model may hang."""
    FAILED = "failed"
    """The model raised an exception: the request, or one batched with it, is at fault."""
    WRONG = "wrong"
    """An answer with status OK that breaks the contract: repair, then try again."""
    REFUSED = "refused"
    """Triton refuses the request or the command as malformed: trying again is of no use."""


class Fault(Exception):
    """A request that failed; ``what`` is fit for a user's eyes (no file path, no data of the request)."""

    def __init__(self, kind: FaultKind, what: str) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what


@dataclass(frozen=True)
class Tensor:
    """A named tensor with Triton's datatype."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Array


Request = service_pb2.ModelInferRequest
Response = service_pb2.ModelInferResponse
Pending = grpc.Future


def make_request(model: str, inputs: Sequence[Tensor]) -> Request:
    """A request that can be sent any number of times."""
    request = Request(model_name=model)
    for tensor in inputs:
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        request.raw_input_contents.append(_encode(tensor))
    return request


def read_outputs(response: Response) -> dict[str, Tensor]:
    """The response's tensors, each with as many bytes as its datatype and shape say.

    Raises:
        Fault: WRONG; an empty or short tensor with status OK is what a stub with a wrong numpy answers.
    """
    if len(response.outputs) != len(response.raw_output_contents):
        raise Fault(
            FaultKind.WRONG, f"{len(response.outputs)} outputs with {len(response.raw_output_contents)} contents"
        )
    pairs = zip(response.outputs, response.raw_output_contents, strict=True)
    return {output.name: _decode(output.name, output.datatype, tuple(output.shape), raw) for output, raw in pairs}


def _encode(tensor: Tensor) -> bytes:
    if isinstance(tensor.data, tuple):
        words = [word.encode() for word in tensor.data]
        return b"".join(struct.pack("<I", len(word)) + word for word in words)
    return np.ascontiguousarray(tensor.data, dtype=DTYPES[tensor.datatype]).tobytes()


def _decode(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> Tensor:
    size = int(np.prod(shape, dtype=np.int64))
    if datatype == "BYTES":
        try:
            words = tuple(word.decode() for word in deserialize_bytes_tensor(raw))
        except (struct.error, UnicodeDecodeError) as error:
            raise Fault(FaultKind.WRONG, f"output {name} is not text: {type(error).__name__}") from None
        if len(words) != size:
            raise Fault(FaultKind.WRONG, f"output {name} has shape {list(shape)} but {len(words)} strings")
        return Tensor(name, datatype, shape, words)
    if datatype not in DTYPES:
        raise Fault(FaultKind.WRONG, f"output {name} has datatype {datatype}, which has no numpy type")
    dtype = np.dtype(DTYPES[datatype])
    if len(raw) != size * dtype.itemsize:
        raise Fault(FaultKind.WRONG, f"output {name} has shape {list(shape)} of {datatype} but {len(raw)} bytes")
    return Tensor(name, datatype, shape, np.frombuffer(raw, dtype).reshape(shape))


class TritonClient:
    """One server's gRPC door. Every method may be called by many threads and raises Fault."""

    def __init__(self, url: str) -> None:
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._channel = grpc.insecure_channel(url, options=options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def infer(self, request: Request, timeout_s: float) -> Response:
        """Send one request and wait for its response."""
        try:
            return self._stub.ModelInfer(request, timeout=timeout_s)
        except (grpc.RpcError, ValueError) as error:
            raise sort_fault(error) from None

    def begin(self, request: Request, timeout_s: float) -> Pending:
        """Send one request; its ``result`` raises what ``sort_fault`` sorts."""
        try:
            return self._stub.ModelInfer.future(request, timeout=timeout_s)
        except ValueError as error:
            raise sort_fault(error) from None

    def live(self, timeout_s: float = 1.0) -> bool:
        """Whether the server answers."""
        try:
            return bool(self._stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=timeout_s).live)
        except (grpc.RpcError, ValueError):
            return False

    def ready(self, model: str, timeout_s: float = 5.0) -> bool:
        """Whether the model is loaded (not whether it works: a dead stub is still ready)."""
        try:
            request = service_pb2.ModelReadyRequest(name=model)
            return bool(self._stub.ModelReady(request, timeout=timeout_s).ready)
        except (grpc.RpcError, ValueError):
            return False

    def load(self, model: str, timeout_s: float) -> None:
        """Load a model and wait until it is loaded."""
        self._command("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=model), timeout_s)

    def unload(self, model: str, timeout_s: float) -> None:
        """Begin to unload a model; it takes no more requests."""
        self._command("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=model), timeout_s)

    def config(self, model: str, timeout_s: float = 5.0) -> service_pb2.ModelConfigResponse:
        """The model's ``config.pbtxt`` as Triton reads it."""
        return self._command("ModelConfig", service_pb2.ModelConfigRequest(name=model), timeout_s)

    def statistics(self, model: str, timeout_s: float = 5.0) -> tuple[int, int]:
        """Inferences answered and executions that answered them, since the model was loaded."""
        request = service_pb2.ModelStatisticsRequest(name=model)
        statistics = self._command("ModelStatistics", request, timeout_s).model_stats[0]
        return int(statistics.inference_count), int(statistics.execution_count)

    def close(self) -> None:
        """Close the connection; requests in flight fail as GONE."""
        self._channel.close()

    def _command(self, name: str, request: object, timeout_s: float):  # type: ignore[no-untyped-def]
        try:
            return getattr(self._stub, name)(request, timeout=timeout_s)
        except (grpc.RpcError, ValueError) as error:
            raise sort_fault(error) from None


_STUB_DEAD = re.compile(r"[Ss]tub process .* is not healthy|[Ff]ailed to .*stub process|Stub process .* terminated")
_UNLOADED = re.compile(r"unknown model|no available versions|not ready|model is unloading", re.IGNORECASE)
_EXCEPTION = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Interrupt|Exit))\b")
_PATH = re.compile(r"(?:/[\w.@+-]+)+/")


def sort_fault(error: Exception) -> Fault:
    """Sort a gRPC error; what the model said in an exception is kept to the exception's name.

    An exception's text may hold file paths and words of the call, so it goes no further than here.
    """
    if not isinstance(error, grpc.Call):
        return Fault(FaultKind.GONE, "the connection is closed")
    code, details = error.code(), str(error.details() or "")
    if _STUB_DEAD.search(details):
        return Fault(FaultKind.GONE, "its process died")
    if code is grpc.StatusCode.UNAVAILABLE and "maximum queue size" in details:
        return Fault(FaultKind.FULL, "its queue is full")
    if code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE) and _UNLOADED.search(details):
        return Fault(FaultKind.GONE, "it is not loaded")
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Fault(FaultKind.GONE, "the server does not answer")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Fault(FaultKind.LATE, "it does not answer in time")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Fault(FaultKind.REFUSED, f"Triton refuses the request: {without_paths(details)}")
    name = _EXCEPTION.search(details)
    return Fault(FaultKind.FAILED, f"it raised {name[1] if name else 'an error'}")


def without_paths(text: str) -> str:
    """``text`` with every file path cut to its last part."""
    return _PATH.sub("", text)
