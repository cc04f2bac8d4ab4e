"""Wire ↔ our types. The response has the shape of the JSON result, field for field."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from server.api.earshot.v1 import inspection_pb2 as pb
from server.errors import BadTranscript

_ROLES = {pb.ROLE_AGENT: "agent", pb.ROLE_CUSTOMER: "customer", pb.ROLE_OTHER: "other"}


def transcript(message: pb.Transcript) -> dict[str, Any]:
    """A transcript message as the JSON object that ``pipeline.transcript.parse`` takes.

    Raises:
        BadTranscript: a turn has no role.
    """
    turns = []
    for index, turn in enumerate(message.turns):
        if turn.role not in _ROLES:
            raise BadTranscript(
                f"turns[{index}].role is {turn.role}",
                help="set ROLE_AGENT, ROLE_CUSTOMER or ROLE_OTHER on every turn",
            )
        turns.append(
            {
                "role": _ROLES[turn.role],
                "text": turn.text,
                "start_ms": turn.start_ms if turn.HasField("start_ms") else None,
                "end_ms": turn.end_ms if turn.HasField("end_ms") else None,
            }
        )
    return {"turns": turns}


def metadata(request: pb.InspectRequest) -> dict[str, Any]:
    """Metadata as plain values; a number without a fraction becomes an integer."""
    values = json_format.MessageToDict(request.metadata)
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def response(result: Mapping[str, Any]) -> pb.InspectResponse:
    """The result object as its message."""
    message = pb.InspectResponse()
    json_format.ParseDict(dict(result), message)
    return message
