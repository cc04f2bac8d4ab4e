"""Hits are sorted by (use, call, start, turn, characters), whatever order a scan gives them in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import COLUMNS, _arrange
from operators.spec import Hits

USES = 5


def hits(rng: np.random.Generator, n: int, largest: int) -> Hits:
    columns = {name: rng.integers(0, largest, n) for name in COLUMNS[:-1]}
    columns["use"] = rng.integers(0, USES, n)
    return Hits(**columns, value=np.arange(n, dtype=np.float64), unknown=np.zeros((USES, largest), np.bool_))


def by_numpy(found: Hits) -> list[float]:
    keys = (found.use, found.call, found.start_ms, found.turn, found.char_start, found.char_end)
    return [float(value) for value in found.value[np.lexsort(keys[::-1])]]


@settings(deadline=None)
@given(st.integers(0, 99), st.integers(0, 40), st.integers(1, 4))
def test_any_order(seed: int, n: int, largest: int) -> None:
    found = hits(np.random.default_rng(seed), n, largest)
    arranged = _arrange(found, USES)
    assert arranged.value.tolist() == by_numpy(found)
    assert _arrange(arranged, USES) is arranged


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_table_down_or_up(step: int) -> None:
    """Backwards is more than insertion is allowed to move: the sort from scratch answers."""
    n = 20_000
    call = np.arange(n)[::step]
    zeros = np.zeros(n, np.int64)
    found = Hits(use=np.arange(n) % USES, call=call, turn=zeros, start_ms=zeros, end_ms=zeros,
                 char_start=zeros, char_end=zeros, value=np.arange(n, dtype=np.float64),
                 unknown=np.zeros((USES, 1), np.bool_))  # fmt: skip
    assert _arrange(found, USES).value.tolist() == by_numpy(found)
