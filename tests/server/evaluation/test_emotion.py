"""Emotion figures against a confusion counted by hand."""

import numpy as np
import pytest

from server.evaluation.emotion import figures

LABELS = ("angry", "neutral", "sad")


def _scores(choices: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    scores = np.full((len(choices), 3), 0.1, np.float32)
    scores[np.arange(len(choices)), choices] = 0.8
    return scores


def test_figures() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1])
    found = figures(_scores([0, 0, 0, 1, 1, 2]), truth, LABELS, [""] * 6)
    assert found.confusion.tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert found.accuracy.value == pytest.approx(4 / 6)
    assert found.uar.value == pytest.approx((3 / 4 + 1 / 2) / 2), "sad does not occur and does not count"
    assert [r.value for r in found.recall[:2]] == [0.75, 0.5] and np.isnan(found.recall[2].value)
    assert [p.value for p in found.precision] == [1, 0.5, 0]
    assert found.f1[0].value == pytest.approx(6 / 7)
    assert found.calibration_error == pytest.approx(0.8 - 4 / 6)
    assert sum(b.answers for b in found.bins) == 6
    assert found.as_dict()["labels"]["sad"]["recall"]["value"] is None


def test_a_constant_answer_has_the_recall_of_chance() -> None:
    truth = np.array([0] * 50 + [1] * 30 + [2] * 20)
    found = figures(_scores([0] * 100), truth, LABELS, [""] * 100)
    assert found.uar.value == pytest.approx(1 / 3)
    assert found.uar.items == pytest.approx((1 / 3, 1 / 3))
    assert found.accuracy.value == pytest.approx(0.5)
