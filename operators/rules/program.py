"""A rule set as a program: equal conditions are one step, answered once for each set of frames."""

from collections.abc import Hashable
from functools import cached_property

import numpy as np

from operators.chain import Evidence, Plan, Use
from operators.rules import frames as f
from operators.rules import period, tree
from operators.rules import results as r
from operators.rules.results import FALSE, TRUE, UNKNOWN, Result
from operators.rules.rows import NO_ROWS, Rows
from operators.table import Bool, CallTable, Int64


class Program:
    """Steps of many conditions; a condition met twice is one step."""

    def __init__(self) -> None:
        self.steps: list[tree.Node] = []
        self._ids: dict[Hashable, int] = {}
        self._of: dict[int, int] = {}
        self._kept: list[tree.Node] = []

    def add(self, node: tree.Node) -> int:
        """The step of ``node``; conditions that differ only in name and place share one."""
        if id(node) in self._of:
            return self._of[id(node)]
        key = self._key(node)
        if key not in self._ids:
            self._ids[key] = len(self.steps)
            self.steps.append(node)
        self._of[id(node)] = self._ids[key]
        self._kept.append(node)
        return self._ids[key]

    def step(self, node: tree.Node) -> int:
        """The step of a condition that was added."""
        return self._of[id(node)]

    def _key(self, node: tree.Node) -> Hashable:
        below = tuple(self.add(child) for child in tree.children_of(node))
        if isinstance(node, tree.Leaf):
            return ("leaf", node.use.key, node.role)
        if isinstance(node, tree.Period):
            return ("period", node.first, node.last)
        if isinstance(node, tree.AtLeast):
            return ("at_least", node.n, below)
        if isinstance(node, tree.Count):
            return ("count", node.at_least, node.at_most, node.turns, node.within_ms, below)
        if isinstance(node, tree.Seq):
            return ("seq", node.within_turns, node.within_ms, below)
        if isinstance(node, tree.Scoped):
            w = node.window
            return (
                "scoped",
                w.kind,
                w.n,
                w.hit,
                w.turns,
                w.ms,
                w.of,
                w.until is None,
                node.chance,
                node.chance_role,
                below,
            )
        return (type(node).__name__, below)

    def uses(self) -> list[Use]:
        """Every use of an operator in the program."""
        return [step.use for step in self.steps if isinstance(step, tree.Leaf)]


class Run:
    """One pass of a program over one table."""

    def __init__(self, program: Program, plan: Plan, table: CallTable) -> None:
        self.program = program
        self.plan = plan
        self.table = table
        self.evidence: Evidence = plan.evaluate(table)
        self.grid = f.Grid(table)
        self._hits = f.HitRows(self.grid, self.evidence.hits)
        self.whole = self.grid.whole_calls()
        self._frames: dict[int, f.Frames] = {0: self.whole}
        self._frame_ids: dict[tuple[int, int], int] = {}
        self._results: dict[tuple[int, int], Result] = {}
        self._silence: dict[int, Result] = {}
        self._call_rows: dict[int, Rows] = {}

    @cached_property
    def _days(self) -> period.Days:
        return period.days(self.table)

    def result(self, node: tree.Node, within: int = 0) -> Result:
        """What ``node`` finds in the frames of id ``within`` (0: whole calls)."""
        step = self.program.step(node)
        if (step, within) not in self._results:
            self._results[step, within] = self._judge(self.program.steps[step], within)
        return self._results[step, within]

    def inner_id(self, node: tree.Scoped, within: int) -> int:
        """The id of the windows that ``node`` cuts from the frames ``within``."""
        return self._frame_ids[self.program.step(node), within]

    def _judge(self, node: tree.Node, within: int) -> Result:
        if isinstance(node, tree.Leaf):
            return self._leaf(node, within)
        if isinstance(node, tree.Period):
            inside = period.in_force(self._days[self._frames[within].call], node.first, node.last)
            truth = np.where(inside, TRUE, FALSE).astype(np.int8)
            return Result(truth=truth, rows=NO_ROWS, open=np.zeros(len(truth), np.bool_))
        if isinstance(node, tree.Scoped):
            return self._scoped(node, within)
        if isinstance(node, tree.All | tree.Seq) and self._fails_early(node.children, within):
            return self._silent(within)
        parts = [self.result(child, within) for child in tree.children_of(node)]
        if r.is_silent(node, parts):
            return self._silent(within)
        if isinstance(node, tree.Not):
            return Result(truth=(TRUE - parts[0].truth).astype(np.int8), rows=NO_ROWS, open=parts[0].open)
        if isinstance(node, tree.Count):
            return self._count(node, parts[0], self._frames[within])
        if isinstance(node, tree.Seq):
            return self._seq(node, parts, self._frames[within])
        n = len(parts) if isinstance(node, tree.All) else node.n if isinstance(node, tree.AtLeast) else 1
        return r.combine(parts, n)

    def _silent(self, within: int) -> Result:
        """The one answer of all conditions that are false throughout."""
        if within not in self._silence:
            n = len(self._frames[within])
            truth, open_ = np.zeros(n, np.int8), np.zeros(n, np.bool_)
            self._silence[within] = Result(truth=truth, rows=NO_ROWS, open=open_, silent=True)
        return self._silence[within]

    def _fails_early(self, children: tuple[tree.Node, ...], within: int) -> bool:
        """Whether one of the conditions is silent, leaves asked first: most rules end here in most calls."""
        leaves_first = sorted(children, key=lambda child: not isinstance(child, tree.Leaf))
        return any(self.result(child, within).silent for child in leaves_first)

    def _leaf(self, node: tree.Leaf, within: int) -> Result:
        step = self.program.step(node)
        use = self.plan.id_of(node.use)
        if self.evidence.silent[use]:
            return self._silent(within)
        frames = self._frames[within]
        if step not in self._call_rows:
            self._call_rows[step] = self._hits.of(self.evidence.rows(use), node.role)
        calls = self._call_rows[step]
        found = calls if frames is self.whole else f.inside(calls, frames)
        open_ = self.evidence.hits.unknown[use][frames.call]
        return Result(truth=r.truth_of(found, open_), rows=found, open=open_)

    def _scoped(self, node: tree.Scoped, within: int) -> Result:
        frames, window = self._frames[within], node.window
        anchor = self.result(window.anchor, within) if window.anchor else None
        if anchor and anchor.silent:
            return self._silent(within)
        until = self.result(window.until, within) if window.until else None
        unsure = anchor.open if anchor else np.zeros(len(frames), np.bool_)
        blind = self._blind(frames, window, anchor, until)
        if anchor and not len(anchor.rows):
            return Result(truth=r.truth_of(NO_ROWS, unsure | blind), rows=NO_ROWS, open=unsure | blind)
        opened, closing = (part.rows if part else None for part in (anchor, until))
        inner = f.cut(self.grid, frames, window, opened, closing)
        if node.chance:
            whole = window.kind in ("before", "around")
            heard = self.grid.spoken_in(self.whole if whole else inner, node.chance_role)
            inner = inner.take(heard[inner.call] if whole else heard)
        key = len(self._frames)
        self._frames[key] = inner
        self._frame_ids[self.program.step(node), within] = key
        body = self.result(node.child, key)
        truth, open_ = r.gather(window.hit, inner, body, unsure, blind)
        rows = r.outer_rows(node, inner, body, opened)
        return Result(truth=truth, rows=rows.take(truth[rows.frame] == TRUE), open=open_, inner=inner)

    def _blind(
        self, frames: f.Frames, window: tree.Window, anchor: Result | None, until: Result | None
    ) -> Bool:
        """[F] where the windows cannot be trusted: limits in time without times, an uncertain end."""
        blind = np.zeros(len(frames), np.bool_)
        if window.ms is not None or window.kind in tree.TIMED:
            blind |= ~self.table.has_times[frames.call]
        if until:
            blind |= until.open
        return blind & (anchor.truth != FALSE) if anchor else blind

    def _count(self, node: tree.Count, part: Result, frames: f.Frames) -> Result:
        rows, n = part.rows, len(frames)
        if node.turns:
            rows = r.first_of_turn(rows, self.grid.run_at(rows.p0))
        counts = np.bincount(rows.frame, minlength=n)
        enough, some_day = counts >= node.at_least, counts >= node.at_least
        if node.within_ms is not None:
            close = r.close_together(rows, node.at_least, node.within_ms, n)
            timeless = ~self.table.has_times[frames.call]
            some_day, enough = enough & (close | timeless), enough & close & ~timeless
        more = part.open | (some_day & ~enough)
        truth = np.where(enough, TRUE, np.where(more, UNKNOWN, FALSE))
        if node.at_most is not None:
            below = np.where(counts > node.at_most, FALSE, np.where(part.open, UNKNOWN, TRUE))
            truth = np.minimum(truth, below)
        kept = part.rows.take(truth[part.rows.frame] == TRUE)
        return Result(truth=truth.astype(np.int8), rows=r.own_rows(kept, part.rows, truth), open=more)

    def _seq(self, node: tree.Seq, parts: list[Result], frames: f.Frames) -> Result:
        timeless = (
            ~self.table.has_times[frames.call]
            if node.within_ms is not None
            else np.zeros(len(frames), np.bool_)
        )
        chains, links = parts[0].rows, np.arange(len(parts[0].rows))[:, None]
        for part in parts[1:]:
            chains, links = self._follow(node, chains, links, part.rows)
        ordered = np.bincount(chains.frame, minlength=len(frames)) > 0
        sure = chains.take(~timeless[chains.frame])
        links = links[~timeless[chains.frame]]
        possible = np.minimum.reduce([part.truth for part in parts]) != FALSE
        open_ = np.logical_or.reduce([part.open for part in parts]) & possible
        open_ |= ordered & timeless
        return Result(truth=r.truth_of(sure, open_), rows=sure, open=open_, links=links)

    def _follow(self, node: tree.Seq, chains: Rows, links: Int64, after: Rows) -> tuple[Rows, Int64]:
        """Each row of ``after`` joined to the nearest chain that ends before it and within the limits."""
        if not len(chains):
            return NO_ROWS, np.zeros((0, links.shape[1] + 1), np.int64)
        by_end = np.lexsort((chains.p1, chains.frame))
        nth = f.search(chains.frame[by_end], chains.p1[by_end], after.frame, after.p0, "right") - 1
        there = nth >= 0
        before = by_end[np.where(there, nth, 0)]
        there &= chains.frame[before] == after.frame
        if node.within_turns is not None:
            last = self.grid.run_at(np.maximum(chains.p1[before] - 1, chains.p0[before]))
            there &= self.grid.run_at(after.p0) - last <= node.within_turns
        if node.within_ms is not None:
            timed = self.table.has_times[after.p0 >> f.CALL]
            there &= ~timed | (after.start_ms - chains.end_ms[before] <= node.within_ms)
        now, then = after.take(there), before[there]
        joined = now.changed(p0=chains.p0[then], start_ms=chains.start_ms[then], child=0)
        order = np.lexsort((joined.p1, joined.p0, joined.frame))
        new = np.concatenate([links[then], np.flatnonzero(there)[:, None]], axis=1)
        return joined.take(order), new[order]
