"""Operator ``keyword``: words, by character or by sound; several of them; not inside or beside others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.columns import ANY_ROLE, Found, nothing_unknown, role_codes, role_param, turn_hits
from operators.sound import sound_fold, spellings
from operators.spans import ends_before, inside, starts_after
from operators.spec import Example, Hits, OperatorError, Param, Params, Scan, operator
from operators.table import CallTable, Int32, Int64
from operators.text import exact_fold, symbols
from operators.words import find, folded, trie

MATCHES = ("exact", "pinyin", "fuzzy")
_LISTS = ("any", "not_in", "near", "not_near")
_WORD, _HARMLESS, _NEAR, _NOT_NEAR = range(len(_LISTS))


def _words_param(help: str, *, required: bool = False) -> Param:
    return Param(help=help, type=list, items=str, required=required, default=None if required else ())


def _check(params: Params) -> None:
    for name in _LISTS:
        if any(not word.strip() for word in params[name]):
            raise OperatorError(f"operator keyword, parameter {name}: an entry is empty\nhelp: leave it out")
    wanted, words = params["at_least"], len(set(params["any"]))
    if wanted != "all" and (isinstance(wanted, str) or not 1 <= wanted <= words):
        raise OperatorError(
            f"operator keyword, parameter at_least: {wanted!r} of {words} words\n"
            f"help: a number from 1 to {words}, or all"
        )


@operator(
    "keyword",
    needs=("text",),
    params={
        "any": _words_param("words, one of which must occur", required=True),
        "match": Param(help="how words match", type=str, default="exact", choices=MATCHES),
        "at_least": Param(help="how many different ones must occur, or `all`", type=(int, str), default=1),
        "within": Param(
            help="where so many must occur together", type=str, default="turn", choices=("turn", "call")
        ),
        "not_in": _words_param("longer harmless words: a hit inside one of them does not count"),
        "near": _words_param("one of these must stand beside the hit"),
        "not_near": _words_param("none of these may stand beside the hit"),
        "near_chars": Param(
            help="how many characters may lie between the two", type=int, default=8, minimum=0, maximum=1000,
            unit="characters",
        ),
        "near_side": Param(
            help="where they stand", type=str, default="either", choices=("before", "after", "either")
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 你这个骗子 | C 3-4 你才是骗子", {"any": ["骗子"]}, "xx"),
        Example("A 0-2 你这个骗子 | C 3-4 你才是骗子", {"any": ["骗子"], "role": "agent"}, "x."),
        Example("A 他妈的电话多少 | A 真他妈的", {"any": ["他妈的"], "not_in": ["他妈的电话"]}, ".x"),
        Example("C 加我QQ吧", {"any": ["qq"]}, "x"),
        Example("A 您 | A 好", {"any": ["您好"]}, ".."),
        Example("A 你傻比", {"any": ["傻逼"]}, "."),
        Example("A 你傻比", {"any": ["傻逼"], "match": "pinyin"}, "x"),
        Example("A 预期 | A 逾期", {"any": ["逾期"], "match": "pinyin", "not_in": ["预期"]}, ".x"),
        Example("A 我是印航的", {"any": ["银行"], "match": "pinyin"}, "x"),
        Example("A 撒币", {"any": ["傻逼"], "match": "pinyin"}, "."),
        Example("A 撒币 | A 沙比", {"any": ["傻逼"], "match": "fuzzy"}, "xx"),
        Example("A 花院的人 | A 律师寒", {"any": ["法院", "律师函"], "match": "fuzzy"}, "xx"),
        Example("A 蒸信报告 | A 趁信报告", {"any": ["征信报告"], "match": "fuzzy"}, "xx"),
        Example("A 爬信报告 | A 趁信报好", {"any": ["征信报告"], "match": "fuzzy"}, ".."),
        Example("A 骗字 | A 片纸 | A 骗人", {"any": ["骗子"], "match": "fuzzy"}, "xx."),
        Example("A 起诉你还要上门 | A 起诉你", {"any": ["起诉", "上门", "坐牢"], "at_least": 2}, "x."),
        Example("A 起诉起诉", {"any": ["起诉", "上门"], "at_least": 2}, "."),
        Example("A 起诉你 | C 哦 | A 上门", {"any": ["起诉", "上门"], "at_least": "all"}, "..."),
        Example(
            "A 起诉你 | C 哦 | A 上门", {"any": ["起诉", "上门"], "at_least": "all", "within": "call"}, "x.x"
        ),
        Example(
            "A 起诉你 | C 上门啊",
            {"any": ["起诉", "上门"], "at_least": 2, "within": "call", "role": "agent"},
            "..",
        ),
        Example("A 我去你单位 | A 我去接孩子", {"any": ["我去"], "near": ["单位", "公司"]}, "x."),
        Example("A 单位我去 | A 我去单位", {"any": ["我去"], "near": ["单位"], "near_side": "after"}, ".x"),
        Example("A 我去了趟单位 | A 我去你单位", {"any": ["我去"], "near": ["单位"], "near_chars": 1}, ".x"),
        Example("A 没有骂你废物 | A 废物", {"any": ["废物"], "not_near": ["没有"]}, ".x"),
        Example("A 去单位", {"any": ["去单"], "near": ["单位"]}, "."),
        Example("A 我去你丹位", {"any": ["我去"], "near": ["单位"], "match": "pinyin"}, "x"),
        Example("A 没油骂你废物", {"any": ["废物"], "not_near": ["没有"], "match": "pinyin"}, "x"),
        Example("A 逾期又预期", {"any": ["逾期", "预期", "起诉"], "at_least": 2}, "x"),
        Example("A 逾期又预期", {"any": ["逾期", "预期", "起诉"], "at_least": 2, "match": "pinyin"}, "."),
    ),
    check=_check,
)  # fmt: skip
def keyword(uses: Sequence[Params]) -> Scan:
    """Hit every occurrence of one of the words ``any`` within a turn; overlapping ones all count.

    ``exact`` compares characters, Latin letters without case. ``pinyin`` compares syllables without tones,
    so that homophones chosen by the recogniser are found: each character of the text counts with its
    commonest reading, the words also with their readings as words. ``fuzzy`` also takes for equal what
    dialects and recognisers confuse (zh z, ch c, sh s, n l, f h, ang an, eng en, ing in), and in words of
    three syllables or more forgives one syllable that slips to a close one: the initial to one made at the
    same place (b p, d t, g k h, j q x, z c s), or the final to the next vowel (an en, ai ei, ao ou, e o) or
    by a glide (guan gan). Words that sound alike are one word and give one hit on one stretch of text.

    ``at_least`` keeps hits only where so many different words occur ``within`` a turn, or within what
    ``role`` says in the call; value = how many do. Real words that sound alike belong in ``not_in``: a
    hit that lies wholly within an occurrence of such a word is dropped. ``near`` keeps hits that have one of
    its words in the same turn, on ``near_side``, with at most ``near_chars`` characters between the two
    (words that overlap the hit do not count); ``not_near`` drops them. ``not_in`` and ``not_near`` always
    compare characters, ``near`` as ``match`` says. A hit carries the characters of the word, and their times
    where the turn has them. Words are not searched across turns.
    """
    words = _Words(uses)

    def scan(table: CallTable) -> Hits:
        found = words.occurrences(table)
        use, kind = words.use[found[:, 0]], words.kind[found[:, 0]]
        if len(words.other_kinds):
            kept = _admitted(found, use, kind, words, table)
            found, use = found[kept], use[kept]
        value = np.ones(len(found), np.int64)
        if (words.needed > 1).any():
            value = _different(found, use, words, table)
            kept = value >= words.needed[use]
            rows = np.column_stack([use, found[:, 1:], value])[kept]
            rows = np.unique(rows, axis=0)  # one stretch may be a slip of two words
            use, found, value = rows[:, 0], rows[:, :4], rows[:, 4]
        hits = Found(use=use, row=found[:, 1].astype(np.int64), value=value.astype(np.float64))
        chars = (found[:, 2], found[:, 3])
        return turn_hits(table, hits, chars=chars, unknown=nothing_unknown(len(uses), table))

    return scan


class _Words:
    """The words of all uses, numbered; one trie for each way of matching."""

    def __init__(self, uses: Sequence[Params]) -> None:
        numbers: dict[tuple[int, int, tuple[int, ...]], int] = {}
        spelled: dict[str, list[tuple[tuple[int, ...], int]]] = {match: [] for match in MATCHES}
        for at, use in enumerate(uses):
            for kind, name in enumerate(_LISTS):
                match = "exact" if kind in (_HARMLESS, _NOT_NEAR) else use["match"]
                apart = kind == _WORD and use["at_least"] != 1
                for word in use[name]:
                    said = _spellings(word, match)
                    number = numbers.setdefault((at, kind, said[0] if apart else ()), len(numbers))
                    spelled[match] += [(spelling, number) for spelling in said]
        self._tries = [(trie(entries), _fold(match)) for match, entries in spelled.items() if entries]
        self._roles = role_codes(uses)
        self.use = np.array([at for at, _, _ in numbers], np.int32)
        self.kind = np.array([kind for _, kind, _ in numbers], np.int8)
        self.other_kinds = sorted({kind for _, kind, _ in numbers} - {_WORD})
        distinct = np.bincount(self.use[self.kind == _WORD], minlength=len(uses))
        self.needed = np.array(
            [distinct[at] if use["at_least"] == "all" else use["at_least"] for at, use in enumerate(uses)]
        )
        self.call_wide = np.array([use["within"] == "call" for use in uses])
        self.near_chars = np.array([use["near_chars"] for use in uses])
        self.sides = {
            side: np.array([use["near_side"] != side for use in uses]) for side in ("after", "before")
        }
        self.asks = {kind: np.array([bool(use[_LISTS[kind]]) for use in uses]) for kind in (_NEAR, _NOT_NEAR)}

    def occurrences(self, table: CallTable) -> Int32:
        """[n, 4] word, turn, first character and end of each, spoken by the role its use asks for."""
        wanted = np.isin(table.turn_role, self._roles) | bool((self._roles == ANY_ROLE).any())
        parts = []
        for compiled, fold in self._tries:
            points, offsets = symbols(table.text, table.text_offsets, fold)
            parts.append(find(compiled, points, offsets, wanted))
        found = parts[0] if len(parts) == 1 else np.concatenate(parts)
        role = self._roles[self.use[found[:, 0]]]
        spoken: Int32 = found[(role == ANY_ROLE) | (role == table.turn_role[found[:, 1]])]
        return spoken


def _fold(match: str) -> Int32:
    return exact_fold() if match == "exact" else sound_fold(match)


def _spellings(word: str, match: str) -> list[tuple[int, ...]]:
    return [folded(word, exact_fold())] if match == "exact" else spellings(word, match)


def _admitted(
    found: Int32, use: Int32, kind: NDArray[np.int8], words: _Words, table: CallTable
) -> NDArray[np.int64]:
    """The rows of ``found`` that are words, outside harmless ones, with and without the right company."""
    group = use.astype(np.int64) * table.n_turns + found[:, 1]
    rows = np.flatnonzero(kind == _WORD)
    spans, mine, of = found[rows], group[rows], use[rows]

    def others(which: int) -> tuple[Int32, Int64]:
        return found[kind == which], group[kind == which]

    keep = ~inside(spans, mine, *others(_HARMLESS))
    for which, wanted in ((_NEAR, True), (_NOT_NEAR, False)):
        if which in words.other_kinds:
            reach = words.near_chars[of]
            beside = words.sides["after"][of] & ends_before(spans, mine, *others(which), reach)
            beside |= words.sides["before"][of] & starts_after(spans, mine, *others(which), reach)
            keep &= ~words.asks[which][of] | (beside == wanted)
    return rows[keep]


def _different(found: Int32, use: Int32, words: _Words, table: CallTable) -> Int64:
    """How many different words of its use there are in the turn, or call, of each row."""
    turn = found[:, 1].astype(np.int64)
    place = np.where(words.call_wide[use], table.n_turns + table.turn_call[turn], turn)
    group = use.astype(np.int64) * (table.n_turns + table.n_calls) + place
    pairs = np.unique(np.column_stack([group, found[:, 0]]), axis=0)
    groups, counts = np.unique(pairs[:, 0], return_counts=True)
    different: Int64 = counts[np.searchsorted(groups, group)]
    return different
