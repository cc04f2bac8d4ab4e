"""Transcripts and chats in: the JSON shape of design.md, checked, as a Call."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from operators.table import ROLES
from server.errors import BadTranscript
from server.pipeline.call import Call, Turn

MAX_TURNS = 100_000
MAX_CALL_MS = 7 * 24 * 3600 * 1000
SHAPE = (
    '{"call_id": "x1", "meta": {…}, "turns": [{"role": "agent", "text": "…", "start_ms": 0, "end_ms": 1800}]}'
)
_ALIASES = {"a": "agent", "c": "customer", "客服": "agent", "坐席": "agent", "客户": "customer"}


class _Turn(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)
    role: str
    text: str = Field(max_length=1_000_000)
    start_ms: float | None = Field(None, ge=0, le=MAX_CALL_MS, allow_inf_nan=False)
    end_ms: float | None = Field(None, ge=0, le=MAX_CALL_MS, allow_inf_nan=False)

    @field_validator("role")
    @classmethod
    def _known_role(cls, value: str) -> str:
        role = _ALIASES.get(value.strip().lower(), value.strip().lower())
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}")
        return role


class _Transcript(BaseModel):
    model_config = ConfigDict(extra="ignore")
    call_id: str | int | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    turns: list[_Turn] = Field(max_length=MAX_TURNS)


def parse(raw: object, *, call_id: str, meta: Mapping[str, Any] | None = None) -> Call:
    """A call from one transcript object; ``call_id`` serves when it has none, ``meta`` overrides its own.

    Fields that the shape does not name are ignored. Turns are put in order of their start. Without times on
    every turn the call counts as a chat: operators that need times answer *unknown*.

    Raises:
        BadTranscript: names each field that does not have the documented shape.
    """
    try:
        transcript = _Transcript.model_validate(raw)
    except ValidationError as error:
        raise BadTranscript(_problems(call_id, error), help=f"write transcripts as {SHAPE}") from None
    timed = all(turn.start_ms is not None and turn.end_ms is not None for turn in transcript.turns)
    turns = [_turn(turn, timed=timed) for turn in transcript.turns]
    backwards = [
        i
        for i, t in enumerate(turns)
        if t.start_ms is not None and t.end_ms is not None and t.end_ms < t.start_ms
    ]
    if backwards:
        first = turns[backwards[0]]
        raise BadTranscript(
            f"{call_id}: turns[{backwards[0]}] ends before it starts ({first.start_ms} to {first.end_ms} ms)",
            help="give times in milliseconds from the call's start, end_ms >= start_ms",
        )
    if timed:
        turns.sort(key=lambda turn: turn.start_ms or 0)
    return Call(
        call_id=str(transcript.call_id) if transcript.call_id not in (None, "") else call_id,
        meta=plain_meta({**transcript.meta, **(meta or {})}),
        turns=tuple(turns),
        duration_ms=max((turn.end_ms or 0 for turn in turns), default=0),
        has_times=timed and bool(turns),
        separated=True,
        has_audio=False,
        warnings=() if turns else ("no_turns",),
    )


def _turn(turn: _Turn, *, timed: bool) -> Turn:
    if not timed or turn.start_ms is None or turn.end_ms is None:
        return Turn(turn.role, turn.text, None, None)
    return Turn(turn.role, turn.text, round(turn.start_ms), round(turn.end_ms))


def _problems(call_id: str, error: ValidationError, most: int = 5) -> str:
    found = [
        f"{'.'.join(map(str, e['loc'])) or 'transcript'}: {e['msg']} (got {str(e['input'])[:60]!r})"
        for e in error.errors()
    ]
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return f"{call_id}: {'; '.join(found[:most])}{more}"


def plain_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with dates as ISO text; values may be text, numbers, booleans, null or lists of these.

    A list may also hold flat objects: ``history`` has one for each earlier attempt.

    Raises:
        BadTranscript: a value is nested deeper, or its name is empty.
    """
    out: dict[str, Any] = {}
    for name, value in meta.items():
        if isinstance(value, datetime | date):
            value = value.isoformat()
        items: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
        if not name or not all(_is_plain(item) or (items is value and _is_flat(item)) for item in items):
            raise BadTranscript(
                f"metadata field {name!r} holds {str(value)[:60]!r}",
                help="use text, numbers, true/false, or lists of these or of flat objects",
            )
        out[name] = tuple(items) if isinstance(value, list | tuple) else value
    return out


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None)


def _is_flat(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_plain, value.values()))
