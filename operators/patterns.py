"""Many patterns over the text column: which turns are worth a look, and where the patterns match there.

One scan finds the strings without which a pattern cannot match (``operators.atoms``). Turns that have them
are matched by compiled programs (``operators.bitstate``); patterns that have no program, and turns too long
for one, by RE2, which also says what a pattern is and is the reference in the tests.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import re2

from operators import bitstate
from operators.atoms import required
from operators.columns import ANY_ROLE, kernel
from operators.spec import OperatorError
from operators.table import CallTable, Int8, Int32, Int64
from operators.text import FOLDED, symbols
from operators.words import build, find

_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_BACK_REFERENCE = re.compile(r"invalid escape sequence: \\[1-9]")
_MOST_STATES = 1 << 20
"""Instructions times characters of one match by a program: beyond, its memory is worse than RE2's time."""
_AS_WRITTEN: Int32 = np.arange(FOLDED, dtype=np.int32)


@lru_cache(maxsize=10_000)
def compiled(pattern: str) -> Any:
    """The pattern as RE2 reads it; ``.`` also matches a line break.

    Raises:
        OperatorError: RE2 does not take it, or it matches the empty text.
    """
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.never_capture = True  # spans of groups are not asked for, and finding them is slow
    options.max_mem = 64 << 20
    try:
        made = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise OperatorError(_refusal(pattern, reason)) from None
    if made.search("") is not None:
        raise OperatorError(
            f"pattern {pattern!r} matches the empty text, so it would hit every turn\n"
            "help: make at least one character compulsory, e.g. + instead of *"
        )
    return made


def _refusal(pattern: str, reason: str) -> str:
    if _LOOK_AROUND.search(reason) or _BACK_REFERENCE.search(reason) or "(?P=" in pattern:
        return (
            f"pattern {pattern!r} uses look-around or a back-reference, which cannot run in linear time\n"
            "help: say what must not be there with the parameter `exclude`"
        )
    return (
        f"pattern {pattern!r} is no RE2 pattern: {reason}\nhelp: RE2's syntax is Perl's without look-around"
    )


class Matcher:
    """Patterns, each with one that must not match anywhere in the turn, or None; compiled together."""

    def __init__(self, patterns: Sequence[tuple[str, str | None]], roles: Int8) -> None:
        self._patterns = patterns
        self._gate = _Gate([pattern for pattern, _ in patterns], roles)
        made = [
            (bitstate.program(pattern), bitstate.program(other) if other else None)
            for pattern, other in patterns
        ]
        usable = [
            one is not None and (other is not None or not written)
            for (one, other), (_, written) in zip(made, patterns, strict=True)
        ]
        programs: list[bitstate.Program] = []
        self._wanted, self._unless = np.full((2, len(patterns)), -1, np.int64)
        for use in np.flatnonzero(usable).tolist():
            for program, ids in zip(made[use], (self._wanted, self._unless), strict=True):
                if program is not None:
                    ids[use] = len(programs)
                    programs.append(program)
        self._programs = bitstate.join(programs)

    def find(self, table: CallTable) -> Int64:
        """[n, 4] use, turn, first character, end of every match, in no order."""
        points, offsets = symbols(table.text, table.text_offsets, _AS_WRITTEN)
        turns, uses = self._gate.candidates(points, offsets, table)
        states = bitstate.states(self._programs, offsets, turns, self._wanted[uses], self._unless[uses])
        fast = (self._wanted[uses] >= 0) & (states <= _MOST_STATES)
        slow = list(self._by_re2(table, turns[~fast].tolist(), uses[~fast].tolist()))
        turns, uses = turns[fast], uses[fast]
        found = bitstate.find(
            self._programs, points, offsets, turns, self._wanted[uses], self._unless[uses], states[fast]
        )
        matched = np.column_stack([uses[found[:, 0]], turns[found[:, 0]], found[:, 1:]])
        return np.concatenate([matched, np.array(slow, np.int64).reshape(-1, 4)])

    def _by_re2(
        self, table: CallTable, turns: list[int], uses: list[int]
    ) -> Iterator[tuple[int, int, int, int]]:
        for turn, use in zip(turns, uses, strict=True):
            text = table.turn_text(turn)
            pattern, other = self._patterns[use]
            if other is not None and compiled(other).search(text) is not None:
                continue
            for match in compiled(pattern).finditer(text):
                if match.end() > match.start():
                    yield (use, turn, *match.span())


class _Gate:
    """Which (turn, use) pairs may match: never too few, seldom too many."""

    def __init__(self, patterns: Sequence[str], roles: Int8) -> None:
        demands = [required(pattern) for pattern in patterns]
        self._roles = roles
        self._sets = np.array([len(sets) for sets in demands], np.int64)
        self._set_use = np.repeat(np.arange(len(patterns)), self._sets)
        every = [atoms for sets in demands for atoms in sets]
        words = [(word, number) for number, atoms in enumerate(every) for word in sorted(atoms)]
        self._trie = build(words, _AS_WRITTEN)

    def candidates(self, points: Int32, offsets: Int64, table: CallTable) -> tuple[Int64, Int64]:
        """Turn and use of every pair worth a look."""
        found = find(self._trie, points, offsets, np.ones(table.n_turns, np.bool_))
        out = np.empty((len(found), 2), np.int64)
        met = out[: _complete(found, self._set_use, self._sets, self._roles, table.turn_role, out)]
        free = np.flatnonzero(self._sets == 0)
        turn, use = (grid.ravel() for grid in np.meshgrid(np.arange(table.n_turns), free, indexing="ij"))
        spoken = (self._roles[use] == ANY_ROLE) | (self._roles[use] == table.turn_role[turn])
        return np.append(met[:, 0], turn[spoken]), np.append(met[:, 1], use[spoken])


@kernel
def _complete(found: Int32, set_use: Int64, needed: Int64, roles: Int8, turn_role: Int8, out: Int64) -> int:
    """Write (turn, use) as soon as a turn has a string of each set that the use needs; return how many."""
    seen = np.full(len(set_use), -1, np.int64)
    turn_of, counts = np.full(len(needed), -1, np.int64), np.zeros(len(needed), np.int64)
    written = 0
    for row in range(len(found)):
        number, turn = found[row, 0], found[row, 1]
        use = set_use[number]
        if seen[number] == turn or not (roles[use] == ANY_ROLE or roles[use] == turn_role[turn]):
            continue
        seen[number] = turn
        if turn_of[use] != turn:
            turn_of[use], counts[use] = turn, 0
        counts[use] += 1
        if counts[use] == needed[use]:
            out[written, 0], out[written, 1] = turn, use
            written += 1
    return written
