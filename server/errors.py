"""Every error a caller can meet: what happened (with the values), what to do, and its codes.

EarshotError
├── BadInput              INVALID_ARGUMENT     400
│   ├── BadMedia          … a file that cannot be decoded; ``code`` from the closed list below
│   ├── BadTranscript     … a transcript or its metadata
│   ├── BadRules          … a rule pack
│   ├── BadHistory        … a file of kept calls
│   └── BadCheckpoint     … a model of another toolkit
├── TooLarge              RESOURCE_EXHAUSTED   413
├── Busy                  RESOURCE_EXHAUSTED   429
├── DeadlineOver          DEADLINE_EXCEEDED    504
├── ModelUnavailable      UNAVAILABLE          503
├── BadModel              FAILED_PRECONDITION  500
├── BadSetting            FAILED_PRECONDITION  500
└── Internal              INTERNAL             500
"""

from http import HTTPStatus
from typing import ClassVar

MEDIA_CODES = (
    "empty", "unknown_format", "refused_format", "no_audio", "corrupt", "too_long", "too_many_channels",
    "decoder_memory", "decoder_time", "decoder_died",
)  # fmt: skip


class EarshotError(Exception):
    """Base of all; ``what`` says what happened with the values, ``help`` what to do about it."""

    grpc_code: ClassVar[str] = "INTERNAL"
    http_code: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, what: str, *, help: str, code: str = "") -> None:
        super().__init__(f"{what}\nhelp: {help}")
        self.what = what
        self.help = help
        self.code = code or _snake(type(self).__name__)

    def as_dict(self) -> dict[str, str]:
        """The shape in which errors travel in JSON and protobuf."""
        return {"code": self.code, "message": self.what, "help": self.help}


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class BadInput(EarshotError):
    """The caller sent something that cannot be inspected."""

    grpc_code = "INVALID_ARGUMENT"
    http_code = HTTPStatus.BAD_REQUEST


class BadMedia(BadInput):
    """Audio or video that cannot be decoded; ``code`` is one of MEDIA_CODES."""


class BadTranscript(BadInput):
    """A transcript that does not have the documented shape."""


class BadRules(BadInput):
    """A rule pack that cannot be read or compiled."""


class BadHistory(BadInput):
    """A file of kept calls that cannot be read or written: foreign, cut off, damaged, or too new."""


class BadCheckpoint(BadInput):
    """A model of another toolkit that cannot be imported: damaged, foreign, or unfit for its place."""


class TooLarge(EarshotError):
    """More bytes, seconds or turns than this server takes at once."""

    grpc_code = "RESOURCE_EXHAUSTED"
    http_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Busy(EarshotError):
    """The server has as much in hand as it can hold."""

    grpc_code = "RESOURCE_EXHAUSTED"
    http_code = HTTPStatus.TOO_MANY_REQUESTS


class DeadlineOver(EarshotError):
    """The caller's time ran out before the result was ready."""

    grpc_code = "DEADLINE_EXCEEDED"
    http_code = HTTPStatus.GATEWAY_TIMEOUT


class ModelUnavailable(EarshotError):
    """A model does not answer; the supervisor is repairing it. Trying again is safe."""

    grpc_code = "UNAVAILABLE"
    http_code = HTTPStatus.SERVICE_UNAVAILABLE


class BadModel(EarshotError):
    """A model breaks its contract: wrong outputs, wrong canary answer, wrong interpreter."""

    grpc_code = "FAILED_PRECONDITION"


class BadSetting(EarshotError):
    """A setting or the machine is not fit to run on."""

    grpc_code = "FAILED_PRECONDITION"


class Internal(EarshotError):
    """A fault of ours; the log has the details under the same id."""
