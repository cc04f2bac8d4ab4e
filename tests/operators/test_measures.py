"""Figures of a call."""

from operators.measures import measures
from operators.table import concat
from operators.testing import call

TALK = "A 0-2 您好我是银行的 | C 1-4 什么事我很忙啊你说 | A 9-12 您的贷款逾期了请还款"


def test_figures_of_a_call() -> None:
    (figures,) = measures(call(TALK))
    assert figures["duration_ms"] == 12_000 and figures["turns"] == 3
    assert (figures["silences"], figures["silence_total_ms"], figures["silence_longest_ms"]) == (
        1,
        5000,
        5000,
    )
    assert figures["silence_ratio"] == 0.417
    agent, customer = figures["agent"], figures["customer"]
    assert (agent["talk_ms"], agent["talk_ratio"], customer["talk_ms"]) == (5000, 0.417, 3000)
    assert agent["speech_rate_cpm"] == 204.0  # 7 + 10 characters in 5 s
    assert agent["speech_rate_p50_cpm"] == 205.0  # of 210 and 200
    assert (customer["interruptions"], customer["interruption_total_ms"], agent["interruptions"]) == (
        1,
        1000,
        0,
    )
    assert (agent["response_p50_ms"], customer["response_p50_ms"]) == (5000.0, 0.0)


def test_a_chat_has_no_timed_figures() -> None:
    (figures,) = measures(call("A 您好 | C 喂"))
    assert figures["turns"] == 2 and figures["agent"]["turns"] == 1
    assert figures["duration_ms"] is figures["silences"] is figures["interruptions"] is None
    assert figures["agent"]["speech_rate_cpm"] is figures["agent"]["talk_ms"] is None


def test_a_mixed_recording_has_no_figures_by_role() -> None:
    (figures,) = measures(call(TALK, separated=False))
    assert figures["silences"] == 1 and figures["interruptions"] is None
    assert set(figures["agent"].values()) == {None}


def test_an_empty_call_divides_by_nothing() -> None:
    (figures,) = measures(call(""))
    assert figures["turns"] == 0 and figures["silence_ratio"] is None


def test_calls_do_not_mix() -> None:
    tables = [call(TALK), call("A 您好 | C 喂"), call(TALK, separated=False), call("C 0-1 喂喂喂喂")]
    assert measures(concat(tables)) == [figures for table in tables for figures in measures(table)]
