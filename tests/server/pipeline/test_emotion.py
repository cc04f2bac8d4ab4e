"""Emotion of turns: what fusion keeps, what agitation is relative to, turns so far, turns without sound."""

import numpy as np
import pytest

from server.pipeline import emotion
from server.pipeline.call import Turn
from server.pipeline.models import Feelings, ModelInfo

LABELS = ("angry", "happy", "neutral", "sad")
INFO = ModelInfo("emotion", "1", LABELS, None, frozenset({"AROUSAL", "TEXT", "WORDS"}))
CALM = np.array([[-30, 0, 4, -8, 0.6]], np.float32)
"""Loudness in dB, pitch and its spread in semitones, tilt in dB, voiced share."""
RAISED = CALM + np.array([[9, 6, 3, 5, 0]], np.float32)


def voices(*rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """The rows with the differences that a calm speaker's turns have."""
    spread = np.array([1, 0.7, 1, 1, 0.02])
    noise = np.random.default_rng(seed).normal(0, 1, (len(rows), 5)) * spread
    return (np.concatenate(rows) + noise).astype(np.float32)


def agitation(
    arousal: np.ndarray, roles: list[str] | None = None, rate: np.ndarray | None = None
) -> np.ndarray:
    rate = np.full(len(arousal), np.nan, np.float32) if rate is None else rate
    return emotion.agitation(emotion.raised(arousal, rate, roles or ["customer"] * len(arousal)))


def test_a_raised_voice_is_agitated_against_the_speakers_own() -> None:
    scores = agitation(voices(*[CALM] * 8, RAISED))
    assert scores[-1] > 0.7 and scores[:-1].max() < 0.4
    assert agitation(voices(*[CALM] * 8, CALM))[-1] < 0.4, "the control"


def test_a_voice_that_is_always_raised_is_its_own_baseline() -> None:
    assert agitation(voices(*[RAISED] * 9)).max() < 0.5


def test_each_role_has_its_own_baseline() -> None:
    rows = voices(*[CALM, RAISED] * 6)
    apart = agitation(rows, ["agent", "customer"] * 6)
    assert apart.max() < 0.5
    assert agitation(rows)[1::2].min() > apart[1::2].max(), "the control: one role, two voices"


def test_a_role_that_may_be_several_people_has_no_baseline() -> None:
    rows = voices(*[CALM, RAISED] * 4)
    assert np.isnan(agitation(rows, ["other"] * 8)).all()
    turns = [Turn(role, "好", 0, 400) for role in ("other", "agent", "other", "agent")]
    numbers = emotion.speakers(turns)
    assert len(set(numbers)) == 3 and numbers[1] == numbers[3]
    scores = np.full((4, 4), 0.25, np.float32)
    felt = emotion.of_turns(turns, INFO, Feelings(scores, scores, rows[:4]))
    assert ["agitated" in row for row in felt] == [False, True, False, True]


def test_gain_and_equaliser_of_a_channel_change_nothing() -> None:
    rows = voices(*[CALM] * 6, RAISED)
    through = rows + np.array([-17, 0, 0, 6, 0], np.float32)
    np.testing.assert_allclose(agitation(rows), agitation(through), atol=1e-5)


def test_the_first_turns_are_not_wild() -> None:
    assert agitation(RAISED)[0] == pytest.approx(agitation(CALM)[0])
    assert agitation(np.concatenate([CALM, RAISED])).max() < agitation(voices(*[CALM] * 8, RAISED))[-1]


def test_turns_so_far_give_what_the_call_gives_once_the_baseline_is_known() -> None:
    rows = voices(*[CALM] * 12, RAISED, *[CALM] * 12)
    so_far, whole = agitation(rows[:13])[-1], agitation(rows)[12]
    assert so_far > 0.7 and whole == pytest.approx(so_far, abs=0.1)


def test_an_unvoiced_turn_is_judged_by_the_rest() -> None:
    whisper = RAISED.copy()
    whisper[0, [1, 2, 4]] = -100, 0, 0.02
    scores = agitation(voices(*[CALM] * 8, whisper))
    assert np.isfinite(scores).all() and scores[-1] > 0.4


def test_rate_counts_where_it_is_known() -> None:
    rows = np.repeat(CALM, 9, axis=0)
    rate = np.full(9, 4, np.float32)
    rate[-1] = 9
    assert agitation(rows, rate=rate)[-1] > agitation(rows)[-1]
    turns = [Turn("agent", "你好" * 3, 0, 1500), Turn("agent", "好", 0, 200)]
    assert emotion.rates(turns)[0] == 4 and np.isnan(emotion.rates(turns)[1])


def _fused(*parts: np.ndarray) -> np.ndarray:
    fused = emotion.fuse(LABELS, *parts)
    assert fused is not None
    return fused


def test_a_raised_voice_speaks_for_anger_and_against_sadness() -> None:
    flat = np.full((2, 4), 0.25)
    calm, loud = _fused(flat, flat, np.array([0.0, 2.0], np.float32))
    np.testing.assert_allclose(calm, 0.25, atol=1e-6)
    assert loud[0] > loud[1] > loud[2] > loud[3]


def test_fusion_keeps_what_both_say_and_weighs_what_they_do_not() -> None:
    angry, neutral = np.array([[0.7, 0.1, 0.1, 0.1]]), np.array([[0.1, 0.1, 0.7, 0.1]])
    both, torn = _fused(angry, angry), _fused(angry, neutral)
    assert both[0].argmax() == 0 and 0.2 < torn[0, 0] < both[0, 0]
    np.testing.assert_allclose(both.sum(1), 1, atol=1e-6)
    flat = np.full((1, 4), 0.25)
    assert np.argsort(_fused(flat, angry)[0])[-1] == 0, "words decide where the sound says nothing"


def test_one_alone_passes_as_it_is() -> None:
    scores = np.array([[0.5, 0.1, 0.2, 0.2]], np.float32)
    assert emotion.fuse(LABELS, scores, None) is scores and emotion.fuse(LABELS, None, scores) is scores
    assert emotion.fuse(LABELS, None, None) is None


def test_turns_without_sound_have_emotions_but_no_agitation() -> None:
    turns = [Turn("agent", "您好", None, None)]
    words = np.array([[0.1, 0.2, 0.6, 0.1]], np.float32)
    (row,) = emotion.of_turns(turns, INFO, Feelings(words=words))
    assert tuple(row) == LABELS
    (row,) = emotion.of_turns(turns, INFO, Feelings(words, None, CALM))
    assert tuple(row) == (*LABELS, "agitated") == emotion.labels(INFO)
    assert emotion.of_turns(turns, INFO, Feelings()) == [{}]


def test_a_model_that_measures_no_arousal_has_its_own_labels_alone() -> None:
    assert emotion.labels(ModelInfo("emotion", "1", LABELS)) == LABELS
