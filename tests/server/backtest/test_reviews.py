"""Reviews in, shares with intervals out."""

import json
from pathlib import Path

import pytest

from operators.rules.judge import HIT, PASS, UNDECIDED
from server.backtest import reviews
from server.backtest.job import Line
from server.backtest.tally import Marked
from server.errors import BadInput

LINES = (Line(kind="rule", name="threat"), Line(kind="item", name="intimidation"))


def test_wilson_interval_is_the_textbook_one() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    share = reviews.share([(n < 81, 1.0) for n in range(263)])
    assert (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
    none = reviews.share([(False, 1.0)] * 20)
    assert (none.value, none.low, round(none.high, 4)) == (0, 0, 0.1611)
    assert reviews.share([]).as_dict() is None


def test_weights_move_the_share_and_widen_the_interval() -> None:
    plain = reviews.share([(True, 1.0)] * 5 + [(False, 1.0)] * 5)
    weighted = reviews.share([(True, 1.0)] * 5 + [(False, 9.0)] * 5)
    assert weighted.value == pytest.approx(0.1)
    scaled = reviews.share([(True, 7.0)] * 5 + [(False, 7.0)] * 5)
    assert (scaled.value, scaled.low) == (plain.value, pytest.approx(plain.low))


def test_precision_counts_hits_and_recall_violations() -> None:
    marked = [
        Marked("a", 0, True, 1.0, PASS, HIT),
        Marked("b", 0, True, 1.0, HIT, UNDECIDED),
        Marked("c", 0, False, 1.0, PASS, HIT),
        Marked("d", 0, False, 1.0, PASS, PASS),
    ]
    new, old = reviews.quality(marked, new=True), reviews.quality(marked, new=False)
    assert (new.precision.value, new.precision.of, new.recall.value, new.undecided) == (0.5, 2, 0.5, 1)
    assert (old.precision.value, old.precision.of, old.recall.value, old.undecided) == (1.0, 1, 0.5, 0)


def test_jsonl_and_csv_say_the_same(tmp_path: Path) -> None:
    rows = [{"call_id": "a", "rule": "threat", "verdict": "violated"},
            {"call_id": "b", "item": "intimidation", "verdict": "OK", "weight": "2.5"}]  # fmt: skip
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "r.csv").write_text(
        "call_id,rule,item,verdict,weight\na,threat,,violated,\nb,,intimidation,ok,2.5\n"
    )
    expected = {"a": ((0, True, 1.0),), "b": ((1, False, 2.5),)}
    for name in ("r.jsonl", "r.csv"):
        assert reviews.read([tmp_path / name], LINES) == (expected, [])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"call_id": "a", "rule": "treat", "verdict": "ok"}', "neither pack has rule 'treat'"),
        ('{"call_id": "a", "rule": "threat", "verdict": "yes"}', "verdict 'yes' is neither violated nor ok"),
        ('{"rule": "threat", "verdict": "ok"}', "no call_id"),
        ('{"call_id": "a", "verdict": "ok"}', "no item and no rule"),
        ('{"call_id": "a", "rule": "threat", "verdict": "ok", "weight": -1}', "weight -1.0"),
        ("not json", "no call_id"),
    ],
)
def test_a_bad_row_is_named_and_costs_only_itself(tmp_path: Path, row: str, says: str) -> None:
    good = '{"call_id": "b", "rule": "threat", "verdict": "ok"}'
    (tmp_path / "r.jsonl").write_text(f"{good}\n\n{row}\n")
    marks, faults = reviews.read([tmp_path / "r.jsonl"], LINES)
    assert marks == {"b": ((0, False, 1.0),)}
    assert says in faults[0]["message"] and "r.jsonl:3" in faults[0]["message"]


def test_a_disputed_call_does_not_count(tmp_path: Path) -> None:
    rows = [f'{{"call_id": "a", "rule": "threat", "verdict": "{v}"}}' for v in ("ok", "ok", "violated")]
    (tmp_path / "r.jsonl").write_text("\n".join(rows))
    marks, faults = reviews.read([tmp_path / "r.jsonl"], LINES)
    assert marks == {} and "reviewed both ways" in faults[0]["message"]
    (tmp_path / "r.jsonl").write_text("\n".join(rows[:2]))
    assert reviews.read([tmp_path / "r.jsonl"], LINES) == ({"a": ((0, False, 1.0),)}, [])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no\.jsonl"):
        reviews.read([tmp_path / "no.jsonl"], LINES)
