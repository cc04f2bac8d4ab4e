"""Operator ``regex``: patterns over the text of a turn, in time linear in the text whatever the pattern."""

from collections.abc import Sequence

import numpy as np

from operators.columns import Found, nothing_unknown, role_codes, role_param, turn_hits
from operators.numbers.column import ON, either_form
from operators.patterns import Matcher, compiled
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import CallTable


def _check(params: Params) -> None:
    for pattern in (params["pattern"], params["exclude"]):
        if pattern is not None:
            compiled(pattern)


@operator(
    "regex",
    needs=("text",),
    params={
        "pattern": Param(help="what must match", type=str, required=True),
        "exclude": Param(
            help="a turn in which this matches anywhere has no hit", type=(str, type(None)), default=None
        ),
        "on": ON,
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 我是法院的 | C 3-4 你是法院的", {"pattern": "我.{0,3}法院"}, "x."),
        Example("A 我没有威胁你 | A 我威胁你", {"pattern": "威胁", "exclude": "(没有|不是).{0,4}威胁"}, ".x"),
        Example("A 尾号13800 | C 一二三", {"pattern": "[0-9]{4,}"}, "x."),
        Example("A 要钱 | C 要钱", {"pattern": "钱", "role": "customer"}, ".x"),
        Example("A 还五千三百块 | A 还五块", {"pattern": "[0-9]{4,}元", "on": "normal"}, "x."),
        Example("A 加我幺三八零零零零零零零零", {"pattern": "1[3-9][0-9]{9}", "on": "normal"}, "x"),
        Example("A 还五千三百块", {"pattern": "[0-9]{4,}元"}, "."),
    ),
    check=_check,
)
def regex(uses: Sequence[Params]) -> Scan:
    """Hit every match of ``pattern`` in a turn in which ``exclude`` does not match anywhere; value = 1.

    Patterns are RE2's: Perl's without look-around and back-references, ``.`` matches any character, ``\\d
    \\w \\b`` mean ASCII. Matches are the leftmost, then, from its start, the one that Perl prefers (a
    greedy gap reaches as far as it can); the next one is searched behind it, so hits of one use do not
    overlap. Patterns that match the empty text are refused.

    With ``on: normal`` pattern and ``exclude`` are searched in the turn's normal form: 八千六百二十三块五
    reads 8623.5元, 两万三 23000, 幺三八 138, 下午三点 15:00, 三十天 30天, 百分之五 5%. A hit carries the
    characters that were said, numbers whole.
    """
    return either_form(uses, _find)


def _find(uses: Sequence[Params]) -> Scan:
    """Hits of ``uses`` in the text as it is."""
    matcher = Matcher([(use["pattern"], use["exclude"]) for use in uses], role_codes(uses))

    def scan(table: CallTable) -> Hits:
        found = matcher.find(table)
        hits = Found(use=found[:, 0].astype(np.int32), row=found[:, 1], value=np.ones(len(found)))
        chars = (found[:, 2], found[:, 3])
        return turn_hits(table, hits, chars=chars, unknown=nothing_unknown(len(uses), table))

    return scan
