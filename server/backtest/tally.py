"""What is counted of judged calls; tallies of parts add up to that of the whole, in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.rules.judge import HIT, UNDECIDED
from operators.table import CallTable, Int8, Int64

ABSENT = 4
"""In place of a verdict where a pack does not have the rule or the calls were not judged by it."""
VERDICTS = 5
STRATA = ("undecided", "other findings", "nothing found")
"""Calls that an item does not hit, from where a miss is likeliest to where it is least so."""
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Drawn:
    """A call drawn for people to listen to."""

    key: int
    call_id: str
    source: str
    started: str


@dataclass(frozen=True)
class Marked:
    """One review beside the verdicts of both packs."""

    call_id: str
    line: int
    violated: bool
    weight: float
    old: int
    new: int


@dataclass
class Tally:
    """Counts over some calls. ``cross`` [L, old, new] counts calls by the two verdicts of a line."""

    cross: Int64
    calls: int = 0
    turns: int = 0
    flagged: tuple[int, int] = (0, 0)
    """Calls with any hit, by the old rules and the new."""
    days: dict[str, Int64] = field(default_factory=dict)
    """Day → [L + 1, 2] hits old and new of each line; the last row counts the day's calls."""
    changes: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """(line, ``new_hits`` or ``lost_hits``) → smallest keys of the calls concerned."""
    tables: dict[int, CallTable] = field(default_factory=dict)
    """Key → the call, for every key in ``changes``."""
    strata: dict[tuple[int, int], int] = field(default_factory=dict)
    """(line of an item, index into STRATA) → calls."""
    drawn: dict[tuple[int, int], list[Drawn]] = field(default_factory=dict)
    marked: list[Marked] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    faults: list[dict[str, str]] = field(default_factory=list)
    """What could not be read, in the shape of EarshotError.as_dict."""

    def add(self, other: "Tally", *, examples: int, sample: int) -> None:
        """Take in the counts of other calls."""
        self.cross += other.cross
        self.calls, self.turns = self.calls + other.calls, self.turns + other.turns
        self.flagged = (self.flagged[0] + other.flagged[0], self.flagged[1] + other.flagged[1])
        _sum(self.days, other.days)
        _sum(self.strata, other.strata)
        _sum(self.seconds, other.seconds)
        for place, keys in other.changes.items():
            self.changes[place] = sorted({*self.changes.get(place, ()), *keys})[:examples]
        for where, calls in other.drawn.items():
            both = [*self.drawn.get(where, ()), *calls]
            self.drawn[where] = nsmallest(sample, both, key=lambda call: call.key)
        wanted = {key for keys in self.changes.values() for key in keys}
        self.tables = {k: t for k, t in (self.tables | other.tables).items() if k in wanted}
        self.marked += other.marked
        self.keys += other.keys
        self.faults += other.faults

    @property
    def repeated(self) -> int:
        """Calls whose id another call of the history has as well."""
        keys = np.concatenate([np.zeros(0, np.uint64), *self.keys])
        return len(keys) - len(np.unique(keys))


def _sum(into: dict[Any, Any], more: Mapping[Any, Any]) -> None:
    for name, value in more.items():
        into[name] = into[name] + value if name in into else value


def cross_of(old: Int8, new: Int8) -> Int64:
    """[L, old, new] calls by both verdicts."""
    lines = len(new)
    cells = old.astype(np.int64) * VERDICTS + new + np.arange(lines)[:, None] * VERDICTS**2
    return np.bincount(cells.ravel(), minlength=lines * VERDICTS**2).reshape(lines, VERDICTS, VERDICTS)


def smallest(keys: Keys, among: NDArray[np.bool_], n: int) -> Int64:
    """Rows of the ``n`` smallest keys where ``among`` holds: a random draw that does not depend on order."""
    rows = np.flatnonzero(among)
    if len(rows) > n:
        rows = rows[np.argpartition(keys[rows], n - 1)[:n]] if n else rows[:0]
    return rows


def days_of(starts: Iterable[object], old: Int8, new: Int8) -> dict[str, Int64]:
    """Hits by the day of ``call_start_local``; calls without one are left out."""
    names = [start[:10] if isinstance(start, str) else "" for start in starts]
    days, at = np.unique(names, return_inverse=True)
    order = np.argsort(at, kind="stable")
    first = np.searchsorted(at[order], np.arange(len(days)))
    counts = [np.add.reduceat((side[:, order] == HIT).astype(np.int64), first, axis=1) for side in (old, new)]
    calls = np.bincount(at, minlength=len(days))
    table = np.concatenate([np.stack(counts, axis=2), np.stack([calls, calls], axis=1)[None]])
    return {str(day): table[:, n] for n, day in enumerate(days) if day}


def strata_of(verdict: Int8, items: Int8) -> Int8:
    """[C] index into STRATA for calls that one item (``verdict``) does not hit; -1 where it does."""
    others = (items == HIT).any(axis=0)
    stratum = np.where(verdict == UNDECIDED, 0, np.where(others, 1, 2))
    return np.where(verdict == HIT, -1, stratum).astype(np.int8)
