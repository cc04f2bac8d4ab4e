"""Asks Triton's Python backend which interpreter and numpy it runs, and whether tensors come through whole.

The backend takes the first ``python3`` in PATH. With numpy 2 there, Triton 24.10 answers with status OK and
empty or mis-strided tensors, so the check is an echo, and the versions travel as error text, which needs no
numpy.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from server.adapters.triton_client import TritonClient
from server.adapters.triton_tensors import Fault, FaultKind, Request, Tensor
from server.errors import BadModel, BadSetting

PROBE = "earshot_probe"
TIMEOUT_S = 60.0
_HELP = "start earshot from an environment with Python 3.11 and numpy below 2 (make setup builds it as .venv)"

_CONFIG = """
backend: "python"
max_batch_size: 0
input [{ name: "X", data_type: TYPE_INT16, dims: [-1, -1] }]
output [{ name: "ECHO", data_type: TYPE_INT16, dims: [-1, -1] }]
instance_group [{ kind: KIND_CPU, count: 1 }]
"""

_MODEL = '''
"""Echoes its input; a request with the id "who" is answered with an error that tells the interpreter."""
import json
import sys

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if request.request_id() == "who":
            import numpy

            who = {"python": sys.version.split()[0], "numpy": numpy.__version__, "prefix": sys.prefix}
            return pb.InferenceResponse(error=pb.TritonError("WHO" + json.dumps(who)))
        x = pb.get_input_tensor_by_name(request, "X").as_numpy()
        return pb.InferenceResponse([pb.Tensor("ECHO", x.copy())])
'''


@dataclass(frozen=True)
class Interpreter:
    """The interpreter that runs the models' Python code."""

    python: str
    numpy: str
    prefix: str


def write_probe(repository: Path) -> None:
    """Write the probe model into ``repository``."""
    folder = repository / PROBE
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(_CONFIG)
    (folder / "1" / "model.py").write_text(_MODEL)


def check_interpreter(client: TritonClient, *, bundled: bool) -> Interpreter:
    """Load the probe, ask it, unload it; a ``bundled`` Triton needs numpy below 2 and our own Python.

    Raises:
        BadSetting: the interpreter does not start, or is of the wrong version.
        BadModel: tensors do not come back as they were sent.
    """
    try:
        client.load(PROBE, TIMEOUT_S)
    except Fault as fault:
        raise BadSetting(f"Triton's Python backend does not start: {fault.what}", help=_HELP) from None
    try:
        interpreter = _ask_who(client)
        if bundled:
            _check_versions(interpreter)
        _check_echo(client, interpreter)
        return interpreter
    finally:
        client.unload(PROBE, TIMEOUT_S)


def _ask_who(client: TritonClient) -> Interpreter:
    request = Request(PROBE, (Tensor("X", "INT16", (1, 1), np.zeros((1, 1), np.int16)),), id="who")
    try:
        client.infer(request, TIMEOUT_S)
    except Fault as fault:
        if fault.kind is FaultKind.FAILED and "WHO{" in fault.details:
            return Interpreter(**json.loads(fault.details[fault.details.index("{") :]))
        raise BadSetting(f"Triton's Python backend fails: {fault.what}", help=_HELP) from None
    raise BadModel("Triton's Python backend loses an error", help=_HELP)


def _check_versions(interpreter: Interpreter) -> None:
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not interpreter.python.startswith(f"{ours}."):
        raise BadSetting(f"Triton runs models in Python {interpreter.python}, not {ours}", help=_HELP)
    if int(interpreter.numpy.split(".")[0]) >= 2:
        raise BadSetting(
            f"Triton runs models with numpy {interpreter.numpy} ({interpreter.prefix})", help=_HELP
        )


def _check_echo(client: TritonClient, interpreter: Interpreter) -> None:
    sent = np.arange(1, 9, dtype=np.int16).reshape(2, 4)
    try:
        echo = client.infer(Request(PROBE, (Tensor("X", "INT16", (2, 4), sent),)), TIMEOUT_S)["ECHO"]
        whole = echo.shape == sent.shape and np.array_equal(np.asarray(echo.data), sent)
        what = f"{sent.tolist()} came back as {np.asarray(echo.data).tolist()}"
    except (Fault, KeyError) as error:
        whole, what = False, str(error)
    if not whole:
        raise BadModel(
            f"Triton's Python backend spoils tensors (numpy {interpreter.numpy}): {what}", help=_HELP
        )
