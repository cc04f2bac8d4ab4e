"""Operator ``silence``: nobody speaks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import (
    ANY_ROLE,
    call_hits,
    char_times,
    kernel,
    nothing_unknown,
    role_codes,
    role_param,
    stack,
)
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import AGENT, CUSTOMER, OTHER, SIDES, Bool, CallTable, Int8, Int64
from operators.text import exact_fold
from operators.words import build, occurrences

_NOBODY = -2
_LISTS = ("excused_before", "excused_after", "hold")
_BEFORE, _AFTER, _HOLD = range(len(_LISTS))
HOLD = (
    "正在为您转接",
    "正在转接",
    "通话保持",
    "通话将被保持",
    "请不要挂机",
    "请勿挂机",
    "您拨打的",
    "您所拨打的",
    "正在通话中",
    "坐席忙",
)
"""What a line announces while it keeps somebody waiting; ours."""
_CALLS = 40
"""Times of one call lie in as many bits, so that a call and a time make one number in order."""


def _words_param(help: str, default: tuple[str, ...] = ()) -> Param:
    return Param(help=help, type=list, items=str, default=default)


@operator(
    "silence",
    needs=("times",),
    params={
        "at_least_ms": Param(
            help="shortest silence that counts", type=int, default=3000, minimum=1, unit="ms"
        ),
        "owed_by": role_param("whose turn it was to speak"),
        "after": role_param("who spoke before the silence"),
        "edges": Param(
            help="count the time before the first and after the last speech too", type=bool, default=False
        ),
        "excused_before": _words_param("words that excuse a silence when said before it"),
        "excused_after": _words_param("words that excuse a silence when said after it"),
        "excused_by": role_param("who may excuse it"),
        "excused_up_to_ms": Param(
            help="longest silence that can be excused, 0 for any", type=int, default=0, minimum=0, unit="ms"
        ),
        "hold": _words_param("announcements: a silence before or after one is the line's, nobody's", HOLD),
        "near_ms": Param(
            help="how near to the silence an excuse or announcement must begin",
            type=int,
            default=10_000,
            minimum=0,
            unit="ms",
        ),
        "total_at_least_ms": Param(
            help="how long the call's silences must last together", type=int, default=0, minimum=0, unit="ms"
        ),
        "share_at_least": Param(
            help="what share of the call they must fill together",
            type=float,
            default=0,
            minimum=0,
            maximum=1,
            unit="share 0..1",
        ),
    },
    examples=(
        Example("A 0-2 您好 | C 9-10 喂", {}, "!"),
        Example("A 0-2 您好 | C 4.999-10 喂", {}, "-"),
        Example("A 0-2 您好 | C 5-10 喂", {}, "!"),
        Example("C 0-2 怎么还 | A 9-10 嗯", {"owed_by": "agent"}, "!"),
        Example("C 0-2 怎么还 | C 9-10 喂", {"owed_by": "agent"}, "-"),
        Example("C 0-2 怎么还 | C 9-10 喂", {"after": "customer"}, "!"),
        Example("A 0-8 您好请您听我说 | C 1-2 喂 | C 9-10 好", {}, "-"),
        Example("A 8-9 您好", {}, "-"),
        Example("A 8-9 您好", {"edges": True}, "!"),
        Example("A 您好 | C 喂", {}, "?"),
        Example("A 0-2 请您稍等 | A 9-10 查到了", {"excused_before": ["稍等"]}, "-"),
        Example("A 0-2 请您稍等 | A 33-34 查到了", {"excused_before": ["稍等"]}, "-"),
        Example(
            "A 0-2 请您稍等 | A 33-34 查到了", {"excused_before": ["稍等"], "excused_up_to_ms": 30_000}, "!"
        ),
        Example("C 0-2 你稍等 | A 9-10 好的", {"excused_before": ["稍等"], "excused_by": "agent"}, "!"),
        Example("A 0-2 请您稍等 | C 13-14 好的 | C 18-19 喂", {"excused_before": ["稍等"]}, "!"),
        Example("C 0-2 怎么还 | A 9-11 抱歉久等了", {"excused_after": ["久等"]}, "-"),
        Example("C 0-2 怎么还 | A 9-11 抱歉久等了", {"excused_before": ["久等"]}, "!"),
        Example("C 0-2 喂 | O 3-5 正在为您转接 | A 12-13 您好", {}, "-"),
        Example("C 0-2 喂 | O 3-5 正在为您转接 | A 12-13 您好", {"hold": []}, "!"),
        Example("A 0-1 喂 | C 5-6 嗯 | A 11-12 喂", {"total_at_least_ms": 9000}, "!"),
        Example("A 0-1 喂 | C 5-6 嗯 | A 11-12 喂", {"total_at_least_ms": 9001}, "-"),
        Example("A 0-1 喂 | C 5-6 嗯 | A 11-12 喂", {"share_at_least": 0.75}, "!"),
    ),
)
def silence(uses: Sequence[Params]) -> Scan:
    """Hit every stretch of at least ``at_least_ms`` in which no side speaks; value = its length in ms.

    Speech is the union of both sides' speech segments and of the turns of others (an announcement). The
    stretch is owed by the side that did not speak last; when the same side goes on, it is a pause of that
    side and owed by it (use ``after`` to find an unanswered question whoever breaks the silence). Of two
    who stop at the same moment the one who began later spoke last, then the customer. A hit is a fact about
    the call: its times are the silence. Default 3000 ms: Amazon's contact analysis counts non-talk time
    from 3 s (Google's and Huawei's 5 s).

    A silence is excused when a word of ``excused_before`` begins in the ``near_ms`` before it, or one of
    ``excused_after`` in the ``near_ms`` from its end, said by ``excused_by``, and it lasts no longer than
    ``excused_up_to_ms``. One that has an announcement of ``hold`` as near, before or after, is waiting on
    the line (hold music, transfer, ring-back) whatever its length. Words compare by character.
    ``total_at_least_ms`` and ``share_at_least`` keep hits only in calls whose counted silences last so long
    together.
    """
    owed_by, after = role_codes(uses, "owed_by"), role_codes(uses, "after")
    shortest = min(use["at_least_ms"] for use in uses)
    excuses = _Excuses(uses)

    def scan(table: CallTable) -> Hits:
        call, start_ms, end_ms, last, following = _silences(
            table.speech_offsets, table.speech_start_ms, table.speech_end_ms, table.turn_offsets,
            table.turn_role, table.turn_start_ms, table.turn_end_ms, table.duration_ms, shortest,
        )  # fmt: skip
        owner, excused = _owners(last, following), excuses.of(table, call, start_ms, end_ms)
        inner = (last != _NOBODY) & (following != _NOBODY)
        length, found, rows = end_ms - start_ms, [], []
        for number, use in enumerate(uses):
            hit = (length >= use["at_least_ms"]) & (inner | use["edges"])
            hit &= (owed_by[number] == ANY_ROLE) | (owner == owed_by[number])
            hit &= (after[number] == ANY_ROLE) | (last == after[number])
            hit &= ~excused[number]
            row = _enough(np.flatnonzero(hit), use, call, length, table)
            rows.append(row)
            found.append((number, call[row], length[row]))
        at = np.concatenate(rows)
        return call_hits(stack(found), start_ms[at], end_ms[at], unknown=nothing_unknown(len(uses), table))

    return scan


def _enough(row: Int64, use: Params, call: Int64, length: Int64, table: CallTable) -> Int64:
    """Those of ``row`` in calls whose silences last long enough together."""
    least = np.maximum(use["total_at_least_ms"], use["share_at_least"] * table.duration_ms)
    total = np.bincount(call[row], length[row], table.n_calls)
    kept: Int64 = row[(total >= least)[call[row]]]
    return kept


class _Excuses:
    """The words by which silences are excused, of all uses."""

    def __init__(self, uses: Sequence[Params]) -> None:
        self._uses = uses
        self._by = role_codes(uses, "excused_by")
        words = [
            (word, number * len(_LISTS) + kind)
            for number, use in enumerate(uses)
            for kind, name in enumerate(_LISTS)
            for word in use[name]
        ]
        self._trie = build(words, exact_fold()) if words else None

    def of(self, table: CallTable, call: Int64, start_ms: Int64, end_ms: Int64) -> Bool:
        """[U, n] which silences are excused, or the line's own, for each use."""
        out = np.zeros((len(self._uses), len(call)), np.bool_)
        if self._trie is None or not len(call):
            return out
        found = occurrences(self._trie, table)
        turn = found[:, 1].astype(np.int64)
        said = (table.turn_call[turn] << _CALLS) + char_times(table, turn, found[:, 2], found[:, 3])[0]
        begins, ends = (call << _CALLS) + start_ms, (call << _CALLS) + end_ms
        for number, use in enumerate(self._uses):
            may = (self._by[number] == ANY_ROLE) | (table.turn_role[turn] == self._by[number])
            before, after, hold = (
                np.sort(said[(found[:, 0] == number * len(_LISTS) + kind) & (may | (kind == _HOLD))])
                for kind in (_BEFORE, _AFTER, _HOLD)
            )
            near = use["near_ms"]
            excused = _any_in(before, begins - near, begins) | _any_in(after, ends, ends + near + 1)
            if use["excused_up_to_ms"]:
                excused &= end_ms - start_ms <= use["excused_up_to_ms"]
            waits = _any_in(hold, begins - near, begins) | _any_in(hold, ends, ends + near + 1)
            out[number] = excused | waits
        return out


def _any_in(times: Int64, first: Int64, end: Int64) -> Bool:
    """Which of the stretches ``first <= t < end`` hold one of ``times``, which are ordered."""
    found: Bool = np.searchsorted(times, end) > np.searchsorted(times, first)
    return found


def _owners(last: Int8, following: Int8) -> NDArray[np.int8]:
    """Who owes the speech after each silence: the next speaker when nobody of the two sides spoke before."""
    answers = np.where(last == AGENT, CUSTOMER, AGENT).astype(np.int8)
    return np.where((last == following) | (last < 0) | (last == OTHER), following, answers)


@kernel
def _first_to_speak(
    at: Int64, stop: Int64, speech_start_ms: Int64, turn_start_ms: Int64, duration_ms: int
) -> tuple[int, int]:
    """Whose list goes on first, and when; nobody at the call's end."""
    side, begins = _NOBODY, duration_ms
    for candidate in range(OTHER + 1):
        if at[candidate] < stop[candidate]:
            own = turn_start_ms[at[candidate]] if candidate == OTHER else speech_start_ms[at[candidate]]
            if side == _NOBODY or own < begins:
                side, begins = candidate, own
    return side, begins


@kernel
def _silences(
    speech_offsets: Int64, speech_start_ms: Int64, speech_end_ms: Int64, turn_offsets: Int64,
    turn_role: Int8, turn_start_ms: Int64, turn_end_ms: Int64, duration_ms: Int64, shortest_ms: int,
) -> tuple[Int64, Int64, Int64, Int8, Int8]:  # fmt: skip
    """Merge three ordered lists per call (agent, customer, turns of others) and keep the holes."""
    calls = len(turn_offsets) - 1
    room = len(speech_start_ms) + len(turn_start_ms) + 2 * calls
    call, start, end = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    last, following = np.empty(room, np.int8), np.empty(room, np.int8)
    found = 0
    at, stop = np.empty(3, np.int64), np.empty(3, np.int64)
    for number in range(calls):
        at[0], at[1] = speech_offsets[number * SIDES], speech_offsets[number * SIDES + 1]
        stop[0], stop[1] = at[1], speech_offsets[number * SIDES + 2]
        at[2], stop[2] = turn_offsets[number], turn_offsets[number + 1]
        quiet_from, speaker = np.int64(0), _NOBODY
        while True:
            while at[OTHER] < stop[OTHER] and turn_role[at[OTHER]] != OTHER:
                at[OTHER] += 1
            side, begins = _first_to_speak(at, stop, speech_start_ms, turn_start_ms, duration_ms[number])
            if begins - quiet_from >= shortest_ms:
                call[found], start[found], end[found] = number, quiet_from, begins
                last[found], following[found] = speaker, side
                found += 1
            if side == _NOBODY:
                break
            ends = turn_end_ms[at[OTHER]] if side == OTHER else speech_end_ms[at[side]]
            if speaker == _NOBODY or ends >= quiet_from:
                quiet_from, speaker = ends, side
            at[side] += 1
    return call[:found], start[:found], end[:found], last[:found], following[:found]
