"""Kept calls come back as they were, and a broken file says what is broken."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from operators.table import CallTable, check, concat, part
from operators.testing import call
from server.adapters import store
from server.adapters.store import Judged
from server.errors import BadHistory

CALLS = concat(
    [
        call("A 0-2 您好 @-20dB {x:0.5,y:0.2} (angry:0.7) | C 3-4 喂", {"who": "x", "n": 3}, call_id="a"),
        call("C 喂", {"n": 4.5, "ok": True}, call_id="b", tag_labels=("x", "y"), emotion_labels=("angry",)),
        call("", {"who": None}, call_id="c", tag_labels=("x", "y"), emotion_labels=("angry",)),
    ]
)  # fmt: skip


def same(one: CallTable, other: CallTable) -> None:
    """Equal to the bit: NaN equals NaN, 1 is not True."""
    for column in fields(CallTable):
        a, b = getattr(one, column.name), getattr(other, column.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, column.name
            np.testing.assert_array_equal(a, b, err_msg=column.name)
        else:
            assert repr(dict(a) if column.name == "meta" else a) == repr(
                dict(b) if column.name == "meta" else b
            ), column.name


def read_all(path: Path, **labels: Any) -> tuple[CallTable, np.ndarray]:
    found = store.footer(path)
    return store.read(found, range(len(found.groups)), **labels)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = scalars | st.lists(scalars, max_size=2).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> CallTable:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    calls = draw(st.integers(1, 6))
    per_call = rng.integers(0, 4, calls) * draw(st.integers(0, 1))
    n = int(per_call.sum())
    texts = [draw(st.text("您好aé🙂 ", max_size=5)) for _ in range(n)]
    encoded = [text.encode() for text in texts]
    timed = [len(text) if draw(st.booleans()) else 0 for text in texts]
    start = np.concatenate([np.zeros(0, np.int64), *(np.sort(rng.integers(0, 1 << 40, k)) for k in per_call)])
    char_start = rng.integers(0, draw(st.sampled_from([1 << 8, 1 << 20, 1 << 40])), sum(timed))
    speech = rng.integers(0, 3, calls * 2)
    speech_start = rng.integers(0, 1 << 30, speech.sum())
    tags = tuple(f"tag.{i}" for i in range(draw(st.integers(0, 3))))
    names = draw(st.lists(st.text(min_size=1, max_size=3).filter(_sayable), unique=True, max_size=3))
    kinds = [draw(st.sampled_from([values, st.booleans(), st.integers(-5, 5), st.floats(), st.text()]))
             for _ in names]  # fmt: skip
    scores = rng.random((n, len(tags))).astype(np.float32)
    scores[rng.random(n) < 0.3] = np.nan
    return check(CallTable(
        call_ids=tuple(f"c{i}" for i in range(calls)),
        meta={name: tuple(draw(kind | st.none()) for _ in range(calls))
              for name, kind in zip(names, kinds, strict=True)},
        duration_ms=rng.integers(0, 1 << 40, calls), has_times=rng.random(calls) < 0.5,
        separated=rng.random(calls) < 0.5, has_audio=rng.random(calls) < 0.5,
        turn_offsets=np.concatenate([[0], np.cumsum(per_call)]),
        turn_role=rng.integers(0, 3, n).astype(np.int8), turn_channel=rng.integers(-1, 2, n).astype(np.int8),
        turn_start_ms=start, turn_end_ms=start + rng.integers(0, 9, n),
        text=np.frombuffer(b"".join(encoded), np.uint8),
        text_offsets=np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        turn_confidence=rng.random(n).astype(np.float32),
        turn_loudness_db=np.where(rng.random(n) < 0.5, np.nan, -20).astype(np.float32),
        char_offsets=np.cumsum([0, *timed], dtype=np.int64),
        char_start_ms=char_start, char_end_ms=char_start + rng.integers(0, 300, sum(timed)),
        tag_labels=tags, tags=scores,
        emotion_labels=("angry",), emotion=np.full((n, 1), np.nan, np.float32),
        speech_offsets=np.concatenate([[0], np.cumsum(speech)]),
        speech_start_ms=speech_start, speech_end_ms=speech_start + 5,
    ))  # fmt: skip


def _sayable(name: str) -> bool:
    return name.encode("utf-8", "ignore").decode() == name and "\0" not in name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, table: CallTable) -> None:
    path = tmp_path_factory.mktemp("kept") / "calls.parquet"
    store.write(path, table)
    back, verdict = read_all(path)
    same(back, table)
    assert verdict.shape == (0, table.n_calls)


def test_row_groups_are_read_apart_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "GROUP_CALLS", 2)
    path = tmp_path / "calls.parquet"
    verdict = np.array([[0, 1, 2], [3, 3, 1]], np.int8)
    judged = Judged(pack="p 1", items={"r1": "i", "r2": "j"}, verdict=verdict)
    store.write(path, CALLS, versions={"earshot": "1"}, judged=judged)
    found = store.footer(path)
    assert (found.groups, found.versions, found.pack) == ((2, 1), {"earshot": "1"}, "p 1")
    assert list(found.items.items()) == [("r1", "i"), ("r2", "j")]
    table, kept = store.read(found, [0, 1])
    same(table, CALLS)
    np.testing.assert_array_equal(kept, verdict)
    last, kept = store.read(found, [1])
    same(last, part(CALLS, 2, 3))
    np.testing.assert_array_equal(kept, verdict[:, 2:])


def test_only_the_labels_wanted_are_read(tmp_path: Path) -> None:
    path = store.add(tmp_path, CALLS)
    table, _ = read_all(path, tags=["y", "no such"], emotions=[])
    assert (table.tag_labels, table.emotion_labels) == (("y",), ())
    np.testing.assert_array_equal(table.tags[:, 0], CALLS.tags[:, 1])


def test_the_same_calls_kept_twice_are_one_file(tmp_path: Path) -> None:
    assert store.add(tmp_path, CALLS) == store.add(tmp_path, CALLS)
    other = store.add(tmp_path, part(CALLS, 0, 1))
    assert len(list(tmp_path.iterdir())) == 2 and other in store.files(tmp_path)


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "calls.parquet"
    store.write(path, CALLS)
    before = path.read_bytes()
    with pytest.raises(BadHistory, match="is there already"):
        store.write(path, part(CALLS, 0, 1))
    odd = replace(CALLS, meta={"x": (object(), None, None)})
    with pytest.raises(BadHistory, match="cannot be kept"):
        store.write(tmp_path / "other.parquet", odd)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def _foreign(path: Path) -> None:
    parquet.write_table(pa.table({"x": [1]}), path)


def _text(path: Path) -> None:
    path.write_text("call_id,text\n")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _changed(path: Path, **changes: Any) -> None:
    table = parquet.read_table(path)
    about = {**json.loads(table.schema.metadata[store.KEY]), **changes}
    parquet.write_table(table.replace_schema_metadata({store.KEY: json.dumps(about)}), path)


def _newer(path: Path) -> None:
    _changed(path, schema=2)


def _other_labels(path: Path) -> None:
    _changed(path, tag_labels=["x", "z"])


def _damaged(path: Path) -> None:
    _changed(path, groups=0, tag_labels=5)


@pytest.mark.parametrize(
    ("break_", "says"),
    [
        (_foreign, "was not written by earshot"),
        (_text, "is no Parquet file, or was cut off"),
        (_cut, "is no Parquet file, or was cut off"),
        (_newer, "has schema 2, this earshot reads up to 1"),
        (_other_labels, "column turns: is list<"),
        (_damaged, "its metadata is damaged"),
    ],
)
def test_a_file_that_is_not_ours_or_broken_says_so(
    tmp_path: Path, break_: Callable[[Path], None], says: str
) -> None:
    path = store.add(tmp_path, CALLS)
    assert store.footer(path)
    break_(path)
    with pytest.raises(BadHistory) as error:
        store.footer(path)
    assert says in str(error.value) and path.name in str(error.value) and "help:" in str(error.value)


def test_a_damaged_page_names_row_group_and_column(tmp_path: Path) -> None:
    path = store.add(tmp_path, CALLS)
    chunks = parquet.ParquetFile(path).metadata.row_group(0)
    names = [chunks.column(i).path_in_schema for i in range(chunks.num_columns)]
    chunk = chunks.column(names.index("turns.list.element.start_ms"))
    at = chunk.data_page_offset + chunk.total_compressed_size - 2
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadHistory, match=r"row group 0, column turns.list.element.start_ms"):
        read_all(path)


def test_a_folder_without_calls_says_how_to_keep_them(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match="--keep"):
        store.files(tmp_path)
