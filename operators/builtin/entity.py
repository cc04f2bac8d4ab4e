"""Operator ``entity``: numbers that were said, by what they count and how much it is."""

from collections.abc import Sequence

import numpy as np

from operators.columns import (
    Found,
    limits,
    nothing_unknown,
    role_codes,
    role_param,
    role_rows,
    turn_hits,
    within,
)  # fmt: skip
from operators.numbers.normal import spans
from operators.numbers.place import KINDS
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import CallTable


@operator(
    "entity",
    needs=("text",),
    params={
        "kind": Param(help="what the number counts", type=str, required=True, choices=KINDS),
        **limits("", "value", "yuan, hours, days, percent, day of the month, digits or a count"),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("C 我还八千六百二十三块五 | C 我还五百", {"kind": "amount", "gt": 5000}, "x."),
        Example("C 我还八千六百二十三块五 | C 我还五百", {"kind": "amount"}, "xx"),
        Example("A 欠两万三 | A 等一下 | A 万一呢", {"kind": "amount"}, "x.."),
        Example("C 十五号还 | C 三号楼 | C 第三天", {"kind": "date", "gt": 10}, "x.."),
        Example("A 晚上十点打给你 | A 上午十点打给你", {"kind": "time", "gt": 21.5}, "x."),
        Example("A 逾期一个半月 | A 逾期三十天", {"kind": "duration", "gt": 30}, "x."),
        Example("A 手续费百分之三十 | A 一成", {"kind": "percent", "gt": 24}, "x."),
        Example("A 转到幺三八零零一三八零零零 | A 工号八零三", {"kind": "code", "gt": 10}, "x."),
        Example("A 还剩三期 | A 一个", {"kind": "cardinal"}, "x."),
        Example("A 给五千 | C 给五千", {"kind": "amount", "role": "agent"}, "x."),
    ),
)
def entity(uses: Sequence[Params]) -> Scan:
    """Hit every number of ``kind`` whose value lies above ``gt`` and below ``lt``; value = that value.

    Numbers count as they are spoken (八千六百二十三块五, 两万三, 幺三八…) or in figures (8623.5元).

    - ``amount`` is in yuan. A bare number with 百, 千 or 万 that nothing counted follows (还五千) is one too,
      since sums are spoken so, and any other number from ten on behind 还, 欠, 利息 and the like.
    - ``time`` is in hours since midnight as said: 三点 is 3, 下午三点 is 15.
    - ``duration`` is in days, a month 30 and a year 365 of them; ``percent`` of 万分之五 is 0.05.
    - ``date`` is the day of the month, 0 where only month or year are said.
    - ``code`` is a telephone, card or staff number of three digits and more; its value is how many.
    - ``cardinal`` is any other number.

    Of 七八百 and 三百多 the lower end counts. Ordinals (第一), weekdays, idioms (万一, 七七八八) and
    a lone 一 (一下, 一个) are no numbers.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        wanted = np.flatnonzero(np.logical_or.reduce([role_rows(table, role) for role in roles]))
        said = [(turn, span) for turn in wanted.tolist() for span in spans(table.turn_text(turn))]
        kind = np.array([KINDS.index(span.kind) for _, span in said], np.int8)
        turn = np.array([turn for turn, _ in said], np.int64)
        value = np.array([span.value for _, span in said], np.float64)
        chars = np.array([(span.start, span.end) for _, span in said], np.int64).reshape(-1, 2)
        use, row = [], []
        for number, (params, role) in enumerate(zip(uses, roles, strict=True)):
            fits = (kind == KINDS.index(params["kind"])) & within(value, params, "")
            rows = np.flatnonzero(fits & role_rows(table, role)[turn])
            use.append(np.full(len(rows), number, np.int32))
            row.append(rows)
        chosen = np.concatenate(row)
        found = Found(use=np.concatenate(use), row=turn[chosen], value=value[chosen])
        unknown = nothing_unknown(len(uses), table)
        return turn_hits(table, found, chars=(chars[chosen, 0], chars[chosen, 1]), unknown=unknown)

    return scan
