"""Bootstrap intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.intervals import Floats, estimates, group_count, ratio


def _mean(sums: Floats) -> Floats:
    return ratio(sums[:, :1], sums[:, 1:])


def _counts(values: list[float]) -> Floats:
    return np.column_stack([values, np.ones(len(values))])


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40))
def test_the_interval_holds_the_figure(values: list[int]) -> None:
    (found,) = estimates(_counts([float(v) for v in values]), [""] * len(values), _mean)
    assert found.value == pytest.approx(np.mean(values))
    assert found.items is not None and found.groups is None
    assert found.items[0] <= found.value <= found.items[1]


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    """Against theory: 400 draws of a coin of 0.3 have a standard error of 0.0229."""
    values = [1.0] * 120 + [0.0] * 280
    (found,) = estimates(_counts(values), [""] * 400, _mean)
    error = np.sqrt(0.3 * 0.7 / 400)
    assert found.items == pytest.approx((0.3 - 1.96 * error, 0.3 + 1.96 * error), abs=0.005)


def test_items_that_repeat_their_group_say_less_than_their_number() -> None:
    values = [1.0] * 50 + [0.0] * 50
    groups = [str(number // 10) for number in range(100)]
    (found,) = estimates(_counts(values), groups, _mean)
    assert found.items is not None and found.groups is not None
    width = [high - low for low, high in (found.items, found.groups)]
    assert width[1] > 2 * width[0], "ten groups of ten equal items are ten items"


def test_an_item_without_group_is_its_own() -> None:
    counts = _counts([1.0, 0.0, 1.0, 0.0])
    (alone,) = estimates(counts, ["", "", "", "b"], _mean)
    assert alone.groups == alone.items
    assert [group_count(g) for g in (["", "", "", "b"], ["a", "b", "a"], ["", ""])] == [4, 2, 0]


def test_same_seed_same_interval_and_another_one_differs() -> None:
    counts = _counts([float(v % 7) for v in range(50)])
    first, second, other = (estimates(counts, [""] * 50, _mean, seed=seed)[0] for seed in (1, 1, 2))
    assert first == second != other


def test_nothing_is_claimed_of_one_item_or_an_undefined_figure() -> None:
    (one,) = estimates(_counts([3.0]), [""], _mean)
    assert one.value == 3 and one.items is None
    (undefined,) = estimates(np.zeros((5, 2)), [""] * 5, _mean)
    assert undefined.items is None
    assert undefined.as_dict() == {"value": None, "ci95": None, "ci95_groups": None}


def test_many_items_are_resampled_in_pieces() -> None:
    counts = _counts([float(v % 2) for v in range(10_000)])
    (found,) = estimates(counts, [""] * 10_000, _mean)
    assert found.items == pytest.approx((0.5 - 1.96 * 0.005, 0.5 + 1.96 * 0.005), abs=0.0015)
