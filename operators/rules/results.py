"""What a condition finds in frames, and how the answers of conditions are brought together.

Truth is int8: FALSE 0, UNKNOWN 1, TRUE 2, so that *and* is the minimum, *or* the maximum, *not* ``2 - x``.
A verdict that is true or false stays so whatever the unknown parts turn out to be.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from operators.rules import tree
from operators.rules.frames import Frames
from operators.rules.rows import NO_ROWS, Rows, union
from operators.table import Bool, Int8, Int64

FALSE, UNKNOWN, TRUE = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a step found in F frames."""

    truth: Int8
    rows: Rows
    """Hits, only in frames where ``truth`` is TRUE."""
    open: Bool
    """[F] there may be more hits than ``rows`` holds."""
    inner: Frames | None = None
    """The windows, where the step is a ``Scoped``."""
    links: Int64 | None = None
    """[rows, parts] for a ``Seq``: the row of each part's result that a chain goes through."""
    silent: bool = False
    """False in every frame, for good: no rows, nothing open. Most conditions of most calls are."""


def is_silent(node: tree.Node, parts: list[Result]) -> bool:
    """Whether silent parts alone decide that the condition is false in every frame."""
    silent = sum(part.silent for part in parts)
    if isinstance(node, tree.AtLeast):
        return len(parts) - silent < node.n
    return isinstance(node, tree.Count) and node.at_least > 0 and silent > 0


def truth_of(rows: Rows, open_: Bool) -> Int8:
    """[F] TRUE where a frame has a row, else UNKNOWN where there may be more, else FALSE."""
    if not len(rows):
        return open_.astype(np.int8)
    found = np.bincount(rows.frame, minlength=len(open_)) > 0
    return np.where(found, TRUE, np.where(open_, UNKNOWN, FALSE)).astype(np.int8)


def own_rows(kept: Rows, all_rows: Rows, truth: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Rows:
    """``kept`` as rows that point at their place in the one child's rows."""
    at = np.flatnonzero(truth[all_rows.frame] == TRUE)
    return kept.changed(source=at, child=0)


def combine(parts: list[Result], n: int) -> Result:
    """At least ``n`` of the parts."""
    truth = of_truths([part.truth for part in parts], n)
    open_ = reduce(np.logical_or, [part.open | (part.truth == UNKNOWN) for part in parts]) & (truth != FALSE)
    if not any(len(part.rows) for part in parts):
        return Result(truth=truth, rows=NO_ROWS, open=open_)
    whole = union([part.rows for part in parts])
    return Result(truth=truth, rows=whole.take(truth[whole.frame] == TRUE), open=open_)


def of_truths(truths: list[Int8], n: int) -> Int8:
    """Kleene's "at least ``n``": FALSE < UNKNOWN < TRUE, so all is the least of them and any the greatest."""
    if n == len(truths):
        return reduce(np.minimum, truths)  # type: ignore[arg-type]
    if n == 1:
        return reduce(np.maximum, truths)  # type: ignore[arg-type]
    if n > len(truths):
        return np.zeros_like(truths[0])
    ranked: Int8 = np.sort(np.stack(truths), axis=0)[len(truths) - n]
    return ranked


def close_together(rows: Rows, n: int, within_ms: int, frames: int) -> Bool:
    """[F] whether some ``n`` rows of the frame start within ``within_ms`` of one another."""
    order = np.lexsort((rows.start_ms, rows.frame))
    frame, start = rows.frame[order], rows.start_ms[order]
    reach = max(n, 1) - 1
    near = (frame[reach:] == frame[: len(frame) - reach]) & (
        start[reach:] - start[: len(start) - reach] <= within_ms
    )
    return np.bincount(frame[reach:][near], minlength=frames) > 0


def first_of_turn(rows: Rows, run: Int64) -> Rows:
    """Of the rows of a frame that begin in the same turn ([n] ``run``), the first."""
    order = np.lexsort((rows.start_ms, run, rows.frame))
    frame, turn = rows.frame[order], run[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(frame) != 0) | (np.diff(turn) != 0)
    return rows.take(order[first])


def gather(hit: str | int, inner: Frames, body: Result, unsure: Bool, blind: Bool) -> tuple[Int8, Bool]:
    """The windows' answers brought together for the frames they were cut from.

    ``unsure``: there may be more windows than seen; ``blind``: the windows seen may be wrong.
    """
    n = len(unsure)
    windows = np.bincount(inner.parent, minlength=n)
    truth = np.full(n, TRUE if hit == "each" else FALSE, np.int8)
    (np.minimum if hit == "each" else np.maximum).at(truth, inner.parent, body.truth)
    truth[windows == 0] = FALSE
    settled = ((truth == FALSE) & (windows > 0)) if hit == "each" else (truth == TRUE) & (hit == "any")
    truth = np.where(blind | (unsure & ~settled), UNKNOWN, truth).astype(np.int8)
    open_ = unsure | blind
    np.logical_or.at(open_, inner.parent, body.open)
    return truth, open_


def outer_rows(node: tree.Scoped, inner: Frames, body: Result, anchor: Rows | None) -> Rows:
    """The body's hits, each once; for an absence the anchors whose windows stayed empty."""
    if isinstance(node.child, tree.Not):
        if anchor is None:
            return NO_ROWS
        empty = body.truth == TRUE
        at = inner.anchor[empty]
        return anchor.take(at).changed(frame=inner.parent[empty], source=at)
    rows = body.rows
    moved = rows.changed(frame=inner.parent[rows.frame], source=np.arange(len(rows)), child=0)
    return moved.ordered().distinct()
