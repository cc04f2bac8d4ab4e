"""Turns from characters, and the table from a call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pipeline import turns
from server.pipeline.call import Call, Speech, Turn
from server.pipeline.models import Units


def units(text: str, start_ms: int = 0, per_char_ms: int = 200) -> Units:
    starts = start_ms + per_char_ms * np.arange(len(text), dtype=np.int64)
    return Units(tuple(text), starts, starts + per_char_ms, np.full(len(text), 0.5, np.float32))


def heard(role: str, start_ms: int, text: str) -> turns.Heard:
    return turns.Heard(role, 0 if role == "agent" else 1, start_ms, units(text))


def test_turns_are_ordered_over_both_channels() -> None:
    built = turns.build(
        [heard("customer", 3000, "喂"), heard("agent", 0, "您好"), heard("agent", 5000, "请问")]
    )
    assert [(t.role, t.text, t.start_ms, t.end_ms) for t in built] == [
        ("agent", "您好", 0, 400), ("customer", "喂", 3000, 3200), ("agent", "请问", 5000, 5400),
    ]  # fmt: skip


def test_a_speaker_who_goes_on_keeps_one_turn_and_a_long_pause_ends_it() -> None:
    assert [t.text for t in turns.build([heard("agent", 0, "您好"), heard("agent", 1500, "请问")])] == [
        "您好请问"
    ]
    assert [t.text for t in turns.build([heard("agent", 0, "您好"), heard("agent", 9000, "请问")])] == [
        "您好",
        "请问",
    ]


def test_words_of_the_other_side_split_a_turn() -> None:
    built = turns.build(
        [heard("agent", 0, "您好"), heard("customer", 600, "嗯"), heard("agent", 1500, "请问")]
    )
    assert [t.role for t in built] == ["agent", "customer", "agent"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["agent", "customer"]),
            st.integers(0, 60_000),
            st.text("一二三四五", min_size=0, max_size=8),
        ),
        max_size=12,
    )
)
def test_no_character_is_lost_and_every_character_keeps_its_time(pieces: list[tuple[str, int, str]]) -> None:
    built = turns.build([heard(*piece) for piece in pieces])
    assert sorted("".join(t.text for t in built)) == sorted("".join(text for _, _, text in pieces))
    assert all(len(t.char_start_ms) == len(t.text) and t.text for t in built)
    starts = [t.start_ms or 0 for t in built]
    assert starts == sorted(starts)


@given(
    st.permutations(
        [("agent", 0, "您好"), ("customer", 700, "喂"), ("agent", 2500, "请问"), ("customer", 9000, "是")]
    )
)
def test_order_of_segments_does_not_matter(pieces: list[tuple[str, int, str]]) -> None:
    assert turns.build([heard(*p) for p in pieces]) == turns.build(
        [heard(*p) for p in sorted(pieces, key=lambda p: p[1])]
    )


def call(*spoken: Turn, has_audio: bool = False, speech: dict[str, Speech] | None = None) -> Call:
    timed = all(t.start_ms is not None for t in spoken)
    return Call("x", {"direction": "outbound"}, spoken, 5000, timed, True, has_audio, speech or {})


def test_table_holds_what_the_call_holds() -> None:
    first = Turn("agent", "您好", 0, 400, 0, 0.9, (0, 200), (200, 400), {"angry": 0.25}, {"a": 0.5})
    table = turns.table(
        call(first, Turn("customer", "喂", 500, 900)), emotion_labels=("angry",), tag_labels=("a", "b")
    )
    assert table.turn_text(0) == "您好" and table.turn_text(1) == "喂"
    assert table.meta["direction"] == ("outbound",)
    assert table.tags[0].tolist() == [0.5, 0.0] and np.isnan(table.tags[1]).all()
    assert table.emotion[0].tolist() == [0.25]
    assert table.char_offsets.tolist() == [0, 2, 2]
    assert table.speech_start_ms.tolist() == [0, 500], "without audio, turn times stand for speech"


def test_a_chat_lacks_times_and_keeps_its_order() -> None:
    table = turns.table(
        call(Turn("agent", "在吗", None, None), Turn("customer", "在", None, None)),
        emotion_labels=(),
        tag_labels=(),
    )
    assert table.lacks("times").all() and len(table.speech_start_ms) == 0
    assert table.turn_start_ms.tolist() == [0, 1]


@pytest.mark.parametrize("sides", [{}, {"agent": Speech(np.array([100]), np.array([900]))}])
def test_audio_gives_its_own_speech(sides: dict[str, Speech]) -> None:
    table = turns.table(
        call(Turn("agent", "您", 0, 400, 0), has_audio=True, speech=sides), emotion_labels=(), tag_labels=()
    )
    assert table.speech_start_ms.tolist() == ([100] if sides else [])
