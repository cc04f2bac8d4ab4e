"""Why a rule hit a call or could not be decided: the true path through its conditions, down to the words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from operators.rules import tree
from operators.rules.program import Run
from operators.rules.results import TRUE, UNKNOWN
from operators.spec import Hits
from operators.table import ROLES

MAX_EVIDENCE = 50


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One reason for a finding: what an operator found, or (``holds`` false) what is missing."""

    condition: str
    """Names of the conditions on the way, outermost first, joined by '/'; empty where none has a name."""
    operator: str
    params: Mapping[str, Any]
    holds: bool
    turn: int | None = None
    """Row within the call."""
    role: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    char_start: int | None = None
    char_end: int | None = None
    words: str = ""
    value: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; lists in ``params`` longer than 8 are cut."""
        params = {key: _short(value) for key, value in self.params.items()}
        return {**self.__dict__, "params": params}


def _short(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [*value[:8], "…"] if len(value) > 8 else list(value)
    return value


class Explainer:
    """Reads the path of a verdict out of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def evidence(self, rule: tree.Rule, call: int) -> tuple[Evidence, ...]:
        """What made ``rule`` hit ``call``: its ``evidence`` conditions, or all if none of those is true."""
        found = list(dict.fromkeys(_Hashed(entry) for entry in self._walk(rule.when, 0, call, ())))
        entries = [entry.of for entry in found]
        wanted = [e for e in entries if set(e.condition.split("/")) & set(rule.evidence)]
        chosen = wanted or entries
        chosen.sort(key=lambda e: (not e.holds, e.start_ms if e.start_ms is not None else -1, e.turn or 0))
        return tuple(chosen[:MAX_EVIDENCE])

    def reasons(self, rule: tree.Rule, call: int) -> tuple[str, ...]:
        """What is missing for a verdict, one clause each."""
        gate_open = rule.gate is not None and self.run.result(rule.gate).truth[call] == UNKNOWN
        roots = (rule.gate,) if gate_open else (rule.when, rule.unless)
        return tuple(dict.fromkeys(why for root in roots if root for why in self._unknown(root, call)))

    def _unknown(self, node: tree.Node, call: int) -> Iterable[str]:
        if self.run.result(node).truth[call] != UNKNOWN:
            return
        timed = isinstance(node, tree.Scoped) and (
            node.window.ms is not None or node.window.kind in tree.TIMED
        )
        timed |= isinstance(node, tree.Count | tree.Seq) and node.within_ms is not None
        if timed and not self.run.table.has_times[call]:
            yield "the call has no times"
        for leaf in tree.leaves_of(node) if isinstance(node, tree.Scoped | tree.Leaf) else ():
            why = self.run.evidence.why_unknown(self.run.plan.id_of(leaf.use), call)
            if why:
                yield f"{leaf.name or leaf.use.operator.name}: {why}"
        if not isinstance(node, tree.Scoped | tree.Leaf):
            for child in tree.children_of(node):
                yield from self._unknown(child, call)

    def _walk(self, node: tree.Node, within: int, frame: int, path: tuple[str, ...]) -> Iterable[Evidence]:
        """Evidence of a true node in one frame."""
        path = (*path, node.name) if node.name else path
        result = self.run.result(node, within)
        if result.truth[frame] != TRUE:
            return
        if isinstance(node, tree.All | tree.AtLeast):
            for child in node.children:
                yield from self._walk(child, within, frame, path)
        elif isinstance(node, tree.Not) or (
            isinstance(node, tree.Count) and not _any_in(result.rows.frame, frame)
        ):
            yield from self._missing(node, path)
        elif isinstance(node, tree.Scoped):
            yield from self._windows(node, within, frame, path)
        else:
            for row in _rows_of(result.rows.frame, frame):
                yield from self._row(node, within, int(row), path)

    def _windows(
        self, node: tree.Scoped, within: int, frame: int, path: tuple[str, ...]
    ) -> Iterable[Evidence]:
        inner = self.run.result(node, within).inner
        if inner is None:
            return
        key = self.run.inner_id(node, within)
        body = self.run.result(node.child, key)
        for window in np.flatnonzero((inner.parent == frame) & (body.truth == TRUE)):
            if node.window.anchor is not None:
                yield from self._row(node.window.anchor, within, int(inner.anchor[window]), path)
            yield from self._walk(node.child, key, int(window), path)

    def _missing(self, node: tree.Node, path: tuple[str, ...]) -> Iterable[Evidence]:
        for leaf in tree.leaves_of(node):
            names = (*path, leaf.name) if leaf.name and leaf.name not in path else path
            yield Evidence(
                condition="/".join(names), operator=leaf.use.operator.name, params=shown(leaf), holds=False
            )

    def _row(self, node: tree.Node, within: int, row: int, path: tuple[str, ...]) -> Iterable[Evidence]:
        """Evidence of one hit of a node, followed down to the leaves it came from."""
        path = path if not node.name or path[-1:] == (node.name,) else (*path, node.name)
        result = self.run.result(node, within)
        rows = result.rows
        if isinstance(node, tree.Leaf):
            yield self._hit(node, int(rows.source[row]), path)
        elif isinstance(node, tree.All | tree.AtLeast):
            child = node.children[int(rows.child[row])]
            yield from self._row(child, within, int(rows.source[row]), path)
        elif isinstance(node, tree.Count):
            yield from self._row(node.child, within, int(rows.source[row]), path)
        elif isinstance(node, tree.Seq) and result.links is not None:
            for child, at in zip(node.children, result.links[row], strict=True):
                yield from self._row(child, within, int(at), path)
        elif isinstance(node, tree.Scoped):
            yield from self._scoped_row(node, within, int(rows.source[row]), path)

    def _scoped_row(
        self, node: tree.Scoped, within: int, source: int, path: tuple[str, ...]
    ) -> Iterable[Evidence]:
        if isinstance(node.child, tree.Not):
            if node.window.anchor is not None:
                yield from self._row(node.window.anchor, within, source, path)
            yield from self._missing(node.child, path)
        else:
            yield from self._row(node.child, self.run.inner_id(node, within), source, path)

    def hits(self, leaf: tree.Leaf, within: int, frame: int) -> Iterable[Evidence]:
        """What a leaf found in one frame, in order."""
        rows = self.run.result(leaf, within).rows
        for row in _rows_of(rows.frame, frame):
            yield self._hit(leaf, int(rows.source[row]), (leaf.name,) if leaf.name else ())

    def _hit(self, leaf: tree.Leaf, row: int, path: tuple[str, ...]) -> Evidence:
        return self.told(leaf, self.run.evidence.hits, row, path)

    def told(self, leaf: tree.Leaf, hits: Hits, row: int, path: tuple[str, ...] = ()) -> Evidence:
        """Row ``row`` of ``hits``, found in the run's table, as evidence for ``leaf``."""
        table = self.run.table
        turn, call = int(hits.turn[row]), int(hits.call[row])
        start, end = int(hits.char_start[row]), int(hits.char_end[row])
        text = table.turn_text(turn) if turn >= 0 else ""
        timed = bool(table.has_times[call])
        value = float(hits.value[row])
        return Evidence(
            condition="/".join(path), operator=leaf.use.operator.name, params=shown(leaf), holds=True,
            turn=turn - int(table.turn_offsets[call]) if turn >= 0 else None,
            role=ROLES[table.turn_role[turn]] if turn >= 0 else None,
            start_ms=int(hits.start_ms[row]) if timed else None,
            end_ms=int(hits.end_ms[row]) if timed else None,
            char_start=start if start >= 0 else None, char_end=end if end >= 0 else None,
            words=text[start:end] if start >= 0 else text, value=None if np.isnan(value) else value,
        )  # fmt: skip


class _Hashed:
    """An evidence entry that compares by what it found, not by the way there."""

    def __init__(self, entry: Evidence) -> None:
        self.of = entry
        self._key = (entry.condition.split("/")[-1], entry.operator, entry.holds, entry.turn, entry.start_ms,
                     entry.char_start, entry.char_end, entry.words)  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def shown(leaf: tree.Leaf) -> dict[str, Any]:
    """The parameters that differ from their defaults, lexicons by name."""
    if leaf.shown:
        return dict(leaf.shown)
    declared = leaf.use.operator.params
    return {name: value for name, value in leaf.use.params.items() if value != declared[name].default}


def _rows_of(frames: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", frame: int) -> range:
    first, end = np.searchsorted(frames, [frame, frame + 1])
    return range(int(first), int(end))


def _any_in(frames: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", frame: int) -> bool:
    return len(_rows_of(frames, frame)) > 0
