"""The columns of a kept CallTable in Arrow: encoding, decoding, schema. No file is touched here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.table import SIDES, CallTable, Float32, Int8, Int64, TableError

META = "meta_"
KINDS = {
    "text": (str, pa.string()), "truth": (bool, pa.bool_()), "whole": (int, pa.int64()),
    "number": (float, pa.float64()), "json": (object, pa.string()),
}  # fmt: skip
"""Kind of a metadata column → Python type of its values and its Arrow type; ``json`` takes mixed ones."""
_INT64 = 1 << 63
_CALL = (("duration_ms", pa.int64()), ("has_times", pa.bool_()), ("separated", pa.bool_()),
         ("has_audio", pa.bool_()))  # fmt: skip
_TURN = (("role", pa.int8()), ("channel", pa.int8()), ("start_ms", pa.int64()), ("end_ms", pa.int64()),
         ("confidence", pa.float32()), ("loudness_db", pa.float32()), ("chars", pa.int32()))  # fmt: skip
_SPEECH = (("side", pa.int8()), ("start_ms", pa.int64()), ("end_ms", pa.int64()))


@dataclass(frozen=True)
class Columns:
    """A table and the verdicts [R, C] kept with it."""

    table: CallTable
    verdict: Int8


def kind_of(values: Sequence[object]) -> str:
    """The kind of column that gives back exactly ``values`` (text, truth, whole, number; else json)."""
    types = set(map(type, values)) - {type(None)}
    for kind, (of, _) in KINDS.items():
        if types == {of} and all(_keeps(value) for value in set(values)):
            return kind
    return "json"


def _keeps(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, int) or -_INT64 <= value < _INT64


def char_width(table: CallTable) -> str:
    """The narrowest integers that hold the character times of ``table`` as ``_char_pairs`` writes them."""
    pairs = _char_pairs(table)
    low, high = int(pairs.min(initial=0)), int(pairs.max(initial=0))
    return next(t for t in ("<i2", "<i4", "<i8") if np.iinfo(t).min <= low and high <= np.iinfo(t).max)


def _char_pairs(table: CallTable) -> Int64:
    """[characters, 2] start from the turn's start, and length."""
    starts = np.repeat(table.turn_start_ms, np.diff(table.char_offsets))
    return np.stack([table.char_start_ms - starts, table.char_end_ms - table.char_start_ms], axis=1)


def _struct(*fields: tuple[str, pa.DataType]) -> pa.DataType:
    return pa.struct([pa.field(name, kind, nullable=False) for name, kind in fields])


def _list(of: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", of, nullable=False))


def schema(tags: Sequence[str], emotions: Sequence[str], meta: Mapping[str, str]) -> pa.Schema:
    """The file's schema for these labels and metadata fields."""
    scores = [(name, _struct(*((label, pa.float32()) for label in labels)))
              for name, labels in (("tags", tags), ("emotion", emotions)) if labels]  # fmt: skip
    turn = _struct(("text", pa.string()), *_TURN, *scores)
    plain = [("call_id", pa.string()), *_CALL, ("turns", _list(turn)), ("char_times", pa.large_binary()),
             ("speech", _list(_struct(*_SPEECH))), ("verdicts", _list(pa.int8()))]  # fmt: skip
    fields = [pa.field(name, kind, nullable=False) for name, kind in plain]
    return pa.schema([*fields, *(pa.field(META + name, KINDS[kind][1]) for name, kind in meta.items())])


def paths(tags: Sequence[str], emotions: Sequence[str], meta: Mapping[str, str]) -> list[str]:
    """Names of the columns to read for these labels."""
    turn = ["text", *(name for name, _ in _TURN)]
    scores = [*(f"tags.{label}" for label in tags), *(f"emotion.{label}" for label in emotions)]
    inner = [f"turns.list.element.{name}" for name in (*turn, *scores)]
    whole = ["call_id", *(name for name, _ in _CALL), "char_times", "verdicts"]
    return [*whole, *inner, "speech", *(META + name for name in meta)]


def dictionaries(of: pa.Schema) -> list[str]:
    """Columns worth a dictionary: few values often repeated."""
    return [*(f.name for f in of if f.name.startswith(META)), "turns.list.element.role",
            "turns.list.element.channel", "verdicts.list.element"]  # fmt: skip


def encode(table: CallTable, verdict: Int8 | None, meta: Mapping[str, str], width: str) -> list[pa.Array]:
    """The columns of ``table`` in the schema's order."""
    rules = 0 if verdict is None else len(verdict)
    kept = np.zeros((0,), np.int8) if verdict is None else np.ascontiguousarray(verdict.T).ravel()
    sides = np.repeat(np.arange(table.n_calls * SIDES) % SIDES, np.diff(table.speech_offsets))
    speech = _structs(_SPEECH, [sides.astype(np.int8), table.speech_start_ms, table.speech_end_ms])
    return [
        pa.array(table.call_ids, pa.string()),
        *(pa.array(getattr(table, name), kind) for name, kind in _CALL),
        _lists(table.turn_offsets, _turns(table)),
        _char_times(table, width),
        _lists(table.speech_offsets[::SIDES], speech),
        _lists(np.arange(table.n_calls + 1) * rules, pa.array(kept, pa.int8())),
        *(_meta(table.meta[name], kind) for name, kind in meta.items()),
    ]


def _structs(fields: Sequence[tuple[str, pa.DataType]], values: Sequence[Any]) -> pa.StructArray:
    arrays = [v if isinstance(v, pa.Array) else pa.array(np.ascontiguousarray(v), kind)
              for v, (_, kind) in zip(values, fields, strict=True)]  # fmt: skip
    return pa.StructArray.from_arrays(
        arrays, fields=[pa.field(name, kind, nullable=False) for name, kind in fields]
    )


def _lists(offsets: Int64, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=_list(values.type))


def _turns(table: CallTable) -> pa.StructArray:
    offsets = pa.py_buffer(table.text_offsets.astype(np.int32))
    utf8 = pa.py_buffer(np.ascontiguousarray(table.text))
    text = pa.Array.from_buffers(pa.string(), table.n_turns, [None, offsets, utf8])
    values: list[Any] = [
        text, table.turn_role, table.turn_channel, table.turn_start_ms, table.turn_end_ms,
        table.turn_confidence, table.turn_loudness_db, np.diff(table.char_offsets).astype(np.int32),
    ]  # fmt: skip
    fields = [("text", pa.string()), *_TURN]
    for name, labels, scores in (
        ("tags", table.tag_labels, table.tags),
        ("emotion", table.emotion_labels, table.emotion),
    ):
        if labels:
            inner = [(label, pa.float32()) for label in labels]
            values.append(_structs(inner, list(scores.T)))
            fields.append((name, values[-1].type))
    return _structs(fields, values)


def _char_times(table: CallTable, width: str) -> pa.Array:
    pairs = np.ascontiguousarray(_char_pairs(table).astype(width))
    per_call = table.char_offsets[table.turn_offsets] * 2 * np.dtype(width).itemsize
    return pa.Array.from_buffers(
        pa.large_binary(), table.n_calls, [None, pa.py_buffer(per_call.astype(np.int64)), pa.py_buffer(pairs)]
    )


def _meta(values: Sequence[object], kind: str) -> pa.Array:
    if kind == "json":
        values = [None if value is None else _dumped(value) for value in values]
    return pa.array(values, KINDS[kind][1])


def _dumped(value: object) -> str:
    try:
        return json.dumps(value)
    except TypeError:
        raise TableError(
            f"metadata {value!r} cannot be kept\nhelp: text, numbers, true/false, or lists of these"
        ) from None


def decode(
    rows: pa.Table, tags: Sequence[str], emotions: Sequence[str], meta: Mapping[str, str], width: str,
    rules: int,
) -> Columns:  # fmt: skip
    """The table in ``rows``, which have the columns ``paths`` names; numbers are not copied."""
    turn_offsets, turns = _unlisted(_whole(rows, "turns"))
    text, text_offsets = _strings(turns.field("text"))
    plain = {name: _numbers(turns.field(name)) for name, _ in _TURN}
    char_offsets = np.concatenate([[0], np.cumsum(plain.pop("chars"), dtype=np.int64)])
    start_ms, end_ms = _times(_whole(rows, "char_times"), plain["start_ms"], char_offsets, width)
    speech_offsets, speech = _unlisted(_whole(rows, "speech"))
    _, verdicts = _unlisted(_whole(rows, "verdicts"))
    table = CallTable(
        call_ids=tuple(_whole(rows, "call_id").to_pylist()),
        meta={name: _values(_whole(rows, META + name), kind) for name, kind in meta.items()},
        **{name: _numbers(_whole(rows, name)) for name, _ in _CALL},
        turn_offsets=turn_offsets,
        **{f"turn_{name}": column for name, column in plain.items()},
        text=text, text_offsets=text_offsets,
        char_offsets=char_offsets, char_start_ms=start_ms, char_end_ms=end_ms,
        emotion_labels=tuple(emotions), emotion=_scores(turns, "emotion", emotions),
        tag_labels=tuple(tags), tags=_scores(turns, "tags", tags),
        speech_offsets=_by_side(speech_offsets, _numbers(speech.field("side"))),
        speech_start_ms=_numbers(speech.field("start_ms")), speech_end_ms=_numbers(speech.field("end_ms")),
    )  # fmt: skip
    verdict = _numbers(verdicts).reshape(table.n_calls, rules).T
    return Columns(table, np.ascontiguousarray(verdict))


def _whole(rows: pa.Table, name: str) -> pa.Array:
    """A column as one array; one chunk is not copied."""
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbers(column: pa.Array) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _unlisted(column: pa.ListArray) -> tuple[Int64, pa.Array]:
    offsets = _numbers(column.offsets).astype(np.int64)
    first, end = int(offsets[0]), int(offsets[-1])
    return offsets - first, column.values.slice(first, end - first)


def _strings(column: pa.Array) -> tuple[NDArray[np.uint8], Int64]:
    """UTF-8 of all values and their offsets."""
    _, offsets, data = column.buffers()
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(
        np.int64
    )
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return text[bounds[0] : bounds[-1]], bounds - bounds[0]


def _times(column: pa.Array, turn_start_ms: Int64, char_offsets: Int64, width: str) -> tuple[Int64, Int64]:
    """Start and end of every character in milliseconds from the call's start."""
    data = column.buffers()[2]
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    raw = (
        np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.zeros(0, np.uint8)
    )
    pairs = raw.view(width).reshape(-1, 2)
    if len(pairs) != char_offsets[-1]:
        raise TableError(f"column char_times holds {len(pairs)} characters, turns say {char_offsets[-1]}")
    start_ms = np.repeat(turn_start_ms, np.diff(char_offsets))
    start_ms += pairs[:, 0]
    return start_ms, start_ms + pairs[:, 1]


def _scores(turns: pa.StructArray, name: str, labels: Sequence[str]) -> Float32:
    """[T, labels], label after label in memory: whoever reads scores reads them by label."""
    if not labels:
        return np.zeros((len(turns), 0), np.float32)
    scores: Float32 = np.stack([_numbers(turns.field(name).field(label)) for label in labels]).T
    return scores


def _by_side(per_call: Int64, side: Int8) -> Int64:
    """Offsets by call and side from those by call; within a call, sides come in order."""
    row = np.repeat(np.arange(len(per_call) - 1), np.diff(per_call)) * SIDES + side
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=(len(per_call) - 1) * SIDES))])


def _values(column: pa.Array, kind: str) -> tuple[object, ...]:
    """Python values; each distinct one is made once."""
    coded = column.dictionary_encode()
    distinct = coded.dictionary.to_pylist()
    if kind == "json":
        distinct = [_loaded(text) for text in distinct]
    values = np.empty(len(distinct) + 1, object)
    for row, value in enumerate(distinct):
        values[row] = value
    codes = _numbers(coded.indices.fill_null(len(distinct)))
    return tuple(values[codes].tolist())


def _loaded(text: str) -> object:
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else value
