"""Operator ``keyword``: any of many words, by character or by sound."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import ANY_ROLE, Found, kernel, nothing_unknown, role_codes, role_param, turn_hits
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import Bool, CallTable, Int32, Int64
from operators.text import exact_fold, pinyin_fold, symbols
from operators.words import Trie, build, find


def _check(params: Params) -> None:
    for name in ("any", "not_in"):
        if any(not word.strip() for word in params[name]):
            raise OperatorError(f"operator keyword, parameter {name}: an entry is empty\nhelp: leave it out")


@operator(
    "keyword",
    needs=("text",),
    params={
        "any": Param(help="words, one of which must occur", type=list, items=str, required=True),
        "match": Param(help="how words match", type=str, default="exact", choices=("exact", "pinyin")),
        "not_in": Param(
            help="longer harmless words: a hit inside one of them does not count",
            type=list,
            items=str,
            default=(),
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 你这个骗子 | C 3-4 你才是骗子", {"any": ["骗子"]}, "xx"),
        Example("A 0-2 你这个骗子 | C 3-4 你才是骗子", {"any": ["骗子"], "role": "agent"}, "x."),
        Example("A 他妈的电话多少 | A 真他妈的", {"any": ["他妈的"], "not_in": ["他妈的电话"]}, ".x"),
        Example("A 你傻比", {"any": ["傻逼"], "match": "pinyin"}, "x"),
        Example("A 你傻比", {"any": ["傻逼"]}, "."),
        Example("A 预期 | A 逾期", {"any": ["逾期"], "match": "pinyin", "not_in": ["预期"]}, ".x"),
        Example("C 加我QQ吧", {"any": ["qq"]}, "x"),
        Example("A 您 | A 好", {"any": ["您好"]}, ".."),
    ),
    check=_check,
)
def keyword(uses: Sequence[Params]) -> Scan:
    """Hit every occurrence of one of the words ``any`` within a turn; overlapping ones all count; value = 1.

    ``exact`` compares characters, Latin letters without case. ``pinyin`` compares syllables without tones,
    so that homophones chosen by the recogniser are found; a character with several readings counts with its
    commonest. ``not_in`` always compares characters: a hit that lies wholly within an occurrence of such a
    word is dropped. A hit carries its characters and, where the turn has character times, their times. Two
    words that sound alike give one hit on the same stretch of text. Words are not searched across turns.
    """
    roles = role_codes(uses)
    exact = [(w, number) for number, use in enumerate(uses) if use["match"] == "exact" for w in use["any"]]
    sound = [(w, number) for number, use in enumerate(uses) if use["match"] == "pinyin" for w in use["any"]]
    harmless = [(w, len(uses) + number) for number, use in enumerate(uses) for w in use["not_in"]]
    tries = [(build(exact + harmless, exact_fold()), exact_fold())]
    if sound:
        tries.append((build(sound, pinyin_fold()), pinyin_fold()))

    def scan(table: CallTable) -> Hits:
        found = np.concatenate([_occurrences(trie, fold, table, roles) for trie, fold in tries])
        found = _without_harmless(found, len(uses), table.n_turns)
        use, turn = found[:, 0], found[:, 1].astype(np.int64)
        spoken = (roles[use] == ANY_ROLE) | (roles[use] == table.turn_role[turn])
        found, turn = found[spoken], turn[spoken]
        rows = Found(use=found[:, 0], row=turn, value=np.ones(len(found)))
        chars = (found[:, 2], found[:, 3])
        return turn_hits(table, rows, chars=chars, unknown=nothing_unknown(len(uses), table))

    return scan


def _occurrences(trie: Trie, fold: Int32, table: CallTable, roles: NDArray[np.int8]) -> Int32:
    wanted = np.isin(table.turn_role, roles) | bool((roles == ANY_ROLE).any())
    points, offsets = symbols(table.text, table.text_offsets, fold)
    return find(trie, points, offsets, wanted)


def _without_harmless(found: Int32, uses: int, turns: int) -> Int32:
    """Occurrences of owners below ``uses`` outside the same use's harmless words (owners above)."""
    masks = found[found[:, 0] >= uses]
    if not len(masks):
        return found
    words = found[found[:, 0] < uses]
    mask_key = (masks[:, 0].astype(np.int64) - uses) * turns + masks[:, 1]
    order = np.argsort(mask_key, kind="stable")
    masks, mask_key = masks[order], mask_key[order]
    word_key = words[:, 0].astype(np.int64) * turns + words[:, 1]
    first, end = np.searchsorted(mask_key, word_key), np.searchsorted(mask_key, word_key, side="right")
    return words[~_covered(words, masks, first, end)]


@kernel
def _covered(words: Int32, masks: Int32, first: Int64, end: Int64) -> Bool:
    """Masks of one turn are ordered by start, so the furthest end so far decides for every mask before it."""
    furthest = masks[:, 3].copy()
    for mask in range(1, len(masks)):
        if masks[mask, 0] == masks[mask - 1, 0] and masks[mask, 1] == masks[mask - 1, 1]:
            furthest[mask] = max(furthest[mask], furthest[mask - 1])
    out = np.zeros(len(words), np.bool_)
    for row in range(len(words)):
        low, high = first[row], end[row]
        while low < high:
            middle = (low + high) // 2
            if masks[middle, 2] <= words[row, 2]:
                low = middle + 1
            else:
                high = middle
        out[row] = low > first[row] and furthest[low - 1] >= words[row, 3]
    return out
