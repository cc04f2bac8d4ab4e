"""Which stretches of text lie inside or beside which others: occurrences of words joined within groups.

A span is a row (owner, turn, first character, end) as ``operators.words.find`` gives it; a group is any
number that two spans must share to be compared, e.g. (use, turn).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.columns import kernel
from operators.table import Bool, Int32, Int64

_CHARACTERS = 1 << 24
"""More than any turn has, so that a place within a group never reaches into the next."""


def inside(spans: Int32, group: Int64, around: Int32, around_group: Int64) -> Bool:
    """Which ``spans`` lie wholly within one of ``around`` of the same group."""
    order = np.lexsort((around[:, 2], around_group))
    around, around_group = around[order], around_group[order]
    first = np.searchsorted(around_group, group)
    end = np.searchsorted(around_group, group, side="right")
    return _inside(spans, around, around_group, first, end)


@kernel
def _inside(spans: Int32, around: Int32, around_group: Int64, first: Int64, end: Int64) -> Bool:
    """Those of a group are ordered by start, so the furthest end so far decides for every one before it."""
    furthest = around[:, 3].copy()
    for row in range(1, len(around)):
        if around_group[row] == around_group[row - 1]:
            furthest[row] = max(furthest[row], furthest[row - 1])
    out = np.zeros(len(spans), np.bool_)
    for row in range(len(spans)):
        low, high = first[row], end[row]
        while low < high:
            middle = (low + high) // 2
            if around[middle, 2] <= spans[row, 2]:
                low = middle + 1
            else:
                high = middle
        out[row] = low > first[row] and furthest[low - 1] >= spans[row, 3]
    return out


def ends_before(spans: Int32, group: Int64, others: Int32, other_group: Int64, within: NDArray[Any]) -> Bool:
    """Which ``spans`` have one of ``others`` before them, at most ``within`` characters between the two."""
    ends = np.sort(other_group * _CHARACTERS + others[:, 3])
    start = group * _CHARACTERS + spans[:, 2]
    near: Bool = np.searchsorted(ends, start, side="right") > np.searchsorted(ends, start - within)
    return near


def starts_after(spans: Int32, group: Int64, others: Int32, other_group: Int64, within: NDArray[Any]) -> Bool:
    """Which ``spans`` have one of ``others`` after them, at most ``within`` characters between the two."""
    starts = np.sort(other_group * _CHARACTERS + others[:, 2])
    end = group * _CHARACTERS + spans[:, 3]
    near: Bool = np.searchsorted(starts, end + within, side="right") > np.searchsorted(starts, end)
    return near
