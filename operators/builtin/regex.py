"""Operator ``regex``: patterns over the text of a turn, in time linear in the text whatever the pattern."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import re2
from numpy.typing import NDArray

from operators.atoms import required
from operators.columns import ANY_ROLE, Found, nothing_unknown, role_codes, role_param, turn_hits
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import CallTable
from operators.text import exact_fold, symbols
from operators.words import build, find

_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_BACK_REFERENCE = re.compile(r"invalid escape sequence: \\[1-9]")


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> Any:
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
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise OperatorError(_refusal(pattern, reason)) from None
    if compiled.search("") is not None:
        raise OperatorError(
            f"pattern {pattern!r} matches the empty text, so it would hit every turn\n"
            "help: make at least one character compulsory, e.g. + instead of *"
        )
    return compiled


def _refusal(pattern: str, reason: str) -> str:
    if _LOOK_AROUND.search(reason) or _BACK_REFERENCE.search(reason) or "(?P=" in pattern:
        return (
            f"pattern {pattern!r} uses look-around or a back-reference, which cannot run in linear time\n"
            "help: say what must not be there with the parameter `exclude`"
        )
    return (
        f"pattern {pattern!r} is no RE2 pattern: {reason}\nhelp: RE2's syntax is Perl's without look-around"
    )


def _check(params: Params) -> None:
    for pattern in (params["pattern"], params["exclude"]):
        if pattern is not None:
            _compiled(pattern)


@operator(
    "regex",
    needs=("text",),
    params={
        "pattern": Param(help="what must match", type=str, required=True),
        "exclude": Param(
            help="a turn in which this matches anywhere has no hit", type=(str, type(None)), default=None
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 我是法院的 | C 3-4 你是法院的", {"pattern": "我.{0,3}法院"}, "x."),
        Example("A 我没有威胁你 | A 我威胁你", {"pattern": "威胁", "exclude": "(没有|不是).{0,4}威胁"}, ".x"),
        Example("A 尾号13800 | C 一二三", {"pattern": "[0-9]{4,}"}, "x."),
        Example("A 要钱 | C 要钱", {"pattern": "钱", "role": "customer"}, ".x"),
    ),
    check=_check,
)
def regex(uses: Sequence[Params]) -> Scan:
    """Hit every match of ``pattern`` in a turn in which ``exclude`` does not match anywhere; value = 1.

    Patterns are RE2's: Perl's without look-around and back-references, ``.`` matches any character, ``\\d
    \\w \\b`` mean ASCII. Matches are the leftmost, then, from its start, the one that Perl prefers (a
    greedy gap reaches as far as it can); the next one is searched behind it, so hits of one use do not
    overlap. Patterns that match the empty text are refused. One scan finds the strings without which a
    pattern cannot match (``operators.atoms``), and RE2 looks only at turns that have them.
    """
    roles = role_codes(uses)
    gate = _Gate(uses, roles)

    def scan(table: CallTable) -> Hits:
        rows: list[tuple[int, int, int, int]] = []
        turn_before, text = -1, ""
        for turn, use in gate.candidates(table):
            if turn != turn_before:
                turn_before, text = turn, table.turn_text(turn)
            spans = [m.span() for m in _compiled(uses[use]["pattern"]).finditer(text) if m.end() > m.start()]
            exclude = uses[use]["exclude"]
            if spans and (exclude is None or _compiled(exclude).search(text) is None):
                rows.extend((use, turn, *span) for span in spans)
        found = np.array(rows, np.int64).reshape(-1, 4)
        hits = Found(use=found[:, 0].astype(np.int32), row=found[:, 1], value=np.ones(len(found)))
        chars = (found[:, 2], found[:, 3])
        return turn_hits(table, hits, chars=chars, unknown=nothing_unknown(len(uses), table))

    return scan


class _Gate:
    """Which (turn, use) pairs may match: never too few, seldom too many."""

    def __init__(self, uses: Sequence[Params], roles: NDArray[np.int8]) -> None:
        demands = [required(use["pattern"]) for use in uses]
        self._roles = roles
        self._sets = np.array([len(sets) for sets in demands], np.int64)
        self._set_use = np.repeat(np.arange(len(uses)), self._sets)
        every = [atoms for sets in demands for atoms in sets]
        words = [(word, number) for number, atoms in enumerate(every) for word in sorted(atoms)]
        self._trie = build(words, exact_fold())

    def candidates(self, table: CallTable) -> list[tuple[int, int]]:
        """(turn, use) of every pair worth a look, in the turns' order."""
        points, offsets = symbols(table.text, table.text_offsets, exact_fold())
        wanted = np.ones(table.n_turns, np.bool_)
        found = find(self._trie, points, offsets, wanted)
        # a set found in a turn counts once, and a use needs all of its sets there
        met = np.unique(found[:, 1].astype(np.int64) * len(self._set_use) + found[:, 0])
        turn, number = met // max(len(self._set_use), 1), met % max(len(self._set_use), 1)
        pairs, sets = np.unique(turn * len(self._sets) + self._set_use[number], return_counts=True)
        pairs = pairs[sets == self._sets[pairs % len(self._sets)]]
        free = np.flatnonzero(self._sets == 0)
        always = (np.arange(table.n_turns)[:, None] * len(self._sets) + free).ravel()
        pairs = np.sort(np.concatenate([pairs, always]))
        turns, uses = pairs // len(self._sets), pairs % len(self._sets)
        spoken = (self._roles[uses] == ANY_ROLE) | (self._roles[uses] == table.turn_role[turns])
        return list(zip(turns[spoken].tolist(), uses[spoken].tolist(), strict=True))
