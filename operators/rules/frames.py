"""Columns the judge joins: frames (stretches of calls), rows (hits with positions), the grid of turns.

A position is one int64, ``call << 40 | turn row within the call + 1 << 20 | character`` (row 0 stands before
all turns), so every order question over all calls is one ``searchsorted``. A *turn* here is everything one
side says until another side speaks: the answer does not depend on where a recogniser cut its sentences.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from operators.rules.rows import NO_ROWS, Rows
from operators.rules.tree import TIMED, Window
from operators.spec import Hits
from operators.table import ROLES, Bool, CallTable, Int32, Int64

CALL, ROW = 40, 20
_LAST_CHAR = (1 << ROW) - 1
FOREVER = np.int64(1) << 60


@dataclass(frozen=True, kw_only=True)
class Frames:
    """F stretches of calls: positions ``lo <= p < hi`` whose hits start at ``from_ms <= t < to_ms``."""

    call: Int64
    lo: Int64
    hi: Int64
    from_ms: Int64
    to_ms: Int64
    parent: Int64
    """[F] the frame each was cut from."""
    anchor: Int64
    """[F] the anchor's row that opened it, -1 without anchor."""
    timed: bool
    """Whether any frame is limited in time."""

    def __len__(self) -> int:
        return len(self.call)

    def take(self, rows: NDArray[np.bool_]) -> "Frames":
        """The frames where ``rows`` is true."""
        names = ("call", "lo", "hi", "from_ms", "to_ms", "parent", "anchor")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


class HitRows:
    """All hits of a plan as rows of whole calls (frame = call), laid out once."""

    def __init__(self, grid: "Grid", hits: Hits) -> None:
        turn, call = hits.turn.astype(np.int64), hits.call.astype(np.int64)
        p0, p1 = grid.positions(call, turn, hits.start_ms, hits.char_start, hits.char_end)
        order = np.lexsort((p1, p0, call, hits.use))
        self._rows = Rows.of(frame=call, p0=p0, p1=p1, start_ms=hits.start_ms, end_ms=hits.end_ms,
                             source=np.arange(len(call)), child=np.zeros_like(p0)).take(order)  # fmt: skip
        self._role = np.where(turn >= 0, grid.role[np.maximum(turn, 0)], -1)[order]

    def of(self, chosen: slice, role: str | None) -> Rows:
        """The hits of one use, only those spoken by ``role`` if given."""
        if role is None:
            return self._rows.take(chosen)
        spoken = np.flatnonzero(self._role[chosen] == ROLES.index(role))
        return self._rows.take(chosen.start + spoken)


def inside(rows: Rows, frames: Frames) -> Rows:
    """Call-wide ``rows`` seen from ``frames``: one row for each frame a hit lies in."""
    if not len(rows) or not len(frames):
        return NO_ROWS
    frame, at = _stretches(np.searchsorted(rows.p0, frames.lo), np.searchsorted(rows.p0, frames.hi))
    if frames.timed:
        keep = (rows.start_ms[at] >= frames.from_ms[frame]) & (rows.start_ms[at] < frames.to_ms[frame])
        frame, at = frame[keep], at[keep]
    return rows.take(at).changed(frame=frame)


def _stretches(first: Int64, end: Int64) -> tuple[Int64, Int64]:
    """The numbers ``first[i]`` up to ``end[i]`` of every i in one row, and the i of each."""
    counts = np.maximum(end - first, 0)
    frame = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return frame, np.repeat(first, counts) + within


def search(
    frame: Int64, p: Int64, frames_asked: Int64, p_asked: Int64, side: Literal["left", "right"]
) -> Int64:
    """``searchsorted`` of (frame, p) pairs in columns sorted by (frame, p)."""
    ranks, inverse = np.unique(np.concatenate([p, p_asked]), return_inverse=True)
    width = len(ranks) + 1
    have, asked = frame * width + inverse[: len(p)], frames_asked * width + inverse[len(p) :]
    found: Int64 = np.searchsorted(have, asked, side=side)
    return found


class Grid:
    """The turns of a table laid out for window arithmetic."""

    def __init__(self, table: CallTable) -> None:
        self.table = table
        self.n_calls = table.n_calls
        self.offsets = table.turn_offsets
        self.role = np.concatenate([table.turn_role, np.full(1, -1, np.int8)])
        call = table.turn_call
        self._starts_key = (call << CALL) | table.turn_start_ms
        heads = np.ones(table.n_turns, np.bool_)
        heads[1:] = (np.diff(call) != 0) | (np.diff(table.turn_role) != 0)
        self.run = np.cumsum(heads) - 1
        self.run_start = np.flatnonzero(heads)
        self.run_end = np.append(self.run_start[1:], table.n_turns)
        self._run_role = table.turn_role[self.run_start]

    @cached_property
    def characters(self) -> Int64:
        """[T] characters of each turn, at least 1."""
        begins = np.cumsum(np.concatenate([[0], (self.table.text & 0xC0) != 0x80]))
        counted: Int64 = begins[self.table.text_offsets[1:]] - begins[self.table.text_offsets[:-1]]
        return np.maximum(counted, 1)

    def whole_calls(self) -> Frames:
        """One frame for each call."""
        calls = np.arange(self.n_calls, dtype=np.int64)
        base, zeros = calls << CALL, np.zeros(self.n_calls, np.int64)
        return Frames(call=calls, lo=base, hi=base + (1 << CALL),
                      from_ms=zeros - FOREVER, to_ms=zeros + FOREVER,
                      parent=calls, anchor=zeros - 1, timed=False)  # fmt: skip

    def positions(
        self, call: Int64, turn: Int64, start_ms: Int64, char_start: Int32, char_end: Int32
    ) -> tuple[Int64, Int64]:
        """Position span of hits; one without a turn stands behind the last turn that began before it."""
        base = call << CALL
        local = turn - self.offsets[call] + 1
        p0 = base | (local << ROW) | np.clip(char_start, 0, _LAST_CHAR)
        p1 = np.where(
            char_end >= 0,
            base | (local << ROW) | np.clip(char_end, 0, _LAST_CHAR),
            base + ((local + 1) << ROW),
        )
        loose = turn < 0
        if loose.any():
            behind = (
                np.searchsorted(self._starts_key, base | np.maximum(start_ms, 0), side="left")
                - self.offsets[call]
            )
            at = base + ((np.maximum(behind, 0) + 1) << ROW)
            p0, p1 = np.where(loose, at - 1, p0), np.where(loose, at, p1)
        return p0, p1

    def row_at(self, position: Int64) -> Int64:
        """The table row a position lies in, clipped into its call; calls without turns give row 0."""
        call, local = position >> CALL, np.maximum(((position >> ROW) & _LAST_CHAR) - 1, 0)
        last = np.maximum(self.offsets[call + 1] - 1, self.offsets[call])
        row: Int64 = np.minimum(np.minimum(self.offsets[call] + local, last), max(len(self.run) - 1, 0))
        return row

    def run_at(self, position: Int64) -> Int64:
        """The turn (run of rows by one side) a position lies in."""
        return self.run[self.row_at(position)] if len(self.run) else np.zeros_like(position)

    def edge(self, call: Int64, row: Int64) -> Int64:
        """The position just before table row ``row`` of ``call``."""
        return (call << CALL) + ((row - self.offsets[call] + 1) << ROW)

    def _runs_of(self, of: str | None) -> tuple[Int64, Int64]:
        chosen = np.ones(len(self.run_start), np.bool_) if of is None else self._run_role == ROLES.index(of)
        return self.run_start[chosen], self.run_end[chosen]

    def turns_on(self, call: Int64, from_row: Int64, n: int, of: str | None) -> Int64:
        """Where the n-th turn (of ``of``) from ``from_row`` on ends; may lie beyond the call."""
        end_of_call = (call + 1) << CALL
        starts, ends = self._runs_of(of)
        nth = np.searchsorted(starts, from_row) + n - 1
        there = (nth >= 0) & (nth < len(starts))
        nth = np.where(there, nth, 0)
        return np.where(there, self.edge(call, np.append(ends, 0)[nth]), end_of_call)

    def turns_back(self, call: Int64, to_row: Int64, n: int, of: str | None) -> Int64:
        """Where the n-th last turn (of ``of``) that ends by ``to_row`` begins; may lie before the call."""
        starts, ends = self._runs_of(of)
        nth = np.searchsorted(ends, to_row, side="right") - n
        there = (nth >= 0) & (nth < len(starts))
        nth = np.where(there, nth, 0)
        return np.where(there, self.edge(call, np.append(starts, 0)[nth]), call << CALL)

    def spoken_in(self, frames: Frames, role: str | None) -> Bool:
        """[F] whether a turn (of ``role``) begins or goes on inside the frame."""
        rows = np.arange(len(self.role) - 1)
        if role is not None:
            rows = rows[self.role[:-1] == ROLES.index(role)]
        starts = self.edge(self.table.turn_call[rows], rows)
        first = np.searchsorted(starts + self.characters[rows], frames.lo, side="right")
        frame, at = _stretches(first, np.searchsorted(starts, np.where(frames.lo < frames.hi, frames.hi, 0)))
        if frames.timed:
            row = rows[at]
            start_ms, end_ms = self.table.turn_start_ms[row], self.table.turn_end_ms[row]
            goes_on = (start_ms >= frames.from_ms[frame]) | (end_ms > frames.from_ms[frame])
            frame = frame[goes_on & (start_ms < frames.to_ms[frame])]
        return np.bincount(frame, minlength=len(frames)) > 0


def cut(grid: Grid, frames: Frames, window: Window, anchor: Rows | None, until: Rows | None) -> Frames:
    """The windows of ``window`` inside ``frames``: one a frame, or one for each chosen hit of the anchor."""
    if window.kind == "call":
        return replace(frames, parent=np.arange(len(frames)), anchor=np.full(len(frames), -1))
    if anchor is None:
        return _counted(grid, frames, window)
    chosen = _chosen(anchor, window.hit)
    rows = anchor.take(chosen)
    lo, hi, from_ms, to_ms = _anchored(grid, frames.call[rows.frame], rows, window)
    if until is not None:
        nth = search(until.frame, until.p0, rows.frame, rows.p1, "left")
        found = np.append(until.frame, -1)[nth] == rows.frame
        hi = np.where(found, np.minimum(hi, np.append(until.p0, 0)[nth]), hi)
    return Frames(
        call=frames.call[rows.frame],
        lo=np.maximum(lo, frames.lo[rows.frame]), hi=np.minimum(hi, frames.hi[rows.frame]),
        from_ms=np.maximum(from_ms, frames.from_ms[rows.frame]),
        to_ms=np.minimum(to_ms, frames.to_ms[rows.frame]),
        parent=rows.frame, anchor=chosen, timed=frames.timed or window.ms is not None,
    )  # fmt: skip


def _chosen(anchor: Rows, hit: str | int) -> Int64:
    """The rows of ``anchor`` that open a window: all, or one of each frame, below 0 from its end."""
    number = {"first": 1, "last": -1}.get(hit) if isinstance(hit, str) else hit
    if number is None or not len(anchor):
        return np.arange(len(anchor))
    edges = np.flatnonzero(np.diff(anchor.frame)) + 1
    first, end = np.append(0, edges), np.append(edges, len(anchor))
    nth = first + number - 1 if number > 0 else end + number
    return nth[(first <= nth) & (nth < end)]


def _counted(grid: Grid, frames: Frames, window: Window) -> Frames:
    call, n = frames.call, window.n
    lo, hi, from_ms, to_ms = frames.lo, frames.hi, frames.from_ms, frames.to_ms
    if window.kind == "first_turns":
        hi = np.minimum(hi, grid.turns_on(call, grid.offsets[call], n, window.of) if n else lo)
    elif window.kind == "last_turns":
        lo = np.maximum(lo, grid.turns_back(call, grid.offsets[call + 1], n, window.of) if n else hi)
    elif window.kind in TIMED:
        whole = grid.table.duration_ms[call]
        span = np.full(len(call), n) if window.kind.endswith("_ms") else whole * n / 100
        if window.kind.startswith("first"):
            to_ms = np.minimum(to_ms, np.ceil(span).astype(np.int64))
        else:
            from_ms = np.maximum(from_ms, np.ceil(whole - span).astype(np.int64))
    return replace(
        frames, lo=lo, hi=hi, from_ms=from_ms, to_ms=to_ms, parent=np.arange(len(frames)),
        anchor=np.full(len(frames), -1), timed=frames.timed or window.kind in TIMED,
    )  # fmt: skip


def _anchored(grid: Grid, call: Int64, rows: Rows, window: Window) -> tuple[Int64, Int64, Int64, Int64]:
    lo, hi = call << CALL, (call + 1) << CALL
    always = np.full(len(rows), FOREVER)
    from_ms, to_ms = -always, always
    last = grid.run_at(np.maximum(rows.p1 - 1, rows.p0))
    first = grid.run_at(rows.p0)
    if not len(grid.run):
        return (lo, hi, from_ms, to_ms)
    start_row, end_row = grid.run_start[first], grid.run_end[last]
    if window.kind == "same_turn":
        return grid.edge(call, start_row), grid.edge(call, end_row), from_ms, to_ms
    if window.kind in ("after", "around") and window.turns is not None:
        hi = (
            grid.turns_on(call, end_row, window.turns, window.of)
            if window.turns
            else grid.edge(call, end_row)
        )
    if window.kind in ("before", "around") and window.turns is not None:
        lo = (
            grid.turns_back(call, start_row, window.turns, window.of)
            if window.turns
            else grid.edge(call, start_row)
        )
    if window.kind == "after":
        lo = rows.p1
        to_ms = always if window.ms is None else rows.end_ms + window.ms + 1
    elif window.kind == "before":
        hi = rows.p0
        from_ms = -always if window.ms is None else rows.start_ms - window.ms
    elif window.ms is not None:
        from_ms, to_ms = rows.start_ms - window.ms, rows.end_ms + window.ms + 1
    return lo, hi, from_ms, to_ms
