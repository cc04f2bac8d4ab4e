"""Calibration by hand."""

import numpy as np
import pytest

from server.evaluation.calibration import expected_error, reliability


def test_bins_and_error() -> None:
    scores = np.array([0.0, 0.05, 0.72, 0.78, 1.0], np.float32)
    right = np.array([False, False, True, False, True])
    bins = reliability(scores, right)
    assert [b.answers for b in bins] == [2, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    assert bins[7].score == pytest.approx(0.75) and bins[7].right == 0.5
    assert expected_error(bins) == pytest.approx((2 * 0.025 + 2 * 0.25 + 0) / 5)
    assert bins[1].as_dict() == {"from": 0.1, "to": 0.2, "answers": 0, "score": None, "right": None}


def test_nothing_has_no_error() -> None:
    assert np.isnan(expected_error(reliability(np.zeros(0, np.float32), np.zeros(0, np.bool_))))
