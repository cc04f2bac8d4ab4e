"""Tag figures against cases counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.tags import figures

LABELS = ("a", "b", "c")
SCORES = np.array([[0.9, 0.2, 0.0], [0.6, 0.5, 0.0], [0.1, 0.9, 0.0], [0.7, 0.3, 0.0]], np.float32)
CARRIED = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0]], np.bool_)


def test_figures() -> None:
    found = figures(SCORES, CARRIED, LABELS, [0.5] * 3, [""] * 4)
    a, b, c = found.tags
    assert (a.carried, a.flagged, b.carried, b.flagged, c.carried, c.flagged) == (3, 3, 3, 2, 0, 0)
    assert (a.precision.value, a.recall.value, a.f1.value) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (b.precision.value, b.recall.value, b.f1.value) == pytest.approx((1, 2 / 3, 4 / 5))
    assert np.isnan([c.precision.value, c.recall.value, c.f1.value]).all()
    overall = {name: estimate.value for name, estimate in found.overall.items()}
    assert overall == pytest.approx(
        {"micro_precision": 4 / 5, "micro_recall": 4 / 6, "micro_f1": 8 / 11, "macro_f1": (2 / 3 + 4 / 5) / 2}
    )


def test_thresholds_are_of_each_tag_and_reached_by_equal_scores() -> None:
    found = figures(SCORES, CARRIED, LABELS, [0.65, 0.3, 0.5], [""] * 4)
    assert [tag.flagged for tag in found.tags] == [2, 3, 0]


def test_reliability_counts_every_decision_once() -> None:
    found = figures(SCORES, CARRIED, LABELS, [0.5] * 3, [""] * 4)
    assert sum(b.answers for b in found.bins) == 12
    top = found.bins[9]
    assert (top.answers, top.right) == (2, 1) and top.score == pytest.approx(0.9)


def test_perfect_and_perfectly_wrong() -> None:
    perfect = figures(CARRIED.astype(np.float32), CARRIED, LABELS, [0.5] * 3, [""] * 4)
    assert perfect.overall["micro_f1"].value == perfect.overall["macro_f1"].value == 1
    assert perfect.calibration_error == 0
    wrong = figures(1 - CARRIED.astype(np.float32), CARRIED, LABELS, [0.5] * 3, [""] * 4)
    assert wrong.overall["micro_f1"].value == 0 and wrong.calibration_error == 1


@given(st.integers(0, 2**12 - 1), st.integers(0, 2**12 - 1))
def test_intervals_hold_the_figures(scored: int, carried: int) -> None:
    scores = np.array([scored >> k & 1 for k in range(12)], np.float32).reshape(4, 3)
    truth = np.array([carried >> k & 1 for k in range(12)], np.bool_).reshape(4, 3)
    found = figures(scores, truth, LABELS, [0.5] * 3, [""] * 4)
    for estimate in (*found.overall.values(), *(tag.f1 for tag in found.tags)):
        if estimate.items is not None:
            assert 0 <= estimate.items[0] <= estimate.value <= estimate.items[1] <= 1
