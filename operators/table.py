"""CallTable: many calls as columns, the one shape every operator and rule reads.

Times are int64 milliseconds from the call's start. Ragged data is values + offsets (Arrow's layout): the
turns of call ``c`` are rows ``turn_offsets[c]:turn_offsets[c + 1]``. A table is never changed in place.

What a call lacks is said in ``CallTable.lacks``; operators that need it answer *unknown* for that call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

AGENT, CUSTOMER, OTHER = 0, 1, 2
ROLES = ("agent", "customer", "other")
SIDES = 2
"""Speech and energy are kept for two sides a call (agent, customer): ragged row ``call * SIDES + role``."""

_CALLED = {"separated": "separate sides", "emotion": "emotion scores", "tags": "tag scores"}


def called(need: str) -> str:
    """How a modality is spoken of, where its own name would not be understood."""
    return _CALLED.get(need, need)


Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Int8 = NDArray[np.int8]
Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]


class TableError(ValueError):
    """A column holds what it must not; the message names column, row and value."""


@dataclass(frozen=True, kw_only=True)
class CallTable:
    """Columns of C calls with T turns in all. Optional modalities have their flag per call."""

    call_ids: tuple[str, ...]
    meta: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Field name → one value per call; ``None`` where a call does not carry the field."""
    duration_ms: Int64
    """[C] length of the audio, or the end of the last turn."""
    has_times: Bool
    """[C] turns carry real times (false for a chat without them)."""
    separated: Bool
    """[C] the two sides are known apart (two channels, or a transcript with roles)."""
    has_audio: Bool
    """[C] speech segments come from audio, not from turn times."""

    turn_offsets: Int64
    """[C + 1]"""
    turn_role: Int8
    """[T] index into ROLES."""
    turn_channel: Int8
    """[T] audio channel, -1 without audio."""
    turn_start_ms: Int64
    turn_end_ms: Int64
    """[T] each; ordered by start within a call."""
    text: NDArray[np.uint8]
    """All turns' UTF-8 joined."""
    text_offsets: Int64
    """[T + 1] byte offsets into ``text``."""
    turn_confidence: Float32
    """[T] recogniser's mean confidence 0..1, NaN where the text did not come from one."""

    turn_loudness_db: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    """[T] level of the turn's speech in dB of full scale, NaN where no sound was measured; ``check`` puts NaN
    where a table is built without it."""

    char_offsets: Int64
    """[T + 1] into the two columns below; a turn without character times has an empty span."""
    char_start_ms: Int64
    char_end_ms: Int64

    emotion_labels: tuple[str, ...] = ()
    emotion: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """[T, K] 0..1, NaN where a turn has no score: a row of them without emotion, one where a label needs
    sound."""
    tag_labels: tuple[str, ...] = ()
    tags: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """[T, N] 0..1, a row of NaN where a turn has no tag scores."""

    speech_offsets: Int64
    """[C * SIDES + 1] into the two columns below: speech segments per call and side, in order."""
    speech_start_ms: Int64
    speech_end_ms: Int64

    @property
    def n_calls(self) -> int:
        """Number of calls C."""
        return len(self.call_ids)

    @property
    def n_turns(self) -> int:
        """Number of turns T over all calls."""
        return len(self.turn_role)

    @cached_property
    def turn_call(self) -> Int64:
        """[T] the call each turn belongs to."""
        return np.repeat(np.arange(self.n_calls), np.diff(self.turn_offsets))

    def turn_text(self, turn: int) -> str:
        """The text of one turn."""
        return bytes(self.text[self.text_offsets[turn] : self.text_offsets[turn + 1]]).decode()

    def lacks(self, need: str) -> Bool:
        """[C] True where a call lacks ``need``: text, times, separated, audio, loudness, emotion or tags.

        Raises:
            TableError: ``need`` is no modality.
        """
        if need == "text":
            return np.zeros(self.n_calls, np.bool_)
        if need in ("times", "separated", "audio"):
            flags = {"times": self.has_times, "separated": self.separated, "audio": self.has_audio}
            return ~flags[need]
        if need in ("emotion", "tags"):
            return self._without_scores(self.emotion if need == "emotion" else self.tags)
        if need == "loudness":
            return self._without_scores(self.turn_loudness_db[:, None])
        raise TableError(
            f"no modality {need!r}\nhelp: one of text, times, separated, audio, loudness, emotion, tags"
        )

    def _without_scores(self, scores: Float32) -> Bool:
        """A call lacks scores when it has turns and not one of them is scored."""
        scored = ~np.isnan(scores).all(axis=1) if scores.shape[1] else np.zeros(self.n_turns, np.bool_)
        per_call = np.bincount(self.turn_call, weights=scored, minlength=self.n_calls)
        unscored: Bool = (per_call == 0) & (np.diff(self.turn_offsets) > 0)
        return unscored


def _fail(column: str, row: int, value: object, rule: str) -> None:
    raise TableError(
        f"column {column}, row {row}: {value!r} ({rule})\nhelp: mend the row where the table was built"
    )


def _check_offsets(name: str, offsets: Int64, rows: int, values: int) -> None:
    if len(offsets) != rows + 1:
        _fail(name, len(offsets), len(offsets), f"needs {rows + 1} offsets")
    if len(offsets) and (offsets[0] != 0 or offsets[-1] != values):
        _fail(name, rows, (int(offsets[0]), int(offsets[-1])), f"must run from 0 to {values}")
    falling = np.flatnonzero(np.diff(offsets) < 0)
    if len(falling):
        _fail(name, int(falling[0]), int(offsets[falling[0] + 1]), "offsets must not fall")


def _check_spans(name: str, start_ms: Int64, end_ms: Int64) -> None:
    bad = np.flatnonzero((start_ms < 0) | (end_ms < start_ms))
    if len(bad):
        row = int(bad[0])
        _fail(name, row, (int(start_ms[row]), int(end_ms[row])), "needs 0 <= start_ms <= end_ms")


def _check_char_counts(table: CallTable) -> None:
    """A turn has no character times or one pair a character (byte that does not continue one, in UTF-8)."""
    starts = np.cumsum(np.concatenate([[0], (table.text & 0xC0) != 0x80]))
    characters = starts[table.text_offsets[1:]] - starts[table.text_offsets[:-1]]
    timed = np.diff(table.char_offsets)
    bad = np.flatnonzero((timed != 0) & (timed != characters))
    if len(bad):
        row = int(bad[0])
        _fail(
            "char_offsets",
            row,
            int(timed[row]),
            f"needs none or one pair for each of {int(characters[row])} characters",
        )


def check(table: CallTable) -> CallTable:
    """``table`` if it keeps every promise of its columns; turns without loudness get NaN.

    Runs at the one border where outside data becomes a table; nothing behind it checks again.

    Raises:
        TableError: names column, row and value of the first promise broken.
    """
    calls, turns = table.n_calls, table.n_turns
    if turns and not len(table.turn_loudness_db):
        table = replace(table, turn_loudness_db=np.full(turns, np.nan, np.float32))
    if len(table.turn_loudness_db) != turns:
        _fail("turn_loudness_db", 0, len(table.turn_loudness_db), f"needs {turns} values")
    _check_offsets("turn_offsets", table.turn_offsets, calls, turns)
    _check_offsets("text_offsets", table.text_offsets, turns, len(table.text))
    _check_offsets("char_offsets", table.char_offsets, turns, len(table.char_start_ms))
    _check_offsets("speech_offsets", table.speech_offsets, calls * SIDES, len(table.speech_start_ms))
    _check_spans("turn_start_ms/turn_end_ms", table.turn_start_ms, table.turn_end_ms)
    _check_spans("char_start_ms/char_end_ms", table.char_start_ms, table.char_end_ms)
    _check_spans("speech_start_ms/speech_end_ms", table.speech_start_ms, table.speech_end_ms)
    _check_char_counts(table)
    same_call = np.diff(table.turn_call) == 0
    unordered = np.flatnonzero(same_call & (np.diff(table.turn_start_ms) < 0))
    if len(unordered):
        row = int(unordered[0]) + 1
        _fail(
            "turn_start_ms",
            row,
            int(table.turn_start_ms[row]),
            "turns must be ordered by start within a call",
        )
    bad_role = np.flatnonzero((table.turn_role < 0) | (table.turn_role >= len(ROLES)))
    if len(bad_role):
        _fail(
            "turn_role", int(bad_role[0]), int(table.turn_role[bad_role[0]]), f"must be 0..{len(ROLES) - 1}"
        )
    for name, scores, labels in (
        ("emotion", table.emotion, table.emotion_labels),
        ("tags", table.tags, table.tag_labels),
    ):
        if scores.shape != (turns, len(labels)):
            _fail(name, 0, scores.shape, f"must have shape {(turns, len(labels))}")
    for name, column in table.meta.items():
        if len(column) != calls:
            _fail(f"meta.{name}", 0, len(column), f"needs {calls} values")
    return table


def concat(tables: Sequence[CallTable]) -> CallTable:
    """One table of all the calls of ``tables``, in order; label sets must agree.

    Raises:
        TableError: two tables carry different emotion or tag labels.
    """
    first = tables[0]
    for table in tables[1:]:
        if (table.emotion_labels, table.tag_labels) != (first.emotion_labels, first.tag_labels):
            raise TableError(
                f"cannot join tables with labels {table.tag_labels} and {first.tag_labels}\n"
                "help: judge calls made by different model versions in separate tables"
            )
    names = {name for table in tables for name in table.meta}
    joined: dict[str, Any] = {"emotion_labels": first.emotion_labels, "tag_labels": first.tag_labels}
    joined["call_ids"] = tuple(call_id for table in tables for call_id in table.call_ids)
    joined["meta"] = {
        name: tuple(v for t in tables for v in t.meta.get(name, (None,) * t.n_calls))
        for name in sorted(names)
    }
    for column in fields(CallTable):
        if column.name in joined:
            continue
        parts = [getattr(table, column.name) for table in tables]
        joined[column.name] = (
            _join_offsets(parts) if column.name.endswith("offsets") else np.concatenate(parts)
        )
    return CallTable(**joined)


def _join_offsets(parts: Sequence[Int64]) -> Int64:
    starts = np.cumsum([0, *(part[-1] for part in parts)])
    return np.concatenate(
        [parts[0][:1], *(part[1:] + start for part, start in zip(parts, starts, strict=False))]
    )


def part(table: CallTable, first: int, end: int) -> CallTable:
    """Calls ``first`` up to ``end`` of ``table`` as a table of their own, columns as views where possible."""
    turns = slice(int(table.turn_offsets[first]), int(table.turn_offsets[end]))
    spans: dict[str, tuple[int, int]] = {
        "turn_offsets": (first, end),
        "text_offsets": (turns.start, turns.stop),
        "char_offsets": (turns.start, turns.stop),
        "speech_offsets": (first * SIDES, end * SIDES),
    }
    values = {name: slice(*getattr(table, name)[[a, b]].tolist()) for name, (a, b) in spans.items()}
    cut: dict[str, Any] = {"emotion_labels": table.emotion_labels, "tag_labels": table.tag_labels}
    cut["call_ids"] = table.call_ids[first:end]
    cut["meta"] = {name: column[first:end] for name, column in table.meta.items()}
    for column in fields(CallTable):
        if column.name in cut:
            continue
        if column.name in spans:
            a, b = spans[column.name]
            cut[column.name] = getattr(table, column.name)[a : b + 1] - values[column.name].start
            continue
        cut[column.name] = getattr(table, column.name)[_rows_of(column.name, first, end, turns, values)]
    return CallTable(**cut)


def _rows_of(name: str, first: int, end: int, turns: slice, values: Mapping[str, slice]) -> slice:
    """The rows of column ``name`` that belong to the calls ``first`` up to ``end``."""
    if name in ("duration_ms", "has_times", "separated", "has_audio"):
        return slice(first, end)
    stem = name.partition("_")[0]
    ragged = stem in ("text", "char", "speech")
    return values[f"{stem}_offsets"] if ragged else turns
