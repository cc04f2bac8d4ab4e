"""Operator ``silence``: nobody speaks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import ANY_ROLE, call_hits, kernel, nothing_unknown, role_codes, role_param, stack
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import AGENT, CUSTOMER, OTHER, SIDES, CallTable, Int8, Int64

_NOBODY = -2


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
    """
    owed_by, after = role_codes(uses, "owed_by"), role_codes(uses, "after")
    shortest = min(use["at_least_ms"] for use in uses)

    def scan(table: CallTable) -> Hits:
        call, start_ms, end_ms, last, following = _silences(
            table.speech_offsets, table.speech_start_ms, table.speech_end_ms, table.turn_offsets,
            table.turn_role, table.turn_start_ms, table.turn_end_ms, table.duration_ms, shortest,
        )  # fmt: skip
        owner = _owners(last, following)
        inner = (last != _NOBODY) & (following != _NOBODY)
        length, found, rows = end_ms - start_ms, [], []
        for number, use in enumerate(uses):
            hit = (length >= use["at_least_ms"]) & (inner | use["edges"])
            hit &= (owed_by[number] == ANY_ROLE) | (owner == owed_by[number])
            hit &= (after[number] == ANY_ROLE) | (last == after[number])
            row = np.flatnonzero(hit)
            rows.append(row)
            found.append((number, call[row], length[row]))
        at = np.concatenate(rows)
        return call_hits(stack(found), start_ms[at], end_ms[at], unknown=nothing_unknown(len(uses), table))

    return scan


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
