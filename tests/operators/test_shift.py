"""A call that begins later has the same hits, later: nothing depends on when a recording was switched on."""

import re
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import COLUMNS, Evidence, Plan, check_use, load_registry
from operators.table import CallTable
from operators.testing import call

REGISTRY = load_registry()
REQUESTS = (
    ("keyword", {"any": ["您好", "骗子"], "match": "fuzzy"}),
    ("repetition", {"min_chars": 2}),
    ("emotion", {"any": ["angry"], "times": 2, "within_ms": 5000}),
    ("loudness", {"measure": "jump", "gt_db": 1, "min_chars": 1}),
    ("silence", {"at_least_ms": 500, "excused_before": ["好"], "near_ms": 2000}),
    ("silence", {"at_least_ms": 500, "total_at_least_ms": 3000, "owed_by": "agent"}),
    ("response_time", {"gt_ms": 500}),
    ("interruption", {"at_least_ms": 200, "min_chars": 1, "total_at_least_ms": 800}),
    ("speech_rate", {"gt_chars_per_min": 200, "min_chars": 1}),
)
PLAN = Plan(check_use(REGISTRY, name, params) for name, params in REQUESTS)
TIMES = re.compile(r"_ms$")
turns = st.lists(
    st.tuples(
        st.integers(0, 90), st.integers(1, 40), st.sampled_from("ACO"),
        st.text("您好骗子喂", min_size=1, max_size=8), st.integers(-40, -10), st.integers(0, 10),
    ),
    min_size=1, max_size=7,
).map(sorted)  # fmt: skip


def _call(rows: list[tuple[int, int, str, str, int, int]]) -> CallTable:
    return call(
        " | ".join(
            f"{role} {start / 10}-{(start + length) / 10} {text} @{db}dB (angry:{angry / 10})"
            for start, length, role, text, db, angry in rows
        )
    )


def _later(table: CallTable, ms: int) -> CallTable:
    columns = [name for name in vars(table) if TIMES.search(name)]
    return replace(table, **{name: getattr(table, name) + ms for name in columns})


def _rows(evidence: Evidence, ms: int) -> list[tuple[object, ...]]:
    columns = {name: getattr(evidence.hits, name) for name in COLUMNS}
    for name in ("start_ms", "end_ms"):
        columns[name] = columns[name] - ms
    return list(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))


@settings(max_examples=60, deadline=None)
@given(turns, st.integers(0, 10_000_000))
def test_hits_move_with_the_call(rows: list[tuple[int, int, str, str, int, int]], ms: int) -> None:
    table = _call(rows)
    assert _rows(PLAN.evaluate(_later(table, ms)), ms) == _rows(PLAN.evaluate(table), 0)


def test_what_counts_from_the_start_does_not_move() -> None:
    """The control: such a use would be caught."""
    plan = Plan([check_use(REGISTRY, "silence", {"at_least_ms": 500, "edges": True})])
    table = call("A 1-2 您好")
    assert _rows(plan.evaluate(_later(table, 9000)), 9000) != _rows(plan.evaluate(table), 0)
