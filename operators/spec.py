"""How an operator is declared, and the shape of what it answers.

An operator is a function that *compiles* all uses of it in a rule set together (one automaton for all
keywords, one database for all regexes) and returns a scan; the scan runs once over a whole table:

    @operator("keyword", needs=("text",), params={...}, examples=(...))
    def keyword(uses: Sequence[Params]) -> Scan: ...

Docs, JSON schema, the rule parser and the tests read the declaration. Third parties declare the same way and
register a module through the entry-point group ``earshot.operators``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.table import CallTable

Kind = type
Params = Mapping[str, Any]
"""Values of one use, checked and with defaults filled in."""


class OperatorError(ValueError):
    """An operator, or one use of it, is declared wrongly."""


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Everything the uses of one operator found, as columns.

    A scan may return its rows in any order; the plan (``operators.chain``) sorts them by
    (use, call, start_ms, turn, char_start, char_end).

    ``turn`` is the row in the table or -1 (a fact about the call, e.g. a silence or metadata);
    ``char_start``/``char_end`` count characters (not bytes) within the turn, -1 where no words are meant;
    ``value`` is the operator's measured figure (milliseconds, characters per minute, score …).
    ``unknown[u, c]`` is True where use ``u`` could not be decided in full for call ``c``; hits that are
    there all the same are certain, but there may be more. ``reasons[u]`` says why, in one clause.
    """

    use: NDArray[np.int32]
    call: NDArray[np.int32]
    turn: NDArray[np.int32]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    char_start: NDArray[np.int32]
    char_end: NDArray[np.int32]
    value: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    reasons: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.use)


Scan = Callable[[CallTable], Hits]
Compile = Callable[[Sequence[Params]], Scan]
Check = Callable[[Params], None]
"""Raises OperatorError when values that are each right do not fit together."""


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter of an operator: how rules may set it."""

    help: str
    type: type | tuple[type, ...]
    default: Any = None
    required: bool = False
    unit: str = ""
    choices: tuple[Any, ...] = ()
    items: Kind | None = None
    """Type of the entries, where ``type`` is list."""
    minimum: float | None = None
    maximum: float | None = None
    needs: tuple[str, ...] = ()
    """Modalities needed only by uses that set this parameter to something other than its default."""


@dataclass(frozen=True)
class Example:
    """An executed example: a call in the notation of ``operators.testing``, and the turns that must be hit.

    ``marks`` has one character a turn: ``x`` hit, ``.`` not; or ``?`` alone for unknown, ``!``/``-`` alone
    for a fact about the call that holds / does not hold.
    """

    script: str
    params: Mapping[str, Any]
    marks: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A declared operator."""

    name: str
    compile: Compile
    needs: tuple[str, ...]
    """Modalities without which a call's answer is unknown (``CallTable.lacks``)."""
    params: Mapping[str, Param]
    examples: tuple[Example, ...]
    doc: str
    live: bool = True
    """Whether it can be decided while the call still runs."""
    check: Check | None = None


def operator(
    name: str,
    *,
    needs: tuple[str, ...],
    params: Mapping[str, Param],
    examples: tuple[Example, ...],
    live: bool = True,
    check: Check | None = None,
) -> Callable[[Compile], Operator]:
    """Declare the decorated compile function as operator ``name``; it needs a docstring and an example.

    Raises:
        OperatorError: no docstring or no example.
    """

    def declare(compile_uses: Compile) -> Operator:
        if not compile_uses.__doc__ or not examples:
            raise OperatorError(f"operator {name!r} has no docstring or no example\nhelp: give it both")
        return Operator(
            name=name, compile=compile_uses, needs=needs, params=params, examples=examples,
            doc=compile_uses.__doc__, live=live, check=check,
        )  # fmt: skip

    return declare


class Registry:
    """Operators by name; a name declared twice is an error."""

    def __init__(self, operators: Iterable[Operator] = ()) -> None:
        self._operators: dict[str, Operator] = {}
        for declared in operators:
            self.add(declared)

    def add(self, declared: Operator) -> None:
        """Register one operator.

        Raises:
            OperatorError: the name is taken.
        """
        if declared.name in self._operators:
            raise OperatorError(f"operator {declared.name!r} is declared twice\nhelp: rename one of the two")
        self._operators[declared.name] = declared

    def get(self, name: str) -> Operator | None:
        """The operator called ``name``, if there is one."""
        return self._operators.get(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._operators)
