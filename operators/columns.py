"""Column helpers shared by the built-in operators: roles, hits, character counts. No operator lives here."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from operators.spec import Hits, OperatorError, Param, Params
from operators.table import ROLES, SIDES, Bool, CallTable, Float32, Int64

ANY_ROLE = -1
PAUSE_MS = 500
"""A hole between two characters of a turn longer than this is a pause, not speech. Ours: two to three
times the 200 ms of a Mandarin syllable, so it never cuts between neighbours whatever span they are given."""


@dataclass(frozen=True)
class Found:
    """Hits before they get their times: use, row (a turn or a call) and measured value of each."""

    use: NDArray[np.int32]
    row: Int64
    value: NDArray[np.float64]


F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` with Numba, cached on disk where a folder can be written."""
    try:
        compiled: F = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder is writable
        compiled = njit(nogil=True)(function)
    return compiled


def role_param(meaning: str) -> Param:
    """The parameter ``role``; any other value than ``any`` needs a call whose sides are known apart."""
    return Param(help=meaning, type=str, default="any", choices=("any", *ROLES), needs=("separated",))


def role_codes(uses: Sequence[Params], name: str = "role") -> NDArray[np.int8]:
    """[U] role of each use as in ``turn_role``, ANY_ROLE for any."""
    return np.array(
        [(*ROLES, "any").index(use[name]) if use[name] != "any" else ANY_ROLE for use in uses], np.int8
    )


def role_rows(table: CallTable, role: int) -> Bool:
    """[T] the turns spoken by ``role``."""
    if role == ANY_ROLE:
        return np.ones(table.n_turns, np.bool_)
    return np.asarray(table.turn_role == role, np.bool_)


def limits(name: str, noun: str, unit: str) -> dict[str, Param]:
    """The parameters ``gt_<name>`` and ``lt_<name>`` (``gt``, ``lt`` without a name); both are strict."""
    kinds = (float, type(None))
    return {
        _limit("gt", name): Param(help=f"hit when the {noun} is above this", type=kinds, unit=unit),
        _limit("lt", name): Param(help=f"hit when the {noun} is below this", type=kinds, unit=unit),
    }


def _limit(side: str, name: str) -> str:
    return f"{side}_{name}" if name else side


def check_limits(name: str) -> Callable[[Params], None]:
    """A check that at least one of ``gt_<name>`` and ``lt_<name>`` is set."""

    def check(params: Params) -> None:
        above, below = _limit("gt", name), _limit("lt", name)
        if params[above] is None and params[below] is None:
            raise OperatorError(f"neither {above} nor {below} is set\nhelp: set one of the two, or both")

    return check


def within(values: NDArray[Any], params: Params, name: str) -> Bool:
    """Which ``values`` lie strictly above ``gt_<name>`` and strictly below ``lt_<name>``."""
    above, below = params[_limit("gt", name)], params[_limit("lt", name)]
    inside = np.ones(len(values), np.bool_)
    if above is not None:
        inside &= values > above
    if below is not None:
        inside &= values < below
    return inside


def talk_ms(table: CallTable) -> Int64:
    """[C, SIDES] length of the speech segments of each side."""
    cumulated = np.concatenate([[0], np.cumsum(table.speech_end_ms - table.speech_start_ms)])
    per_side: Int64 = np.diff(cumulated[table.speech_offsets])
    return per_side.reshape(-1, SIDES)


def nothing_unknown(uses: int, table: CallTable) -> Bool:
    """[U, C] all False."""
    return np.zeros((uses, table.n_calls), np.bool_)


def stack(found: Sequence[tuple[int, NDArray[Any], NDArray[Any]]]) -> Found:
    """One row a hit from (use, rows of that use, their values) each."""
    return Found(
        use=np.repeat(np.array([use for use, _, _ in found], np.int32), [len(rows) for _, rows, _ in found]),
        row=np.concatenate([np.zeros(0, np.int64), *(rows for _, rows, _ in found)]),
        value=np.concatenate([np.zeros(0, np.float64), *(values for _, _, values in found)]),
    )


def turn_hits(
    table: CallTable, found: Found, *, unknown: Bool, reasons: dict[int, str] | None = None,
    chars: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Hits:  # fmt: skip
    """Hits on whole turns (``found.row``), or on the character spans ``chars`` (start, end) within them.

    A span's times are those of its first and last character where the turn has them, else the turn's.
    """
    turn = found.row
    none = np.full(len(turn), -1, np.int32)
    whole = (table.turn_start_ms[turn], table.turn_end_ms[turn])
    spans = whole if chars is None else char_times(table, turn, *chars)
    char_start, char_end = chars if chars is not None else (none, none)
    return Hits(
        use=found.use.astype(np.int32),
        call=table.turn_call[turn].astype(np.int32),
        turn=turn.astype(np.int32),
        start_ms=spans[0],
        end_ms=spans[1],
        char_start=char_start.astype(np.int32),
        char_end=char_end.astype(np.int32),
        value=found.value.astype(np.float64),
        unknown=unknown,
        reasons=reasons or {},
    )


def char_times(table: CallTable, turn: Int64, start: NDArray[Any], end: NDArray[Any]) -> tuple[Int64, Int64]:
    """When the characters ``start`` to ``end`` of turns are spoken, else the turn's own times."""
    spans = (table.turn_start_ms[turn], table.turn_end_ms[turn])
    return _char_times(table, turn, (start, end), spans) if len(table.char_start_ms) else spans


def _char_times(
    table: CallTable, turn: Int64, chars: tuple[NDArray[Any], NDArray[Any]], spans: tuple[Int64, Int64]
) -> tuple[Int64, Int64]:
    first = table.char_offsets[turn]
    timed = table.char_offsets[turn + 1] > first
    last_row = len(table.char_start_ms) - 1
    start_ms = table.char_start_ms[np.minimum(first + chars[0], last_row)]
    end_ms = table.char_end_ms[np.clip(first + chars[1] - 1, 0, last_row)]
    return np.where(timed, start_ms, spans[0]), np.where(timed, end_ms, spans[1])


def call_hits(
    found: Found,
    start_ms: NDArray[Any],
    end_ms: NDArray[Any],
    *,
    unknown: Bool,
    reasons: dict[int, str] | None = None,
) -> Hits:
    """Hits that are facts about a call (``found.row``) or a stretch of it, not about a turn."""
    none = np.full(len(found.use), -1, np.int32)
    return Hits(
        use=found.use.astype(np.int32), call=found.row.astype(np.int32), turn=none,
        start_ms=start_ms.astype(np.int64), end_ms=end_ms.astype(np.int64), char_start=none, char_end=none,
        value=found.value.astype(np.float64), unknown=unknown, reasons=reasons or {},
    )  # fmt: skip


def merge(first: Hits, second: Hits) -> Hits:
    """The rows of both; unknown and reasons are those of ``first``."""
    names = ("use", "call", "turn", "start_ms", "end_ms", "char_start", "char_end", "value")
    return replace(
        first, **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    )


def _unscored(table: CallTable, scores: Float32) -> Bool:
    """[C] calls with turns in which one of the columns has no score at all."""
    missing = np.isnan(scores)
    if not missing.any():
        return np.zeros(table.n_calls, np.bool_)
    turns = np.diff(table.turn_offsets)
    counts = [np.bincount(table.turn_call, column, table.n_calls) for column in missing.T]
    return np.asarray((np.array(counts) == turns).any(axis=0) & (turns > 0), np.bool_)


@dataclass(frozen=True)
class Scored:
    """The best score of a use's labels [T], NaN where a turn has none; where that is unknown [C], and why."""

    best: Float32
    unknown: Bool
    reason: str = ""


def best_scores(
    table: CallTable, wanted: Sequence[str], scores: Float32, labels: Sequence[str], model: str
) -> Scored:
    """The best of the ``wanted`` labels, turn by turn.

    Unknown where the model has not the label, and in calls none of whose turns has a score for it.
    """
    unknown, reason = np.zeros(table.n_calls, np.bool_), ""
    missing = [label for label in wanted if label not in labels]
    if missing:
        unknown = np.diff(table.turn_offsets) > 0
        close = difflib.get_close_matches(missing[0], labels, n=3, cutoff=0.5) or list(labels[:5])
        reason = f"the {model} model has no label {missing[0]!r} (nearest: {', '.join(close) or 'none'})"
    columns = [labels.index(label) for label in wanted if label in labels]
    if not columns:
        return Scored(np.full(table.n_turns, np.nan, np.float32), unknown, reason)
    unscored = _unscored(table, scores[:, columns])
    if unscored.any():
        unknown = unknown | unscored
        reason = reason or f"no score for one of {', '.join(wanted)} in this call"
    return Scored(np.fmax.reduce(scores[:, columns], axis=1), unknown, reason)


def scored(
    table: CallTable, uses: Sequence[Params], scores: Float32, labels: Sequence[str], model: str
) -> Hits:
    """Turns whose best label of ``any`` scores ``at_least``; unknown as in ``best_scores``."""
    found, reasons, unknown = [], {}, nothing_unknown(len(uses), table)
    for number, (use, role) in enumerate(zip(uses, role_codes(uses), strict=True)):
        of = best_scores(table, use["any"], scores, labels, model)
        unknown[number], reasons[number] = of.unknown, of.reason
        rows = np.flatnonzero((of.best >= np.float32(use["at_least"])) & role_rows(table, role))
        found.append((number, rows, of.best[rows].astype(np.float64)))
    return turn_hits(table, stack(found), unknown=unknown, reasons=reasons)


def speakers(table: CallTable, rows: Int64) -> Int64:
    """Who speaks ``rows``: a number for each role of each call."""
    speaker: Int64 = table.turn_call[rows] * len(ROLES) + table.turn_role[rows]
    return speaker
