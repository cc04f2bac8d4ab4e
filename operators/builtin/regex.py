"""Operator ``regex``: patterns over the text of a turn, in time linear in the text whatever the pattern."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import hyperscan
import numpy as np
import re2

from operators.columns import ANY_ROLE, Found, nothing_unknown, role_codes, role_param, turn_hits
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import CallTable

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
    overlap. Patterns that match the empty text are refused. All patterns together pass through one
    Hyperscan database that says which turns are worth RE2's look; a pattern that it cannot take is looked
    for in every turn.
    """
    roles = role_codes(uses)
    patterns = list(dict.fromkeys(use["pattern"] for use in uses))
    gate = _Gate(patterns)
    users = {
        number: [u for u, use in enumerate(uses) if use["pattern"] == p] for number, p in enumerate(patterns)
    }

    def scan(table: CallTable) -> Hits:
        rows: list[tuple[int, int, int, int]] = []
        for turn, number, text in gate.candidates(table):
            spans = [m.span() for m in _compiled(patterns[number]).finditer(text) if m.end() > m.start()]
            for use in users[number] if spans else ():
                exclude = uses[use]["exclude"]
                spoken = roles[use] in (ANY_ROLE, table.turn_role[turn])
                if spoken and (exclude is None or _compiled(exclude).search(text) is None):
                    rows.extend((use, turn, *span) for span in spans)
        found = np.array(rows, np.int64).reshape(-1, 4)
        hits = Found(use=found[:, 0].astype(np.int32), row=found[:, 1], value=np.ones(len(found)))
        chars = (found[:, 2], found[:, 3])
        return turn_hits(table, hits, chars=chars, unknown=nothing_unknown(len(uses), table))

    return scan


class _Gate:
    """Which (turn, pattern) pairs may match: never too few, seldom too many."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.open = [number for number, pattern in enumerate(patterns) if not _taken([pattern])]
        taken = [number for number in range(len(patterns)) if number not in set(self.open)]
        self.database = _database([patterns[number] for number in taken], taken) if taken else None

    def candidates(self, table: CallTable) -> list[tuple[int, int, str]]:
        """(turn, pattern number, text of the turn) of every pair worth a look, in the turns' order."""
        out: list[tuple[int, int, str]] = []
        whole, offsets = table.text.tobytes(), table.text_offsets.tolist()
        scratch = hyperscan.Scratch(self.database) if self.database is not None else None
        for turn in range(table.n_turns):
            text = whole[offsets[turn] : offsets[turn + 1]]
            numbers = list(self.open)
            if self.database is not None and text:
                self.database.scan(text, match_event_handler=_note, context=numbers, scratch=scratch)
            if numbers:
                decoded = text.decode()
                out.extend((turn, number, decoded) for number in numbers)
        return out


def _note(number: int, _start: int, _end: int, _flags: int, numbers: list[int]) -> None:
    numbers.append(number)


def _database(patterns: Sequence[str], numbers: Sequence[int]) -> Any:
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
    database = hyperscan.Database()
    database.compile(
        expressions=[pattern.encode() for pattern in patterns],
        ids=list(numbers),
        flags=[flags] * len(patterns),
    )
    return database


@lru_cache(maxsize=10_000)
def _takes(pattern: str) -> bool:
    try:
        _database([pattern], [0])
    except hyperscan.error:
        return False
    return True


def _taken(patterns: Sequence[str]) -> bool:
    return all(_takes(pattern) for pattern in patterns)
