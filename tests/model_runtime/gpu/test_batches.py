"""Batches of like length: nobody is lost, padding stays small, shapes stay few."""

import numpy as np
import pytest

from model_runtime.gpu.batches import Plan, useful_share

PLAN = Plan(most_frames=12_000)


def cuts(count: int) -> list[int]:
    """Frames of speech segments: log-normal, 0.4 to 15 s."""
    return np.clip(np.random.default_rng(1).lognormal(5.6, 0.7, count), 40, 1500).astype(int).tolist()


@pytest.mark.parametrize("count", [0, 1, 7, 900])
@pytest.mark.parametrize("way", [PLAN.bucketed, PLAN.in_order])
def test_every_segment_is_in_one_batch_that_holds_it(count: int, way: object) -> None:
    frames = cuts(count)
    batches = way(frames)  # type: ignore[operator]
    assert sorted(place for batch in batches for place in batch.places) == list(range(count))
    for batch in batches:
        assert max(frames[place] for place in batch.places) <= batch.width
        assert len(batch.places) <= batch.rows
        assert batch.rows * batch.width <= PLAN.most_frames


def test_buckets_waste_less_than_a_tenth_and_order_of_arrival_much_more() -> None:
    frames = cuts(3_000)
    assert useful_share(PLAN.bucketed(frames), frames) > 0.9
    assert useful_share(PLAN.in_order(frames), frames) < 0.6


def test_longest_first_and_few_shapes() -> None:
    frames = cuts(3_000)
    batches = PLAN.bucketed(frames)
    widths = [batch.width for batch in batches]
    assert widths == sorted(widths, reverse=True)
    assert len({(batch.rows, batch.width) for batch in batches}) <= 2 * len(PLAN.widths)
    assert len(PLAN.widths) < 60


def test_a_short_segment_does_not_join_a_wide_batch() -> None:
    assert [batch.places for batch in PLAN.bucketed([100, 1000, 950])] == [(1, 2), (0,)]


def test_widths_hold_the_longest_and_refuse_more() -> None:
    assert PLAN.width(PLAN.longest) >= PLAN.longest
    with pytest.raises(ValueError, match="longest is 3200"):
        PLAN.width(9_999)
