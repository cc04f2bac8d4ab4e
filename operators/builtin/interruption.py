"""Operator ``interruption``: one role starts to speak while another still does."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from operators.columns import kernel, nothing_unknown, role_codes, role_param, role_rows, stack, turn_hits
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import ROLES, CallTable, Int8, Int64
from operators.text import spoken_chars

MINUTE_MS = 60_000
_ROLES = len(ROLES)
BACK_CHANNELS = (
    "嗯",
    "恩",
    "哦",
    "噢",
    "啊",
    "唉",
    "哎",
    "诶",
    "欸",
    "喂",
    "对",
    "是",
    "是的",
    "好",
    "好的",
    "行",
)
"""Words by which a listener shows that he is listening; ours."""


@operator(
    "interruption",
    needs=("times", "separated"),
    params={
        "at_least_ms": Param(
            help="shortest overlap that counts", type=int, default=1000, minimum=1, unit="ms"
        ),
        "min_chars": Param(
            help="shortest interrupting turn that counts", type=int, default=4, minimum=0, unit="characters"
        ),
        "onset_delay_ms": Param(
            help="how long the other must have been speaking already",
            type=int,
            default=0,
            minimum=0,
            unit="ms",
        ),
        "ignore": Param(
            help="a turn made of nothing but these words is no interruption",
            type=list,
            items=str,
            default=BACK_CHANNELS,
        ),
        "total_at_least_ms": Param(
            help="how long the call's interruptions must last together",
            type=int,
            default=0,
            minimum=0,
            unit="ms",
        ),
        "per_min_at_least": Param(
            help="how often they must occur", type=float, default=0, minimum=0, unit="times a minute of call"
        ),
        "role": role_param("who interrupts"),
    },
    examples=(
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系", {}, ".x"),
        Example("C 0-5 我上个月住院了 | A 4.5-6 那跟我没关系", {}, ".."),
        Example("C 0-5 我上个月住院了 | A 3-6 嗯", {}, ".."),
        Example("C 0-5 我上个月住院了 | A 3-6 嗯嗯好的好的", {}, ".."),
        Example("C 0-5 我上个月住院了 | A 0.5-6 那跟我没关系", {"onset_delay_ms": 1000}, ".."),
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系", {"role": "customer"}, ".."),
        Example("C 0-5 我上个月住院了 | A 0-6 那跟我没关系", {}, ".."),
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系", {"total_at_least_ms": 2000}, ".x"),
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系", {"total_at_least_ms": 2001}, ".."),
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系 | C 29-30 喂", {"per_min_at_least": 2}, ".x."),
        Example("C 0-5 我上个月住院了 | A 3-6 那跟我没关系 | C 59-60 喂", {"per_min_at_least": 2}, "..."),
    ),
)
def interruption(uses: Sequence[Params]) -> Scan:
    """Hit every turn that starts while another role speaks on for ``at_least_ms``; value = overlap in ms.

    overlap = min(end of the other, end of this) - start of this, with the other begun strictly earlier (two
    who begin together interrupt nobody) and at least ``onset_delay_ms`` before; of several the longest. The
    one who starts later is the interrupter. Turns with fewer than ``min_chars`` characters (Han, digits,
    words) and turns made only of ``ignore`` do not count. Defaults: 1000 ms and 4 characters are Alibaba's
    screen example (its advice for a rule is 2000 to 3000 ms). ``total_at_least_ms`` and ``per_min_at_least``
    keep hits only in calls whose counted interruptions last so long together, or are so frequent. Needs the
    two sides apart: one channel holds one voice at a time.
    """
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        chars, found = spoken_chars(table), []
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            overlap = _overlaps(
                table.turn_offsets,
                table.turn_role,
                table.turn_start_ms,
                table.turn_end_ms,
                use["onset_delay_ms"],
            )
            kept = (overlap >= use["at_least_ms"]) & (chars >= use["min_chars"]) & role_rows(table, role)
            turns = [t for t in np.flatnonzero(kept) if not _made_of(table.turn_text(t), use["ignore"])]
            rows = _enough(np.array(turns, np.int64), use, overlap, table)
            found.append((number, rows, overlap[rows]))
        hits = turn_hits(table, stack(found), unknown=nothing_unknown(len(uses), table))
        return replace(hits, end_ms=hits.start_ms + hits.value.astype(np.int64))

    return scan


def _enough(rows: Int64, use: Params, overlap: Int64, table: CallTable) -> Int64:
    """Those of ``rows`` in calls whose interruptions are long and frequent enough together."""
    call = table.turn_call[rows]
    total = np.bincount(call, overlap[rows], table.n_calls)
    count = np.bincount(call, minlength=table.n_calls)
    often = count * MINUTE_MS >= use["per_min_at_least"] * table.duration_ms
    kept: Int64 = rows[((total >= use["total_at_least_ms"]) & often)[call]]
    return kept


def _made_of(text: str, words: Sequence[str]) -> bool:
    """Whether ``text``, without punctuation and spaces, is nothing but ``words`` one after another."""
    text = "".join(c for c in text if c.isalnum())
    reachable = [True] + [False] * len(text)
    for at in range(len(text)):
        for word in words if reachable[at] else ():
            if text.startswith(word, at):
                reachable[at + len(word)] = True
    return reachable[-1]


@kernel
def _overlaps(turn_offsets: Int64, turn_role: Int8, start_ms: Int64, end_ms: Int64, delay_ms: int) -> Int64:
    """[T] longest overlap of each turn with an earlier one of another role; the earlier ones are a prefix."""
    out = np.zeros(len(start_ms), np.int64)
    furthest = np.empty(_ROLES, np.int64)
    for call in range(len(turn_offsets) - 1):
        furthest[:] = -1
        earlier = turn_offsets[call]
        for turn in range(turn_offsets[call], turn_offsets[call + 1]):
            while earlier < turn and start_ms[earlier] <= start_ms[turn] - max(delay_ms, 1):
                furthest[turn_role[earlier]] = max(furthest[turn_role[earlier]], end_ms[earlier])
                earlier += 1
            for role in range(_ROLES):
                if role != turn_role[turn]:
                    out[turn] = max(out[turn], min(furthest[role], end_ms[turn]) - start_ms[turn])
    return out
