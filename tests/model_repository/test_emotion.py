"""The emotion model: its canary, batches of different lengths, level, refusals, what it is cut off from."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.shipped import load

MODEL = Path(__file__).parents[2] / "model_repository/emotion"
RATE_HZ = 8000

classifier_module = load("emotion", "classifier")


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
    assert classifier.n_labels == 4
    assert "dims: [ -1, 4 ]" in config


def test_scores_add_up_to_one(classifier):
    scores = classifier.scores([voice(1.0), voice(0.3, 90), np.zeros(4000, np.int16)])
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_answer_does_not_depend_on_the_batch(classifier):
    lengths_s = (0.3, 19.7, 1.0, 0.0, 4.2, 0.031, 0.032, 8.0)
    segments = [voice(seconds, 90 + 30 * place) for place, seconds in enumerate(lengths_s)]
    together = classifier.scores(segments)
    for row, segment in zip(together, segments, strict=True):
        np.testing.assert_allclose(classifier.scores([segment])[0], row, atol=1e-5)
    assert together.std(0).max() > 0.01, "a model that answers all alike would pass the rest"


def test_answer_does_not_depend_on_the_level(classifier):
    loud, quiet = classifier.scores([voice(2.0, level=6000), voice(2.0, level=600)])
    np.testing.assert_allclose(loud, quiet, atol=0.02)


def test_long_batches_are_split_to_bound_memory():
    lengths = [160_000] * 30 + [2400] * 10
    groups = classifier_module._groups(lengths)
    assert sorted(place for group in groups for place in group) == list(range(40))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert longest * len(group) <= classifier_module.PADDED_AT_ONCE
        assert longest <= 2 * min(lengths[place] for place in group)


def test_no_segments_no_scores(classifier):
    assert classifier.scores([]).shape == (0, 4)


def test_joined_stretches_are_cut_where_they_end(classifier):
    parts = [voice(0.5), voice(1.0, 120), voice(0.3)]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int32)
    for found, part in zip(classifier.stretches(np.concatenate(parts), ends, RATE_HZ), parts, strict=True):
        np.testing.assert_array_equal(found, part)


@pytest.mark.parametrize("ends", [[], [50], [-5, 100], [80, 60, 100], [100, 101]])
def test_ends_that_do_not_cut_the_sound_are_refused(classifier, ends):
    with pytest.raises(classifier_module.BadAudio, match="does not cut PCM of 100 samples\nhelp: "):
        classifier.stretches(np.ones(100, np.int16), np.array(ends, np.int32), RATE_HZ)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "says"),
    [
        (100, 16000, "SAMPLE_RATE is 16000 Hz"),
        (0, 8000, "no samples"),
        (120 * 8000 + 1, 8000, "PCM has 120.0 s"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_help(classifier, samples, rate_hz, says):
    with pytest.raises(classifier_module.BadAudio, match=f"{says}\nhelp: "):
        classifier.check(np.zeros(samples, np.int16), rate_hz)


def test_canary_answers_as_written(classifier):
    inputs, now = load("emotion", "canary_case").build()
    stored = json.loads((MODEL / "canary.json").read_text(encoding="utf-8"))
    pcm = np.frombuffer(base64.b64decode(stored["inputs"]["PCM"]["data"]), np.int16)
    ends = np.frombuffer(base64.b64decode(stored["inputs"]["ENDS"]["data"]), np.int32)
    np.testing.assert_array_equal(pcm, inputs["PCM"][0])
    np.testing.assert_array_equal(ends, inputs["ENDS"][0])
    expected = np.frombuffer(base64.b64decode(stored["outputs"]["SCORES"]["data"]), np.float32).reshape(2, 4)
    np.testing.assert_allclose(now["SCORES"][0], expected, atol=stored["outputs"]["SCORES"]["tolerance"])
    backwards = classifier.scores([np.ascontiguousarray(pcm[: ends[0]][::-1])])[0]
    assert np.abs(backwards - expected[0]).max() > 1e-4, "the control"
