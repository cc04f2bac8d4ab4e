"""The border where outside data becomes a table."""

from dataclasses import replace

import numpy as np
import pytest

from operators.table import TableError, check, concat, part
from operators.testing import call

TABLE = call("A 0-2 您好 | C 3-4 喂")


def test_a_sound_table_passes() -> None:
    assert check(TABLE) is TABLE


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("turn_offsets", np.array([0, 3]), "turn_offsets"),
        ("turn_start_ms", np.array([3000, 0]), "needs 0 <= start_ms <= end_ms"),
        ("turn_role", np.array([0, 7], np.int8), "turn_role, row 1: 7"),
        ("char_offsets", np.array([0, 1, 3]), "char_offsets, row 0: 1"),
        ("tags", np.zeros((1, 0), np.float32), "tags"),
    ],
)
def test_a_broken_promise_is_named(column: str, value: np.ndarray, says: str) -> None:
    with pytest.raises(TableError) as error:
        check(replace(TABLE, **{column: value}))
    assert says in str(error.value) and "help:" in str(error.value)


def test_turns_out_of_order_are_named() -> None:
    swapped = replace(TABLE, turn_start_ms=np.array([3000, 0]), turn_end_ms=np.array([4000, 2000]))
    with pytest.raises(TableError, match="turn_start_ms, row 1: 0"):
        check(swapped)


def test_character_times_may_be_absent_for_a_turn() -> None:
    check(
        replace(
            TABLE,
            char_offsets=np.array([0, 0, 1]),
            char_start_ms=np.array([3000]),
            char_end_ms=np.array([4000]),
        )
    )


def test_joined_tables_keep_every_call() -> None:
    joined = check(concat([TABLE, call("A 您好", {"x": 1}), TABLE]))
    assert [joined.turn_text(turn) for turn in range(joined.n_turns)] == ["您好", "喂", "您好", "您好", "喂"]
    assert joined.meta == {"x": (None, 1, None)}
    assert joined.lacks("times").tolist() == [False, True, False]


def test_tables_of_different_models_do_not_join() -> None:
    with pytest.raises(TableError, match="different model versions"):
        concat([TABLE, call("A 您好 {threat:0.5}")])


def test_a_table_without_loudness_has_unknown_loudness() -> None:
    built = replace(TABLE, turn_loudness_db=np.zeros(0, np.float32))
    assert np.isnan(check(built).turn_loudness_db).tolist() == [True, True]
    with pytest.raises(TableError, match="turn_loudness_db, row 0: 1"):
        check(replace(TABLE, turn_loudness_db=np.zeros(1, np.float32)))
    joined = check(concat([call("A 您好 @-20dB"), TABLE]))
    assert joined.lacks("loudness").tolist() == [False, True]


def test_a_part_is_its_calls_alone() -> None:
    calls = [TABLE, call("", {"x": 2}), call("A 您好 | C 喂", {"x": 1}), TABLE]
    joined = concat(calls)
    for first, end in ((0, 0), (0, 1), (1, 2), (1, 3), (3, 4), (0, 4)):
        cut = check(part(joined, first, end))
        assert cut.n_calls == end - first
        whole = concat(calls[first:end]) if first < end else cut
        assert [cut.turn_text(turn) for turn in range(cut.n_turns)] == [
            whole.turn_text(turn) for turn in range(whole.n_turns)
        ]
        for name in ("char_offsets", "char_start_ms", "speech_offsets", "speech_end_ms", "turn_end_ms"):
            np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name), err_msg=name)
