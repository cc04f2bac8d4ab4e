"""Loudness of turns from their sound."""

import numpy as np
import pytest

from server.pipeline.call import Turn
from server.pipeline.loudness import loudness_db, measured
from server.pipeline.models import Pcm
from server.pipeline.session import Road
from tests.sounds import demo_call

RATE_HZ = 8000


def tone(ms: int, db: float) -> Pcm:
    """A sine whose mean power is ``db`` below full scale."""
    at = np.arange(ms * RATE_HZ // 1000) / RATE_HZ
    return (32767 * np.sqrt(2) * 10 ** (db / 20) * np.sin(2 * np.pi * 200 * at)).astype(np.int16)


@pytest.mark.parametrize("db", [-6, -20, -40])
def test_a_tone_has_its_level(db: float) -> None:
    assert loudness_db(tone(400, db), RATE_HZ) == pytest.approx(db, abs=0.1)


def test_pauses_do_not_make_a_turn_quieter() -> None:
    spoken = np.concatenate([tone(400, -20), np.zeros(RATE_HZ, np.int16), tone(400, -20)])
    assert loudness_db(spoken, RATE_HZ) == pytest.approx(-20, abs=0.1)


def test_less_than_a_frame_is_not_measured() -> None:
    assert loudness_db(tone(10, -20), RATE_HZ) is None


def test_each_turn_is_measured_on_its_own_side() -> None:
    sides = {"agent": np.concatenate([tone(500, -20), tone(500, -10)]), "customer": tone(1000, -30)}
    turns = [
        Turn("agent", "您好", 0, 500),
        Turn("customer", "喂", 100, 900),
        Turn("agent", "还钱", 500, 1000),
    ]
    levels = [turn.loudness_db for turn in measured(turns, sides, RATE_HZ)]
    assert levels == pytest.approx([-20, -30, -10], abs=0.1)


def test_the_turns_of_a_call_are_measured_and_those_of_a_transcript_are_not(road: Road) -> None:
    heard = road.inspect_audio(demo_call("compliant"), call_id="x", meta={}).table
    assert heard is not None and heard.n_turns and not heard.lacks("loudness").any()
    assert ((heard.turn_loudness_db > -60) & (heard.turn_loudness_db < 0)).all()
    read = road.inspect_transcript({"turns": [{"role": "agent", "text": "您好"}]}, call_id="x").table
    assert read is not None and np.isnan(read.turn_loudness_db).all()
