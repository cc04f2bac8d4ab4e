"""The text column in normal form, and hits on it told in the characters that were said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.columns import Found, nothing_unknown, turn_hits
from operators.numbers.normal import normalised
from operators.spec import Compile, Hits, Param, Params, Scan
from operators.table import CallTable, Int64

ON = Param(
    help="search what was said, or its normal form with numbers in figures (8623.5元, 138…, 15:00)",
    type=str,
    default="said",
    choices=("said", "normal"),
)


@dataclass(frozen=True)
class NormalColumn:
    """A table whose turns are in normal form, and where their characters were said.

    Character ``k`` of turn ``t`` was said in characters [starts[i], ends[i]) of the turn, i = offsets[t] + k.
    """

    table: CallTable
    offsets: Int64
    starts: Int64
    ends: Int64

    def said(self, hits: Hits) -> tuple[Int64, Int64]:
        """Start and end of each hit in the characters that were said."""
        base = self.offsets[hits.turn]
        return self.starts[base + hits.char_start], self.ends[base + hits.char_end - 1]


def normal_column(table: CallTable) -> NormalColumn:
    """``table`` in normal form; it has no character times, they belong to what was said."""
    turns = [normalised(table.turn_text(turn)) for turn in range(table.n_turns)]
    encoded = [turn.text.encode() for turn in turns]
    none = np.zeros(0, np.int64)
    return NormalColumn(
        table=replace(
            table,
            text=np.frombuffer(b"".join(encoded), np.uint8),
            text_offsets=np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            char_offsets=np.zeros(table.n_turns + 1, np.int64),
            char_start_ms=none,
            char_end_ms=none,
        ),
        offsets=np.cumsum([0, *(len(turn.text) for turn in turns)], dtype=np.int64),
        starts=np.array([at for turn in turns for at in turn.starts], np.int64),
        ends=np.array([at for turn in turns for at in turn.ends], np.int64),
    )


def either_form(uses: Sequence[Params], compile_uses: Compile) -> Scan:
    """A scan in which ``uses`` with ``on: normal`` search the normal form; every hit must have characters."""
    wants_normal = np.array([use["on"] == "normal" for use in uses], np.bool_)
    if not wants_normal.any():
        return compile_uses(uses)
    groups = [np.flatnonzero(~wants_normal), np.flatnonzero(wants_normal)]
    on_said, on_normal = (compile_uses([uses[number] for number in group]) for group in groups)

    def scan(table: CallTable) -> Hits:
        normal = normal_column(table)
        found = [on_said(table), on_normal(normal.table)]
        chars = [(found[0].char_start, found[0].char_end), normal.said(found[1])]
        unknown = nothing_unknown(len(uses), table)
        reasons: dict[int, str] = {}
        for group, part in zip(groups, found, strict=True):
            unknown[group] = part.unknown
            reasons |= {int(group[use]): why for use, why in part.reasons.items()}
        use = [group[part.use] for group, part in zip(groups, found, strict=True)]
        rows = Found(
            use=np.concatenate(use).astype(np.int32),
            row=np.concatenate([part.turn for part in found]).astype(np.int64),
            value=np.concatenate([part.value for part in found]),
        )  # fmt: skip
        both = tuple(np.concatenate(side) for side in zip(*chars, strict=True))
        return turn_hits(table, rows, unknown=unknown, reasons=reasons, chars=(both[0], both[1]))

    return scan
