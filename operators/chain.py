"""From what a rule set asks of the operators to one run over a table.

``load_registry`` finds the operators, ``check_use`` turns one request of a rule into a checked ``Use``,
``Plan`` compiles all uses once (the same request twice is one use) and ``Plan.evaluate`` answers for every
call of a table. The answer for a call does not depend on which other calls share its table.
"""

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.builtin import MODULES
from operators.columns import kernel
from operators.spec import Hits, Operator, OperatorError, Param, Params, Registry, Scan
from operators.table import Bool, CallTable, Int64, called

ENTRY_POINTS = "earshot.operators"
"""Entry-point group of third parties: a module, or a tuple of module names."""


def load_registry() -> Registry:
    """Every operator there is: the built-ins by name, then third parties by entry point.

    Raises:
        OperatorError: a module cannot be imported, or two operators share a name.
    """
    modules = {name: importlib.import_module(name) for name in MODULES}
    for entry in entry_points(group=ENTRY_POINTS):
        modules |= {module.__name__: module for module in _modules_of(entry)}
    registry = Registry()
    for module in modules.values():
        for value in vars(module).values():
            if isinstance(value, Operator) and registry.get(value.name) is not value:
                registry.add(value)
    return registry


def _modules_of(entry: EntryPoint) -> list[ModuleType]:
    try:
        loaded = entry.load()
        return (
            [loaded] if isinstance(loaded, ModuleType) else [importlib.import_module(name) for name in loaded]
        )
    except Exception as error:
        raise OperatorError(
            f"operators of entry point {entry.name!r} ({entry.value}) cannot be loaded: {error}\n"
            "help: mend or uninstall the package that declares it"
        ) from error


@dataclass(frozen=True)
class Use:
    """One request to one operator, checked, defaults filled in; equal requests are equal uses."""

    operator: Operator = field(compare=False, repr=False)
    params: Params = field(compare=False)
    key: str

    @property
    def needs(self) -> tuple[str, ...]:
        """Modalities without which this use is unknown."""
        declared = self.operator.params
        extra = [need for name, p in declared.items() if self.params[name] != p.default for need in p.needs]
        return tuple(dict.fromkeys((*self.operator.needs, *extra)))


def check_use(registry: Registry, name: str, params: Mapping[str, Any]) -> Use:
    """The use of operator ``name`` with ``params``, after checking every value against the declaration.

    Raises:
        OperatorError: no such operator or parameter, a value of the wrong type or range, one missing;
            all problems of the use at once.
    """
    declared = registry.get(name)
    if declared is None:
        raise OperatorError(f"there is no operator {name!r}\nhelp: {_nearest(name, registry.names())}")
    problems = [
        f"operator {name} has no parameter {given!r}\nhelp: {_nearest(given, list(declared.params))}"
        for given in params
        if given not in declared.params
    ]
    values: dict[str, Any] = {}
    for param_name, param in declared.params.items():
        if param_name in params:
            values[param_name] = _frozen(params[param_name])
            problem = _problem(param, params[param_name])
        else:
            values[param_name] = _frozen(param.default)
            problem = "is missing" if param.required else ""
        if problem:
            problems.append(f"operator {name}, parameter {param_name}: {problem}\nhelp: {_expected(param)}")
    if problems:
        raise OperatorError("\n".join(problems))
    checked = MappingProxyType(values)
    if declared.check is not None:
        declared.check(checked)
    return Use(declared, checked, f"{name} {sorted(values.items())!r}")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _nearest(given: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"one of {', '.join(names)}"


def _is(value: Any, expected: type) -> bool:
    """isinstance, but a bool is no number, an int is a float, and a tuple is a list."""
    if isinstance(value, bool):
        return expected is bool
    accepted: dict[type, tuple[type, ...]] = {float: (float, int), list: (list, tuple)}
    return isinstance(value, accepted.get(expected, (expected,)))


def _types(param: Param) -> tuple[type, ...]:
    return param.type if isinstance(param.type, tuple) else (param.type,)


def _problem(param: Param, value: Any) -> str:
    """What is wrong with ``value``, or an empty string."""
    if not any(_is(value, expected) for expected in _types(param)):
        return f"{value!r} is {type(value).__name__}"
    if param.choices and value not in param.choices:
        return f"{value!r} is no choice"
    if isinstance(value, list | tuple):
        bad = [entry for entry in value if param.items is not None and not _is(entry, param.items)]
        if bad:
            return f"entry {bad[0]!r} is {type(bad[0]).__name__}"
        if param.required and not value:
            return "the list is empty"
    if isinstance(value, int | float) and not _in_range(param, value):
        return f"{value!r} is out of range"
    return ""


def _in_range(param: Param, value: float) -> bool:
    above = param.minimum is None or value >= param.minimum
    return above and (param.maximum is None or value <= param.maximum)


def _expected(param: Param) -> str:
    return f"{describe(param)}: {param.help}"


def describe(param: Param) -> str:
    """What a parameter takes, in words: type, choices, range, unit."""
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}
    kinds = " or ".join(names.get(kind, kind.__name__) for kind in _types(param) if kind is not type(None))
    if param.items is not None:
        kinds += f" of {names.get(param.items, param.items.__name__)}"
    if param.choices:
        kinds = f"one of {', '.join(map(str, param.choices))}"
    if param.minimum is not None or param.maximum is not None:
        kinds += f" from {param.minimum}" if param.minimum is not None else ""
        kinds += f" up to {param.maximum}" if param.maximum is not None else ""
    return f"{kinds} ({param.unit})" if param.unit else kinds


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What every use of a plan found in a table.

    ``hits`` has the plan's use ids in ``hits.use`` and is sorted by (use, call, start_ms, turn, char_start,
    char_end); ``use_offsets`` [U + 1] cuts it by use. ``hits.unknown`` is [U, C].
    """

    hits: Hits
    use_offsets: Int64
    silent: Bool
    """[U] nothing found in any call, and nothing unknown."""
    uses: tuple[Use, ...]
    lacking: Mapping[str, Bool]

    def rows(self, use: int) -> slice:
        """The rows of ``hits`` that belong to ``use``."""
        return slice(int(self.use_offsets[use]), int(self.use_offsets[use + 1]))

    def why_unknown(self, use: int, call: int) -> str:
        """Why ``use`` is unknown for ``call``, in one clause; empty when it is known."""
        if not self.hits.unknown[use, call]:
            return ""
        lacks = [called(need) for need in self.uses[use].needs if self.lacking[need][call]]
        return f"the call has no {', '.join(lacks)}" if lacks else self.hits.reasons.get(use, "undecided")


class Plan:
    """All uses of a rule set, compiled together: operator by operator, each running once over a table."""

    def __init__(self, uses: Iterable[Use]) -> None:
        """Compile ``uses``; equal ones become one.

        Raises:
            OperatorError: an operator refuses what it is asked.
        """
        groups: dict[str, dict[str, Use]] = {}
        for use in uses:
            groups.setdefault(use.operator.name, {}).setdefault(use.key, use)
        self.uses: tuple[Use, ...] = tuple(use for name in sorted(groups) for use in groups[name].values())
        self._ids = {use.key: number for number, use in enumerate(self.uses)}
        needs = [use.needs for use in self.uses]
        self._needed = {
            need: np.array([number for number, have in enumerate(needs) if need in have], np.int64)
            for need in dict.fromkeys(need for have in needs for need in have)
        }
        self._scans: list[tuple[int, Scan]] = []
        first = 0
        for name in sorted(groups):
            members = list(groups[name].values())
            scan = members[0].operator.compile([use.params for use in members])
            self._scans.append((first, scan))
            first += len(members)

    def id_of(self, use: Use) -> int:
        """The id of ``use`` in this plan's evidence.

        Raises:
            KeyError: the plan was not built with it.
        """
        return self._ids[use.key]

    def evaluate(self, table: CallTable) -> Evidence:
        """Run every operator over ``table``; where a call lacks what a use needs, the use is unknown."""
        lacking = {need: table.lacks(need) for need in self._needed}
        lacks = np.zeros((len(self.uses), table.n_calls), np.bool_)
        for need, uses in self._needed.items():
            lacks[uses] |= lacking[need]
        parts = [(first, scan(table)) for first, scan in self._scans]
        hits = _arrange(_drop(_join(parts, lacks), lacks), len(self.uses))
        offsets = np.searchsorted(hits.use, np.arange(len(self.uses) + 1)).astype(np.int64)
        silent = (np.diff(offsets) == 0) & ~hits.unknown.any(axis=1)
        return Evidence(hits=hits, use_offsets=offsets, silent=silent, uses=self.uses, lacking=lacking)


COLUMNS = ("use", "call", "turn", "start_ms", "end_ms", "char_start", "char_end", "value")
_TYPES = (np.int32, np.int32, np.int32, np.int64, np.int64, np.int32, np.int32, np.float64)


def _take(hits: Hits, rows: NDArray[Any]) -> Hits:
    return replace(hits, **{name: getattr(hits, name)[rows] for name in COLUMNS})


def _drop(hits: Hits, lacks: Bool) -> Hits:
    """Without the hits made of columns that a call does not really have."""
    if not lacks.any() or not len(hits):
        return hits
    return _take(hits, ~lacks[hits.use, hits.call])


def _arrange(hits: Hits, uses: int) -> Hits:
    """Sorted by the keys; hits that come nearly in order, as from a scan down the table, cost linear time."""
    keys = (hits.use, hits.call, hits.start_ms, hits.turn, hits.char_start, hits.char_end)
    order = np.arange(len(hits))
    if _settle(order, *keys, 0):
        return hits
    order = _counted(hits.use, order, uses)
    if not _settle(order, *keys, _MOVES * len(hits)):
        order = np.lexsort(keys[::-1])
    return _take(hits, order)


_MOVES = 4
"""Places a row may have to move on average before sorting from scratch is cheaper."""


@kernel
def _settle(
    order: Int64, use: NDArray[Any], call: NDArray[Any], start_ms: NDArray[Any], turn: NDArray[Any],
    char_start: NDArray[Any], char_end: NDArray[Any], moves: int,
) -> bool:  # fmt: skip
    """Insertion sort of ``order`` by the keys; False as soon as it took more than ``moves``."""
    for place in range(1, len(order)):
        row, at = order[place], place
        while at > 0:
            above = order[at - 1]
            if use[above] != use[row]:
                after = use[above] > use[row]
            elif call[above] != call[row]:
                after = call[above] > call[row]
            elif start_ms[above] != start_ms[row]:
                after = start_ms[above] > start_ms[row]
            elif turn[above] != turn[row]:
                after = turn[above] > turn[row]
            elif char_start[above] != char_start[row]:
                after = char_start[above] > char_start[row]
            else:
                after = char_end[above] > char_end[row]
            if not after:
                break
            if moves <= 0:
                return False
            order[at] = above
            moves -= 1
            at -= 1
        order[at] = row
    return True


@kernel
def _counted(use: NDArray[Any], rows: Int64, uses: int) -> Int64:
    """``rows`` by use, in their order within each: a counting sort."""
    first = np.zeros(uses + 1, np.int64)
    for row in rows:
        first[use[row] + 1] += 1
    for number in range(uses):
        first[number + 1] += first[number]
    order = np.empty_like(rows)
    for row in rows:
        order[first[use[row]]] = row
        first[use[row]] += 1
    return order


def _join(parts: Sequence[tuple[int, Hits]], lacks: Bool) -> Hits:
    """The hits of every scan in one, ``use`` counted from the first use of the plan."""
    loud = [(first, part) for first, part in parts if len(part)]
    columns = {
        name: np.concatenate([np.zeros(0, kind), *(getattr(part, name) for _, part in loud)])
        for name, kind in zip(COLUMNS, _TYPES, strict=True)
    }
    columns["use"] += np.repeat(
        np.array([first for first, _ in loud], np.int32), [len(part) for _, part in loud]
    )
    unknown = lacks | np.concatenate([lacks[:0], *(part.unknown for _, part in parts)])
    reasons = {first + use: why for first, part in parts for use, why in part.reasons.items()}
    return Hits(**columns, unknown=unknown, reasons=reasons)
