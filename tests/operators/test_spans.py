"""Spans inside and beside others, against the plain definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.spans import ends_before, inside, starts_after

spans = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(1, 4)).map(
        lambda s: (s[0], s[1], s[1] + s[2])
    ),
    max_size=8,
)


def _rows(found: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([(0, 0, start, end) for _, start, end in found], np.int32).reshape(-1, 4)
    return rows, np.array([group for group, _, _ in found], np.int64)


@settings(max_examples=200, deadline=None)
@given(spans, spans, st.integers(0, 5))
def test_every_relation_is_what_it_says(
    mine: list[tuple[int, int, int]], others: list[tuple[int, int, int]], within: int
) -> None:
    own, groups, around, around_groups = *_rows(mine), *_rows(others)
    reach = np.full(len(mine), within)
    for found, relation in (
        (inside(own, groups, around, around_groups), lambda s, e, a, b: a <= s and e <= b),
        (ends_before(own, groups, around, around_groups, reach), lambda s, e, a, b: 0 <= s - b <= within),
        (starts_after(own, groups, around, around_groups, reach), lambda s, e, a, b: 0 <= a - e <= within),
    ):
        assert found.tolist() == [
            any(group == other and relation(start, end, a, b) for other, a, b in others)
            for group, start, end in mine
        ]
