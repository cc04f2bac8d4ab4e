"""The emotion model: its canary, mixed lengths, level, speakers, words, refusals, what it is cut off from."""

import base64
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.shipped import load

MODEL = Path(__file__).parents[2] / "model_repository/emotion"
RATE_HZ = 8000
for name in ("voice", "words"):
    sys.modules[name] = load("emotion", name)
try:
    classifier_module = load("emotion", "classifier")
finally:
    voice_module, words_module = sys.modules.pop("voice"), sys.modules.pop("words")


@pytest.fixture(scope="module")
def classifier():
    return classifier_module.EmotionClassifier(MODEL / "1", rate_hz=RATE_HZ)


def voice(seconds: float, pitch_hz: float = 180.0, level: float = 3000.0) -> np.ndarray:
    """Something like a vowel with a wandering pitch and syllables."""
    time = np.arange(max(1, int(seconds * RATE_HZ))) / RATE_HZ
    phase = 2 * np.pi * pitch_hz * (time + 0.02 * np.sin(2 * np.pi * 0.7 * time))
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 15))
    noise = np.random.default_rng(0).standard_normal(len(time)) * 0.05
    return np.rint(level * (buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)) + noise)).astype(np.int16)


def test_labels_of_the_config_are_the_columns_of_the_weights(classifier):
    config = (MODEL / "config.pbtxt").read_text(encoding="utf-8")
    labels = re.search(r'"labels" value: { string_value: "([^"]+)"', config)
    assert labels is not None
    assert labels.group(1).split(",") == ["angry", "happy", "neutral", "sad"]
    assert classifier.n_labels == 4 and classifier.read([""]).shape == (1, 4)
    assert "dims: [ -1, 4 ]" in config and f"dims: [ -1, {len(voice_module.AROUSAL)} ]" in config


def test_scores_add_up_to_one(classifier):
    heard = classifier.hear([voice(1.0), voice(0.3, 90), np.zeros(4000, np.int16), np.ones(1, np.int16)])
    assert (heard.scores >= 0).all() and np.isfinite(heard.arousal).all()
    np.testing.assert_allclose(heard.scores.sum(1), 1, atol=1e-5)


def test_answer_does_not_depend_on_the_other_stretches(classifier):
    lengths_s = (0.3, 19.7, 1.0, 0.0, 4.2, 0.031, 0.04, 8.0)
    stretches = [voice(seconds, 90 + 30 * place) for place, seconds in enumerate(lengths_s)]
    together = classifier.hear(stretches)
    for row, stretch in enumerate(stretches):
        alone = classifier.hear([stretch])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], atol=1e-5)
        np.testing.assert_allclose(alone.arousal[0], together.arousal[row], atol=1e-4)
    assert together.scores.std(0).max() > 0.01, "a model that answers all alike would pass the rest"


def test_stretches_of_one_speaker_are_heard_against_each_other(classifier):
    stretches = [voice(1.0, pitch) for pitch in (120, 130, 260)]
    alone = classifier.hear(stretches).scores
    np.testing.assert_allclose(classifier.hear(stretches, np.array([5, 0, 7])).scores, alone, atol=1e-6)
    assert np.abs(classifier.hear(stretches, np.array([1, 1, 1])).scores - alone).max() > 1e-3


def test_answer_does_not_depend_on_the_level_but_loudness_tells_it(classifier):
    loud, quiet = (classifier.hear([voice(2.0, level=level)]) for level in (6000, 600))
    np.testing.assert_allclose(loud.scores, quiet.scores, atol=0.02)
    assert loud.arousal[0, 0] - quiet.arousal[0, 0] == pytest.approx(20, abs=0.2)


def _arousal(classifier, sound: np.ndarray) -> np.ndarray:
    return classifier.hear([sound.astype(np.int16)]).arousal[0]


@pytest.mark.parametrize("pitch_hz", [90, 120, 180, 260, 350])
def test_pitch_is_measured_in_semitones(classifier, pitch_hz):
    time = np.arange(RATE_HZ) / RATE_HZ
    steady = sum(
        np.sin(2 * np.pi * pitch_hz * n * time) / n for n in range(1, 12) if pitch_hz * n < RATE_HZ / 2
    )
    measured = dict(zip(voice_module.AROUSAL, _arousal(classifier, np.rint(3000 * steady)), strict=True))
    assert measured["pitch_st"] == pytest.approx(12 * np.log2(pitch_hz / 100), abs=0.1)
    assert measured["voiced_share"] > 0.5


def test_noise_has_no_pitch(classifier):
    noise = np.random.default_rng(0).normal(0, 2000, 8000).astype(np.int16)
    assert classifier.hear([noise]).arousal[0, 4] < 0.1


def test_a_sharp_voice_has_a_flatter_tilt(classifier):
    soft = voice(1.0)
    sharp = np.clip(np.diff(soft.astype(np.float64), prepend=0) * 3, -32768, 32767).astype(np.int16)
    tilts = classifier.hear([soft, sharp]).arousal[:, 3]
    assert tilts[1] - tilts[0] > 5


def test_nothing_asked_nothing_answered(classifier):
    assert classifier.hear([]).scores.shape == (0, 4)
    assert classifier.read([]).shape == (0, 4)


def test_words_tell_abuse_from_thanks(classifier):
    angry, thanks = classifier.read(["你给我滚，你这个混蛋！", "好的谢谢你哦"])
    assert angry[0] > thanks[0] + 0.2
    np.testing.assert_allclose(classifier.read(["你 给我滚 你这个混蛋"])[0], angry, atol=1e-6)


def test_words_that_nothing_is_known_of_leave_it_open(classifier):
    assert classifier.read(["ᚠᚢ"])[0].max() < 0.9
    assert np.isfinite(classifier.read(["", "字" * 100_000])).all()


def test_joined_stretches_are_cut_where_they_end(classifier):
    parts = [voice(0.5), voice(1.0, 120), voice(0.3)]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int32)
    for found, part in zip(classifier.stretches(np.concatenate(parts), ends, RATE_HZ), parts, strict=True):
        np.testing.assert_array_equal(found, part)


@pytest.mark.parametrize("ends", [[], [50], [-5, 100], [80, 60, 100], [100, 101]])
def test_ends_that_do_not_cut_the_sound_are_refused(classifier, ends):
    with pytest.raises(classifier_module.BadInput, match="does not cut PCM of 100 samples\nhelp: "):
        classifier.stretches(np.ones(100, np.int16), np.array(ends, np.int32), RATE_HZ)


@pytest.mark.parametrize(
    ("samples", "ends", "rate_hz", "says"),
    [
        (100, [100], 16000, "SAMPLE_RATE is 16000 Hz"),
        (100, [40, 40, 100], 8000, "a stretch without samples"),
        (120 * 8000 + 1, [120 * 8000 + 1], 8000, "a stretch of 120.0 s"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_help(classifier, samples, ends, rate_hz, says):
    with pytest.raises(classifier_module.BadInput, match=f"{says}\nhelp: "):
        classifier.stretches(np.zeros(samples, np.int16), np.array(ends, np.int32), rate_hz)


def test_a_speaker_for_each_stretch(classifier):
    with pytest.raises(classifier_module.BadInput, match="SPEAKER has 1 numbers for 2 stretches\nhelp: "):
        classifier.hear([voice(0.5), voice(0.5)], np.array([0]))


def _floats(tensor: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(tensor["data"]), np.float32).reshape(tensor["shape"])


def test_canary_answers_as_written(classifier):
    stored = json.loads((MODEL / "canary.json").read_text(encoding="utf-8"))
    pcm, ends, speaker = (
        np.frombuffer(base64.b64decode(stored["inputs"][name]["data"]), kind)
        for name, kind in (("PCM", np.int16), ("ENDS", np.int32), ("SPEAKER", np.int32))
    )
    stretches = classifier.stretches(pcm, ends, RATE_HZ)
    heard = classifier.hear(stretches, speaker)
    now = {
        "SCORES": heard.scores,
        "AROUSAL": heard.arousal,
        "WORDS": classifier.read(stored["inputs"]["TEXT"]["data"]),
    }
    for name, answer in stored["outputs"].items():
        np.testing.assert_allclose(now[name], _floats(answer)[0], atol=answer["tolerance"], err_msg=name)
    backwards = classifier.hear([np.ascontiguousarray(stretch[::-1]) for stretch in stretches], speaker)
    assert np.abs(backwards.scores - heard.scores).max() > 1e-4, "the control"
