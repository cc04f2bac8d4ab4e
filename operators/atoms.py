"""What a text must contain before a pattern can match it: short strings that one scan finds for all patterns.

``required`` reads a pattern once; anything that it does not understand simply demands nothing, so a text is
never passed over by mistake.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

Atoms = frozenset[str]
_parser: Any = import_module("re._parser")
_MOST_ATOMS = 200
"""An alternation of more strings than this demands nothing: it would hardly keep a text out."""
_SETS = 2
"""How many sets of a pattern are used; a third one costs the scan more than it saves."""


def required(pattern: str) -> tuple[Atoms, ...]:
    """Sets of strings; a match of ``pattern`` contains at least one of each. None if nothing is sure."""
    if "[:" in pattern:  # a class name such as [:alpha:], which Python reads as a set of letters
        return ()
    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return ()
    if parsed.state.flags & re.IGNORECASE:
        return ()
    return tuple(sorted(_sequence(parsed), key=_worth, reverse=True)[:_SETS])


def _worth(atoms: Atoms) -> tuple[int, int, list[str]]:
    """Long strings are rare, and few of them rarer; the strings themselves only make the order certain."""
    return min(map(len, atoms)), -len(atoms), sorted(atoms)


def _sequence(items: Iterable[tuple[Any, Any]]) -> list[Atoms]:
    sets: list[Atoms] = []
    run = ""
    for kind, argument in items:
        if str(kind) == "LITERAL":
            run += chr(argument)
            continue
        if run:
            sets.append(frozenset([run]))
            run = ""
        sets.extend(_part(str(kind), argument))
    return [*sets, frozenset([run])] if run else sets


def _part(kind: str, argument: Any) -> list[Atoms]:
    if kind == "SUBPATTERN":
        _, added_flags, _, inner = argument
        return [] if added_flags & re.IGNORECASE else _sequence(inner)
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, _, inner = argument
        return _sequence(inner) if least > 0 else []
    if kind == "BRANCH":
        return _either([_sequence(branch) for branch in argument[1]])
    return _characters(argument) if kind == "IN" else []


def _either(branches: Sequence[list[Atoms]]) -> list[Atoms]:
    """One set that holds whichever branch matches, if every branch demands something."""
    if not all(branches):
        return []
    atoms = frozenset().union(*(max(sets, key=_worth) for sets in branches))
    return [atoms] if len(atoms) <= _MOST_ATOMS else []


def _characters(members: Iterable[tuple[Any, Any]]) -> list[Atoms]:
    """A small class of characters named one by one or by ranges."""
    found: list[str] = []
    for kind, argument in members:
        if str(kind) == "LITERAL":
            found.append(chr(argument))
        elif str(kind) == "RANGE" and argument[1] - argument[0] < _MOST_ATOMS:
            found.extend(map(chr, range(argument[0], argument[1] + 1)))
        else:
            return []
    return [frozenset(found)] if len(found) <= _MOST_ATOMS else []
