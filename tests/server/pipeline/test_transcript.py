"""Transcripts in: what is taken, what is refused and how the refusal reads."""

from typing import Any

import pytest

from server.errors import BadTranscript
from server.pipeline.transcript import parse

GOOD = {
    "call_id": "x1",
    "meta": {"balance_yuan": 3.5},
    "turns": [{"role": "agent", "text": "您好", "start_ms": 0, "end_ms": 900}],
}


def test_the_documented_shape_is_taken() -> None:
    call = parse(GOOD, call_id="file", meta={"direction": "outbound"})
    assert (call.call_id, call.has_times, call.separated, call.has_audio) == ("x1", True, True, False)
    assert dict(call.meta) == {"balance_yuan": 3.5, "direction": "outbound"}
    assert call.duration_ms == 900


def test_what_the_command_line_says_wins_over_the_file() -> None:
    assert parse(GOOD, call_id="f", meta={"balance_yuan": 4}).meta["balance_yuan"] == 4


def test_turns_are_sorted_and_scores_of_others_are_ignored() -> None:
    turns = [
        {"role": "customer", "text": "喂", "start_ms": 1000.4, "end_ms": 1500, "tags": ["c_confirm_self"]},
        {"role": "agent", "text": "您好", "start_ms": 0, "end_ms": 900},
    ]
    call = parse({"turns": turns, "expected": {"violated": []}}, call_id="f")
    assert [t.text for t in call.turns] == ["您好", "喂"]
    assert call.call_id == "f" and not call.turns[1].tags and call.turns[1].start_ms == 1000


def test_one_turn_without_times_makes_a_chat() -> None:
    call = parse({"turns": [GOOD["turns"][0], {"role": "customer", "text": "在"}]}, call_id="f")  # type: ignore[index]
    assert not call.has_times and [t.start_ms for t in call.turns] == [None, None]


def test_no_turns_is_a_result_with_a_warning() -> None:
    assert parse({"turns": []}, call_id="f").warnings == ("no_turns",)


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (None, "transcript"),
        ([], "transcript"),
        ({}, "turns"),
        ({"turns": "no"}, "turns"),
        ({"turns": [{"role": "robot", "text": "x"}]}, "turns.0.role"),
        ({"turns": [{"role": "agent"}]}, "turns.0.text"),
        ({"turns": [{"role": "agent", "text": 5}]}, "turns.0.text"),
        ({"turns": [{"role": "agent", "text": "x", "start_ms": -1, "end_ms": 5}]}, "turns.0.start_ms"),
        (
            {"turns": [{"role": "agent", "text": "x", "start_ms": float("nan"), "end_ms": 5}]},
            "turns.0.start_ms",
        ),
        ({"turns": [{"role": "agent", "text": "x", "start_ms": 9, "end_ms": 5}]}, "turns[0]"),
        ({"turns": [{"role": "agent", "text": "x", "start_ms": 0, "end_ms": 10**15}]}, "turns.0.end_ms"),
        ({"turns": [], "meta": {"a": {"b": {"c": 1}}}}, "'a'"),
    ],
)
def test_bad_shapes_are_named(raw: Any, named: str) -> None:
    with pytest.raises(BadTranscript) as caught:
        parse(raw, call_id="f")
    assert named in caught.value.what and caught.value.help


def test_earlier_attempts_may_be_flat_objects_and_nothing_deeper() -> None:
    attempts = [{"at": "2026-11-23T09:00:00+08:00", "connected": False}]
    assert parse(GOOD, call_id="f", meta={"history": attempts}).meta["history"] == tuple(attempts)
    for deeper in ([{"at": {"day": 1}}], {"at": "09:00"}, [["x"]]):
        with pytest.raises(BadTranscript, match="metadata field 'history' holds"):
            parse(GOOD, call_id="f", meta={"history": deeper})
