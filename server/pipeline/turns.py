"""Turns from recognised characters, and the CallTable from a call."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from operators.table import ROLES, SIDES, CallTable, check
from server.pipeline.call import Call, Speech, Turn
from server.pipeline.models import Units

UTTERANCE_GAP_MS = 700
"""A pause inside one speaker's words that starts a new utterance."""
TURN_GAP_MS = 2000
"""Utterances of one role with nobody between them and a pause below this are one turn."""


@dataclass(frozen=True)
class Heard:
    """Recognised characters of one segment, with times from the call's start."""

    role: str
    channel: int
    start_ms: int
    units: Units


def build(heard: Iterable[Heard]) -> tuple[Turn, ...]:
    """Turns of all channels, ordered by start; a tie goes to the role that comes first in ROLES."""
    per_channel: dict[tuple[str, int], list[Heard]] = {}
    for segment in heard:
        per_channel.setdefault((segment.role, segment.channel), []).append(segment)
    utterances = [turn for key, segments in per_channel.items() for turn in _utterances(*key, segments)]
    utterances.sort(key=lambda turn: (_start(turn), ROLES.index(turn.role)))
    turns: list[Turn] = []
    for utterance in utterances:
        if turns and _continues(turns[-1], utterance):
            turns[-1] = _joined(turns[-1], utterance)
        else:
            turns.append(utterance)
    return tuple(turns)


def _start(turn: Turn) -> int:
    return turn.start_ms or 0


def _utterances(role: str, channel: int, segments: Sequence[Heard]) -> list[Turn]:
    characters: list[str] = []
    start: list[int] = []
    end: list[int] = []
    confidence: list[float] = []
    for segment in sorted(segments, key=lambda s: s.start_ms):
        characters += segment.units.characters
        start += (segment.units.start_ms + segment.start_ms).tolist()
        end += (segment.units.end_ms + segment.start_ms).tolist()
        confidence += segment.units.confidence.tolist()
    cuts = [i for i in range(1, len(start)) if start[i] - end[i - 1] >= UTTERANCE_GAP_MS]
    edges = [0, *cuts, len(start)]
    return [
        Turn(
            role=role,
            channel=channel,
            text="".join(characters[a:b]),
            start_ms=start[a],
            end_ms=max(end[a:b]),
            confidence=sum(confidence[a:b]) / (b - a),
            char_start_ms=tuple(start[a:b]),
            char_end_ms=tuple(end[a:b]),
        )
        for a, b in pairwise(edges)
        if b > a
    ]


def _continues(turn: Turn, then: Turn) -> bool:
    gap_ms = _start(then) - (turn.end_ms or 0)
    return turn.role == then.role and turn.channel == then.channel and gap_ms < TURN_GAP_MS


def _joined(first: Turn, second: Turn) -> Turn:
    sizes = len(first.text), len(second.text)
    confidences = (first.confidence or 0.0, second.confidence or 0.0)
    return replace(
        first,
        text=first.text + second.text,
        end_ms=second.end_ms,
        confidence=(sizes[0] * confidences[0] + sizes[1] * confidences[1]) / sum(sizes),
        char_start_ms=first.char_start_ms + second.char_start_ms,
        char_end_ms=first.char_end_ms + second.char_end_ms,
    )


def scored(
    turns: Sequence[Turn],
    emotions: Sequence[Mapping[str, float]],
    tags: tuple[tuple[str, ...], NDArray[np.float32]],
) -> tuple[Turn, ...]:
    """``turns`` with their emotions (label → score each) and tag scores (labels, [T, N]) attached."""
    labels, rows = tags
    return tuple(
        replace(turn, emotion=feeling, tags=dict(zip(labels, row, strict=True)))
        for turn, feeling, row in zip(turns, emotions, rows.tolist(), strict=True)
    )


def table(call: Call, *, emotion_labels: tuple[str, ...], tag_labels: tuple[str, ...]) -> CallTable:
    """The one-call table that operators read.

    Raises:
        operators.table.TableError: the call breaks a promise of the table.
    """
    turns = call.turns
    spans = _turn_spans(call)
    texts = [turn.text.encode() for turn in turns]
    characters = [(turn.char_start_ms, turn.char_end_ms) for turn in turns]
    speech = [_speech(call, role, spans) for role in ROLES[:SIDES]]
    return check(
        CallTable(
            call_ids=(call.call_id,),
            meta={name: (value,) for name, value in call.meta.items()},
            duration_ms=np.array([call.duration_ms], np.int64),
            has_times=np.array([call.has_times]),
            separated=np.array([call.separated]),
            has_audio=np.array([call.has_audio]),
            turn_offsets=np.array([0, len(turns)], np.int64),
            turn_role=np.array([ROLES.index(turn.role) for turn in turns], np.int8),
            turn_channel=np.array([turn.channel for turn in turns], np.int8),
            turn_start_ms=spans[:, 0].copy(),
            turn_end_ms=spans[:, 1].copy(),
            text=np.frombuffer(b"".join(texts), np.uint8),
            text_offsets=np.cumsum([0, *map(len, texts)], dtype=np.int64),
            turn_confidence=np.array(
                [np.nan if t.confidence is None else t.confidence for t in turns], np.float32
            ),
            turn_loudness_db=np.array(
                [np.nan if t.loudness_db is None else t.loudness_db for t in turns], np.float32
            ),
            char_offsets=np.cumsum([0, *(len(start) for start, _ in characters)], dtype=np.int64),
            char_start_ms=np.array([ms for start, _ in characters for ms in start], np.int64),
            char_end_ms=np.array([ms for _, end in characters for ms in end], np.int64),
            emotion_labels=emotion_labels,
            emotion=_scores([turn.emotion for turn in turns], emotion_labels, missing=np.nan),
            tag_labels=tag_labels,
            tags=_scores([turn.tags for turn in turns], tag_labels, missing=0.0),
            speech_offsets=np.cumsum([0, *(len(side.start_ms) for side in speech)], dtype=np.int64),
            speech_start_ms=np.concatenate([side.start_ms for side in speech]),
            speech_end_ms=np.concatenate([side.end_ms for side in speech]),
        )
    )


def _turn_spans(call: Call) -> NDArray[np.int64]:
    """[T, 2]; a chat without times counts its turns instead, so that order is kept."""
    if not call.has_times:
        return np.repeat(np.arange(len(call.turns), dtype=np.int64), 2).reshape(-1, 2)
    return np.array([(turn.start_ms, turn.end_ms) for turn in call.turns], np.int64).reshape(-1, 2)


def _speech(call: Call, role: str, spans: NDArray[np.int64]) -> Speech:
    """The role's speech segments; turn times stand in where there is no audio."""
    if call.has_audio or not call.has_times:
        empty = np.zeros(0, np.int64)
        return call.speech.get(role, Speech(empty, empty))
    mine = spans[[turn.role == role for turn in call.turns]]
    return Speech(mine[:, 0], mine[:, 1])


def _scores(
    rows: Sequence[Mapping[str, float]], labels: tuple[str, ...], *, missing: float
) -> NDArray[np.float32]:
    """[T, n]; a turn without any score is NaN, one that lacks a label has ``missing`` there."""
    scores = np.full((len(rows), len(labels)), np.nan, np.float32)
    for row, values in enumerate(rows):
        if values:
            scores[row] = [values.get(label, missing) for label in labels]
    return scores
