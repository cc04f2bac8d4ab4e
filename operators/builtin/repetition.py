"""Operator ``repetition``: the same thing said again."""

from collections.abc import Sequence

import numpy as np

from operators.columns import kernel, nothing_unknown, role_codes, role_param, role_rows, stack, turn_hits
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import Bool, CallTable, Int8, Int64
from operators.text import character_pairs, spoken_chars

_SAME, _OTHER, _ANY = range(3)
_OF = ("same", "other", "any")


@operator(
    "repetition",
    needs=("text",),
    params={
        "at_least": Param(
            help="lowest similarity that counts", type=float, default=0.6, minimum=0.01, maximum=1,
            unit="share 0..1",
        ),
        "measure": Param(
            help="compare whole turns, or look for the shorter in the longer", type=str, default="whole",
            choices=("whole", "contained"),
        ),
        "times": Param(
            help="how often it must have been said by then", type=int, default=2, minimum=2, unit="times"
        ),
        "look_back_turns": Param(
            help="how many earlier turns are compared, 0 for all", type=int, default=0, minimum=0,
            unit="turns",
        ),
        "min_chars": Param(
            help="shorter turns are not compared", type=int, default=5, minimum=2, unit="characters"
        ),
        "of": Param(
            help="whose earlier turns are compared", type=str, default="same", choices=_OF,
            needs=("separated",),
        ),
        "role": role_param("who says it again"),
    },
    examples=(
        Example("A 您什么时候能还款 | C 再说吧 | A 您什么时候还款", {}, "..x"),
        Example("A 您什么时候能还款 | C 再说吧 | A 您什么时候还款", {"at_least": 0.8}, "..."),
        Example("A 您什么时候能还款 | C 您什么时候能还款", {}, ".."),
        Example("A 您什么时候能还款 | C 您什么时候能还款", {"of": "other"}, ".x"),
        Example("A 听得到吗 | A 听得到吗", {}, ".."),
        Example("A 听得到吗 | A 听，得到吗？", {"min_chars": 4}, ".x"),
        Example("A 什么时候还款 | A 什么时候还款 | A 什么时候还款", {"times": 3}, "..x"),
        Example("A 什么时候还款 | A 您方便吗请说 | A 什么时候还款", {"look_back_turns": 1}, "..."),
        Example("A 什么时候还款 | C 您方便吗请说 | A 什么时候还款", {"look_back_turns": 1}, "..x"),
        Example("A 什么时候还款 | A 我跟您说我要登记那您什么时候还款呢", {}, ".."),
        Example("A 什么时候还款 | A 我跟您说我要登记那您什么时候还款呢", {"measure": "contained"}, ".x"),
        Example("A 什么时候还款 | A 什么时候还款", {"role": "customer"}, ".."),
        Example("A 喂喂喂喂喂 | A 喂喂喂喂喂喂喂喂喂", {}, ".."),
        Example("C 不要再打了好吗 | A 好的再见啊 | C 不要再打了好吗", {"of": "other"}, "..."),
    ),
)  # fmt: skip
def repetition(uses: Sequence[Params]) -> Scan:
    """Hit every turn that was said ``times`` times by then, itself included; value = how often.

    Two turns are the same when their similarity is ``at_least``: the pairs of neighbouring characters that
    both have, over those that either has (Jaccard; a pair said twice counts twice), punctuation, spaces and
    Latin case left out. With measure ``contained`` it is over those of the shorter of the two, so a question
    put again within a longer turn is found. Compared are this turn and the earlier ones of the ``same``
    role, of ``other`` roles (an echo) or of ``any``; ``look_back_turns`` counts those turns only. Each
    earlier turn is compared with this one, not with what lies between. Default 0.6: Alibaba's sample.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        pairs, offsets = character_pairs(table)
        chars, found = spoken_chars(table), []
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            said = _said(
                table.turn_offsets, table.turn_role, pairs, offsets, chars >= use["min_chars"],
                _OF.index(use["of"]), use["look_back_turns"], use["at_least"],
                use["measure"] == "contained",
            )  # fmt: skip
            rows = np.flatnonzero((said >= use["times"]) & role_rows(table, role))
            found.append((number, rows, said[rows]))
        return turn_hits(table, stack(found), unknown=nothing_unknown(len(uses), table))

    return scan


@kernel
def _shared(pairs: Int64, one: int, one_end: int, other: int, other_end: int) -> int:
    """How many of two ordered runs of ``pairs`` are in both."""
    found = 0
    while one < one_end and other < other_end:
        if pairs[one] == pairs[other]:
            found, one, other = found + 1, one + 1, other + 1
        elif pairs[one] < pairs[other]:
            one += 1
        else:
            other += 1
    return found


@kernel
def _said(
    turn_offsets: Int64, turn_role: Int8, pairs: Int64, offsets: Int64, long_enough: Bool, of: int,
    look_back: int, at_least: float, contained: bool,
) -> Int64:  # fmt: skip
    """[T] how often each turn was said by then; 0 for turns that are too short."""
    out = np.zeros(len(turn_role), np.int64)
    for call in range(len(turn_offsets) - 1):
        first = turn_offsets[call]
        for turn in range(first, turn_offsets[call + 1]):
            if not long_enough[turn]:
                continue
            out[turn], seen = 1, 0
            mine = offsets[turn + 1] - offsets[turn]
            for earlier in range(turn - 1, first - 1, -1):
                same = turn_role[earlier] == turn_role[turn]
                if (of == _SAME and not same) or (of == _OTHER and same):
                    continue
                seen += 1
                if 0 < look_back < seen:
                    break
                theirs = offsets[earlier + 1] - offsets[earlier]
                if not long_enough[earlier] or (
                    not contained and min(mine, theirs) < at_least * max(mine, theirs)
                ):
                    continue  # even if all were shared it would not be enough
                shared = _shared(
                    pairs, offsets[turn], offsets[turn + 1], offsets[earlier], offsets[earlier + 1]
                )
                whole = min(mine, theirs) if contained else mine + theirs - shared
                out[turn] += shared >= at_least * whole
    return out
