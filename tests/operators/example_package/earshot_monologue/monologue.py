"""Operator ``monologue``: one side speaks on and on."""

from collections.abc import Sequence

import numpy as np

from operators.columns import kernel, nothing_unknown, role_codes, role_param, role_rows, stack, turn_hits
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import CallTable, Int8, Int64


@operator(
    "monologue",
    needs=("times", "separated"),
    params={
        "at_least_ms": Param(
            help="shortest monologue that counts", type=int, default=30_000, minimum=1, unit="ms"
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-20 您的欠款 | A 21-41 还有利息 | C 42-43 喂", {}, ".x."),
        Example("A 0-20 您的欠款 | C 20-21 嗯 | A 21-41 还有利息", {}, "..."),
    ),
)
def monologue(uses: Sequence[Params]) -> Scan:
    """Hit every turn by whose end its role has spoken ``at_least_ms`` without another turn; value = ms."""
    roles = role_codes(uses)

    def scan(table: CallTable) -> Hits:
        spoken, found = (
            _spoken_ms(table.turn_offsets, table.turn_role, table.turn_start_ms, table.turn_end_ms),
            [],
        )
        for number, (use, role) in enumerate(zip(uses, roles, strict=True)):
            rows = np.flatnonzero((spoken >= use["at_least_ms"]) & role_rows(table, role))
            found.append((number, rows, spoken[rows]))
        return turn_hits(table, stack(found), unknown=nothing_unknown(len(uses), table))

    return scan


@kernel
def _spoken_ms(turn_offsets: Int64, turn_role: Int8, start_ms: Int64, end_ms: Int64) -> Int64:
    """[T] from the start of the first turn of an unbroken run of one role to the end of each of its turns."""
    out = np.zeros(len(turn_role), np.int64)
    for call in range(len(turn_offsets) - 1):
        begin = 0
        for turn in range(turn_offsets[call], turn_offsets[call + 1]):
            if turn == turn_offsets[call] or turn_role[turn] != turn_role[turn - 1]:
                begin = start_ms[turn]
            out[turn] = end_ms[turn] - begin
    return out
