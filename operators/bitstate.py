"""Regular expressions over the character column, compiled: bounded backtracking in one Numba kernel.

A pattern becomes a small program of characters, classes and forks. The kernel walks it depth first, the
preferred way first, and marks every (instruction, position) it has been at, so that none is tried twice: time
is linear in the text times the program, whatever the pattern, and the match is the one that Perl, and RE2,
would give (R. Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009, and RE2's bitstate.cc).
``program`` answers None for what it cannot say; RE2 matches those patterns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.columns import kernel
from operators.table import Int32, Int64

CHAR, CLASS, FORK, MATCH, BEGIN, END = range(6)
_parser: Any = import_module("re._parser")
_MOST_INSTRUCTIONS = 2_000
_LAST_POINT = 0x10FFFF
_FIRST_BITS = 512
"""Characters that a match may begin with, hashed: 512 bits a pattern stay in the nearest cache."""

Range = tuple[int, int]


class _Unsaid(Exception):
    """The pattern has a part that programs have no instruction for."""


@dataclass
class _Code:
    """A program under construction: rows of (operation, a, b), and the ranges of its classes."""

    rows: list[list[int]] = field(default_factory=list)
    classes: list[tuple[Range, ...]] = field(default_factory=list)

    def add(self, operation: int, a: int = 0, b: int = 0) -> int:
        if len(self.rows) >= _MOST_INSTRUCTIONS:
            raise _Unsaid
        self.rows.append([operation, a, b])
        return len(self.rows) - 1

    def fork(self, *, greedy: bool) -> int:
        """A fork that prefers the next instruction (greedy) or the other way, which ``leave`` sets."""
        here = self.add(FORK)
        self.rows[here][1 if greedy else 2] = here + 1
        return here

    def leave(self, fork: int, to: int) -> None:
        self.rows[fork][2 if self.rows[fork][1] else 1] = to

    def jump(self, to: int = 0) -> int:
        return self.add(FORK, to, -1)


@dataclass(frozen=True)
class Program:
    """One pattern: ``rows`` [n, 3] of (operation, a, b), ``ranges`` [m, 2] and where each class begins."""

    rows: Int32
    ranges: Int32
    class_offsets: Int32
    first: NDArray[np.uint64]
    """[8] hashed set of the characters a match may begin with."""


def program(pattern: str) -> Program | None:
    """The program of a pattern that RE2 has accepted with ``dot_nl``, or None where there is none."""
    if "[:" in pattern or "\\p" in pattern or "\\P" in pattern:
        return None
    try:
        parsed = _parser.parse(pattern)
        if parsed.state.flags & ~re.UNICODE:
            return None
        code = _Code()
        _sequence(code, parsed)
        code.add(MATCH)
    except (re.error, RecursionError, OverflowError, _Unsaid):
        return None
    offsets = np.cumsum([0, *map(len, code.classes)], dtype=np.int32)
    ranges = np.array([r for ranges in code.classes for r in ranges], np.int32).reshape(-1, 2)
    return Program(np.array(code.rows, np.int32), ranges, offsets, _first(code))


def _sequence(code: _Code, items: Any) -> None:
    for kind, argument in items:
        _part(code, str(kind), argument)


def _part(code: _Code, kind: str, argument: Any) -> None:
    if kind == "LITERAL":
        code.add(CHAR, argument)
    elif kind == "ANY":
        _class(code, ((0, _LAST_POINT),))
    elif kind == "NOT_LITERAL":
        _class(code, _others([(argument, argument)]))
    elif kind == "IN":
        _class(code, _members(argument))
    elif kind == "SUBPATTERN" and not (argument[1] or argument[2]):
        _sequence(code, argument[3])
    elif kind == "BRANCH":
        _branch(code, argument[1])
    elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
        _repeat(code, *argument, greedy=kind == "MAX_REPEAT")
    elif kind == "AT" and str(argument) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        code.add(BEGIN)
    elif kind == "AT" and str(argument) == "AT_END":
        code.add(END)
    else:
        raise _Unsaid


def _class(code: _Code, ranges: tuple[Range, ...]) -> None:
    code.classes.append(ranges)
    code.add(CLASS, len(code.classes) - 1)


def _branch(code: _Code, branches: Sequence[Any]) -> None:
    ends = []
    for branch in branches[:-1]:
        fork = code.fork(greedy=True)
        _sequence(code, branch)
        ends.append(code.jump())
        code.leave(fork, len(code.rows))
    _sequence(code, branches[-1])
    for end in ends:
        code.rows[end][1] = len(code.rows)


def _repeat(code: _Code, least: int, most: Any, inner: Any, *, greedy: bool) -> None:
    if inner.getwidth()[0] == 0:
        raise _Unsaid  # a loop over nothing: RE2 and Perl differ in how they leave it
    for _ in range(least):
        _sequence(code, inner)
    if str(most) == "MAXREPEAT":
        fork = code.fork(greedy=greedy)
        _sequence(code, inner)
        code.jump(fork)
        code.leave(fork, len(code.rows))
        return
    forks = []
    for _ in range(most - least):
        forks.append(code.fork(greedy=greedy))
        _sequence(code, inner)
    for fork in forks:
        code.leave(fork, len(code.rows))


_CATEGORIES: dict[str, list[Range]] = {
    "CATEGORY_DIGIT": [(48, 57)],
    "CATEGORY_SPACE": [(9, 10), (12, 13), (32, 32)],
    "CATEGORY_WORD": [(48, 57), (65, 90), (95, 95), (97, 122)],
}
"""RE2's ``\\d \\s \\w``: ASCII only."""


def _members(members: Any) -> tuple[Range, ...]:
    ranges: list[Range] = []
    negated = False
    for kind, argument in members:
        name = str(argument)
        if str(kind) == "NEGATE":
            negated = True
        elif str(kind) == "LITERAL":
            ranges.append((argument, argument))
        elif str(kind) == "RANGE":
            ranges.append(argument)
        elif name in _CATEGORIES:
            ranges += _CATEGORIES[name]
        elif name.replace("NOT_", "") in _CATEGORIES:
            ranges += _others(_CATEGORIES[name.replace("NOT_", "")])
        else:
            raise _Unsaid
    return _others(ranges) if negated else tuple(sorted(ranges))


def _others(ranges: Sequence[Range]) -> tuple[Range, ...]:
    found, after = [], 0
    for low, high in sorted(ranges):
        if low > after:
            found.append((after, low - 1))
        after = max(after, high + 1)
    return (*found, (after, _LAST_POINT)) if after <= _LAST_POINT else tuple(found)


def _first(code: _Code) -> NDArray[np.uint64]:
    """Hashed set of first characters, all of them where a class is large or an anchor comes first."""
    bits = np.zeros(_FIRST_BITS, np.bool_)
    seen, todo = set(), [0]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        operation, a, b = code.rows[at]
        if operation == FORK:
            todo += [a] if b < 0 else [a, b]
        elif operation in (BEGIN, END):
            todo.append(at + 1)
        elif operation == MATCH:
            bits[:] = True
        else:
            for low, high in [(a, a)] if operation == CHAR else code.classes[a]:
                bits[np.arange(low, min(high, low + _FIRST_BITS) + 1) % _FIRST_BITS] = True
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    return np.asarray((bits.reshape(-1, 64) * weights).sum(axis=1, dtype=np.uint64))


@dataclass(frozen=True)
class Programs:
    """Many programs in one piece, so that one call of the kernel runs them all."""

    rows: Int32
    row_offsets: Int64
    ranges: Int32
    class_offsets: Int64
    first: NDArray[np.uint64]


def join(programs: Sequence[Program]) -> Programs:
    """``programs`` as one; numbers of classes run on from one to the next."""
    rows, offsets, classes = [], [np.zeros(1, np.int64)], 0
    ranges = 0
    for one in programs:
        shifted = one.rows.copy()
        shifted[shifted[:, 0] == CLASS, 1] += classes
        rows.append(shifted)
        offsets.append(one.class_offsets[1:].astype(np.int64) + ranges)
        classes += len(one.class_offsets) - 1
        ranges += len(one.ranges)
    return Programs(
        rows=np.concatenate([np.zeros((0, 3), np.int32), *rows]),
        row_offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        ranges=np.concatenate([np.zeros((0, 2), np.int32), *(one.ranges for one in programs)]),
        class_offsets=np.concatenate(offsets),
        first=np.concatenate([np.zeros((0, 8), np.uint64), *(one.first[None] for one in programs)]),
    )


def states(programs: Programs, offsets: Int64, turns: Int64, wanted: Int64, unless: Int64) -> Int64:
    """[pairs] upper bound of the (instruction, position) states of each pair; 0 where there is no program."""
    sizes = np.append(np.diff(programs.row_offsets), 0)  # the last one is what -1 finds
    found: Int64 = np.maximum(sizes[wanted], sizes[unless]) * (offsets[turns + 1] - offsets[turns] + 1)
    return found


def find(
    programs: Programs, points: Int32, offsets: Int64, turns: Int64, wanted: Int64, unless: Int64,
    pair_states: Int64,
) -> Int64:  # fmt: skip
    """[n, 3] pair, first character, end of all matches; pairs and ``pair_states`` as in ``states``."""
    out = np.empty((len(turns) + 64, 3), np.int64)
    columns = (programs.rows, programs.row_offsets, programs.ranges, programs.class_offsets, programs.first)
    most = int(pair_states.max(initial=0))
    found = match_all(points, offsets, turns, wanted, unless, *columns, most, out)
    if found > len(out):
        out = np.empty((found, 3), np.int64)
        match_all(points, offsets, turns, wanted, unless, *columns, most, out)
    return out[:found]


@kernel
def _in_class(point: int, number: int, ranges: Int32, class_offsets: Int64) -> bool:
    for row in range(class_offsets[number], class_offsets[number + 1]):
        if ranges[row, 0] <= point <= ranges[row, 1]:
            return True
    return False


@kernel
def _match_at(
    text: Int32, start: int, rows: Int32, ranges: Int32, class_offsets: Int64,
    visited: NDArray[np.uint64], stack: Int32,
) -> int:  # fmt: skip
    """Where the preferred match that begins at ``start`` ends, -1 if none does; marks where it has been."""
    n = len(rows)
    stack[0, 0], stack[0, 1] = 0, start
    depth = 1
    while depth:
        depth -= 1
        at, p = stack[depth, 0], stack[depth, 1]
        while at >= 0:
            place = p * n + at
            bit = np.uint64(1) << np.uint64(place & 63)
            if visited[place >> 6] & bit:
                break
            visited[place >> 6] |= bit
            operation, a = rows[at, 0], rows[at, 1]
            if operation == FORK:
                if rows[at, 2] >= 0:
                    stack[depth, 0], stack[depth, 1] = rows[at, 2], p
                    depth += 1
                at = a
            elif operation == MATCH:
                return int(p)
            elif operation == CHAR:
                at = at + 1 if p < len(text) and text[p] == a else -1
                p += 1
            elif operation == CLASS:
                at = at + 1 if p < len(text) and _in_class(text[p], a, ranges, class_offsets) else -1
                p += 1
            else:
                at = at + 1 if p == (0 if operation == BEGIN else len(text)) else -1
    return -1


@kernel
def _search(
    text: Int32, begin: int, rows: Int32, ranges: Int32, class_offsets: Int64, first: NDArray[np.uint64],
    visited: NDArray[np.uint64], stack: Int32,
) -> tuple[int, int]:  # fmt: skip
    """Start and end of the leftmost match that is not empty from ``begin`` on, (-1, -1) if there is none."""
    visited[: (len(rows) * (len(text) + 1) >> 6) + 1] = 0
    for start in range(begin, len(text)):
        hashed = text[start] & 511
        if first[hashed >> 6] & (np.uint64(1) << np.uint64(hashed & 63)):
            end = _match_at(text, start, rows, ranges, class_offsets, visited, stack)
            if end > start:
                return start, end
    return -1, -1


@kernel
def match_all(
    points: Int32, offsets: Int64, turns: Int64, wanted: Int64, unless: Int64,
    rows: Int32, row_offsets: Int64, ranges: Int32, class_offsets: Int64, first: NDArray[np.uint64],
    most_states: int, out: Int64,
) -> int:  # fmt: skip
    """Write (pair, start, end) of all matches of each pair that ``out`` can hold; return how many exist.

    Pair ``i`` looks for program ``wanted[i]`` in the characters of turn ``turns[i]``, unless the turn has a
    match of program ``unless[i]`` (-1: none).
    """
    visited = np.zeros((most_states >> 6) + 1, np.uint64)
    stack = np.empty((most_states + 1, 2), np.int32)
    found = 0
    for pair in range(len(turns)):
        text = points[offsets[turns[pair]] : offsets[turns[pair] + 1]]
        number, other = wanted[pair], unless[pair]
        mine = rows[row_offsets[number] : row_offsets[number + 1]]
        start, end = _search(text, 0, mine, ranges, class_offsets, first[number], visited, stack)
        if start >= 0 and other >= 0:
            not_this = rows[row_offsets[other] : row_offsets[other + 1]]
            if _search(text, 0, not_this, ranges, class_offsets, first[other], visited, stack)[0] >= 0:
                continue
        while start >= 0:
            if found < len(out):
                out[found, 0], out[found, 1], out[found, 2] = pair, start, end
            found += 1
            start, end = _search(text, end, mine, ranges, class_offsets, first[number], visited, stack)
    return found
