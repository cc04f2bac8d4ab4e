"""Operators on the normal form."""

from collections.abc import Sequence

import numpy as np
import pytest

from operators.chain import Plan, check_use, load_registry
from operators.columns import Found, turn_hits
from operators.numbers.column import either_form, normal_column
from operators.spec import Hits, Params, Scan
from operators.table import CallTable
from operators.testing import call


def test_the_column_is_normal_and_the_table_is_not_changed() -> None:
    table = call("A 0-2 还五千块 | C 3-4 好 | A 4-5 三点半")
    normal = normal_column(table)
    assert [normal.table.turn_text(turn) for turn in range(3)] == ["还5000元", "好", "3:30"]
    assert table.turn_text(0) == "还五千块"
    assert normal.offsets.tolist() == [0, 6, 7, 11]


def test_hits_on_the_normal_form_have_the_characters_and_times_that_were_said() -> None:
    registry = load_registry()
    uses = [
        check_use(registry, "regex", {"pattern": "[0-9]+元", "on": "normal"}),
        check_use(registry, "regex", {"pattern": "五千"}),
        check_use(registry, "regex", {"pattern": "[0-9]+元"}),
    ]
    plan = Plan(uses)
    evidence = plan.evaluate(call("C 好 | A 10-20 您先还两千五百块吧好吗".replace("C 好", "C 0-1 好")))
    (row,) = range(*evidence.rows(plan.id_of(uses[0])).indices(100))
    hits = evidence.hits
    assert (hits.turn[row], hits.char_start[row], hits.char_end[row]) == (1, 3, 8)
    assert (hits.start_ms[row], hits.end_ms[row]) == (
        pytest.approx(12_727, abs=1),
        pytest.approx(17_272, abs=1),
    )
    assert len(range(*evidence.rows(plan.id_of(uses[2])).indices(100))) == 0


def test_uses_keep_their_places_beside_one_another() -> None:
    registry = load_registry()
    texts = [("好", "said"), ("5000", "normal"), ("五千", "said"), ("五千", "normal"), ("好", "normal")]
    uses = [check_use(registry, "regex", {"pattern": p, "on": on}) for p, on in texts]
    plan = Plan(uses)
    evidence = plan.evaluate(call("A 五千好"))
    found = [evidence.rows(plan.id_of(use)) for use in uses]
    assert [rows.stop - rows.start for rows in found] == [1, 1, 1, 0, 1]
    spans = [
        (int(evidence.hits.char_start[r.start]), int(evidence.hits.char_end[r.start]))
        for r in found
        if r.stop > r.start
    ]
    assert spans == [(2, 3), (0, 2), (0, 2), (2, 3)]


def test_an_empty_table_has_an_empty_column() -> None:
    assert normal_column(call("")).offsets.tolist() == [0]


def test_each_use_stays_unknown_for_its_own_reason() -> None:
    def undecided(uses: Sequence[Params]) -> Scan:
        unknown = np.array([[use["undecided"]] for use in uses], np.bool_)
        reasons = {number: use["why"] for number, use in enumerate(uses) if use["undecided"]}
        nothing = np.zeros(0, np.int64)
        none = Found(use=np.zeros(0, np.int32), row=nothing, value=np.zeros(0))

        def scan(table: CallTable) -> Hits:
            return turn_hits(table, none, chars=(nothing, nothing), unknown=unknown, reasons=reasons)

        return scan

    asked = [("normal", False, ""), ("said", True, "a"), ("normal", True, "b"), ("said", False, "")]
    uses = [{"on": on, "undecided": undecided_, "why": why} for on, undecided_, why in asked]
    hits = either_form(uses, undecided)(call("A 五千好"))
    assert hits.unknown[:, 0].tolist() == [False, True, True, False]
    assert hits.reasons == {1: "a", 2: "b"}
