"""Small calls written as text, for operator examples, rule cases and tests.

call("A 0-2 您好 | C 9-10 喂")          turns with times in seconds
call("A 您好 | C 喂")                    a chat: no times
call("A 0-2 您好 @-23dB | C 3-4 喂 @-31dB")    loudness of a turn in dB of full scale
call("A 0-2 您好 {a_self_identify:0.9} (angry:0.8) | ...")   tag and emotion scores of a turn
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from operators.table import SIDES, CallTable, check

_TURN = re.compile(
    r"^\s*(?P<role>[ACO])(?:\s+|$)(?:(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)(?:\s+|$))?"
    r"(?P<text>[^{(]*?)\s*(?:@(?P<loudness>-?\d+(?:\.\d+)?)dB\s*)?"
    r"(?P<scores>(?:(?:\{[^}]*\}|\([^)]*\))\s*)*)$"
)
_SCORE = re.compile(r"([{(])([^})]*)[})]")


def _scores(text: str) -> tuple[dict[str, float], dict[str, float]]:
    tags: dict[str, float] = {}
    emotion: dict[str, float] = {}
    for kind, body in _SCORE.findall(text):
        into = tags if kind == "{" else emotion
        for pair in filter(None, (p.strip() for p in body.split(","))):
            label, _, value = pair.partition(":")
            into[label.strip()] = float(value or 1.0)
    return tags, emotion


def _turns(script: str) -> list[dict[str, Any]]:
    turns = []
    for piece in filter(None, (p.strip() for p in script.split("|"))):
        match = _TURN.match(piece)
        if match is None:
            raise ValueError(
                f"not a turn: {piece!r}\nhelp: write e.g. 'A 0-2.5 您好' or 'C 喂 {{tag:0.9}} (angry:0.8)'"
            )
        tags, emotion = _scores(match["scores"])
        times = (
            None
            if match["start"] is None
            else (round(float(match["start"]) * 1000), round(float(match["end"]) * 1000))
        )
        turns.append(
            {
                "role": "ACO".index(match["role"]),
                "text": match["text"],
                "times": times,
                "loudness_db": float(match["loudness"] or "nan"),
                "tags": tags,
                "emotion": emotion,
            }
        )
    return turns


def _score_matrix(turns: Sequence[Mapping[str, Any]], kind: str) -> tuple[tuple[str, ...], Any]:
    labels = tuple(sorted({label for turn in turns for label in turn[kind]}))
    matrix = np.zeros((len(turns), len(labels)), np.float32)
    for row, turn in enumerate(turns):
        for label, value in turn[kind].items():
            matrix[row, labels.index(label)] = value
    return labels, matrix


def call(
    script: str, meta: Mapping[str, Any] | None = None, *, call_id: str = "call", separated: bool = True,
    tag_labels: tuple[str, ...] | None = None, emotion_labels: tuple[str, ...] | None = None,
) -> CallTable:  # fmt: skip
    """A table of one call from its script; characters are spread evenly over their turn.

    Speech segments are the turns of each side, all on the first side when the two are not ``separated``.

    Raises:
        ValueError: the script cannot be read.
    """
    turns = _turns(script)
    timed = all(turn["times"] is not None for turn in turns)
    spans = np.array([turn["times"] if timed else (i, i) for i, turn in enumerate(turns)], np.int64).reshape(
        -1, 2
    )
    roles = np.array([turn["role"] for turn in turns], np.int8)
    encoded = [turn["text"].encode() for turn in turns]
    counts = [len(turn["text"]) if timed else 0 for turn in turns]
    char_edges = [np.linspace(s, e, n + 1).astype(np.int64) for (s, e), n in zip(spans, counts, strict=True)]
    side_of = roles if separated else np.zeros_like(roles)
    sides = [spans[side_of == side] if timed else spans[:0] for side in range(SIDES)]
    tags, tag_scores = _score_matrix(turns, "tags")
    emotions, emotion_scores = _score_matrix(turns, "emotion")
    if tag_labels is not None:
        tag_scores, tags = _widen(tag_scores, tags, tag_labels), tag_labels
    if emotion_labels is not None:
        emotion_scores, emotions = _widen(emotion_scores, emotions, emotion_labels), emotion_labels
    return check(
        CallTable(
            call_ids=(call_id,),
            meta={name: (value,) for name, value in (meta or {}).items()},
            duration_ms=np.array([spans[:, 1].max(initial=0)], np.int64),
            has_times=np.array([timed]),
            separated=np.array([separated]),
            has_audio=np.array([False]),
            turn_offsets=np.array([0, len(turns)], np.int64),
            turn_role=roles,
            turn_channel=np.full(len(turns), -1, np.int8),
            turn_start_ms=spans[:, 0].copy(),
            turn_end_ms=spans[:, 1].copy(),
            text=np.frombuffer(b"".join(encoded), np.uint8),
            text_offsets=np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            turn_confidence=np.full(len(turns), np.nan, np.float32),
            turn_loudness_db=np.array([turn["loudness_db"] for turn in turns], np.float32),
            char_offsets=np.cumsum([0, *counts], dtype=np.int64),
            char_start_ms=np.concatenate([edges[:-1] for edges in char_edges] or [spans[:0, 0]]),
            char_end_ms=np.concatenate([edges[1:] for edges in char_edges] or [spans[:0, 0]]),
            tag_labels=tags,
            tags=tag_scores,
            emotion_labels=emotions,
            emotion=emotion_scores,
            speech_offsets=np.cumsum([0, *map(len, sides)], dtype=np.int64),
            speech_start_ms=np.concatenate([side[:, 0] for side in sides]),
            speech_end_ms=np.concatenate([side[:, 1] for side in sides]),
        )
    )


def _widen(scores: Any, have: tuple[str, ...], want: tuple[str, ...]) -> Any:
    wide = np.zeros((len(scores), len(want)), np.float32)
    for column, label in enumerate(have):
        wide[:, want.index(label)] = scores[:, column]
    return wide
