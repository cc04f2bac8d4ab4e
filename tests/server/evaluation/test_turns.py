"""Labelled turns: JSON lines, whole calls, tables, and calls as the writers write them."""

import json
from pathlib import Path

import pytest

from server.errors import BadInput
from server.evaluation import turns

ROOT = Path(__file__).resolve().parents[3]
CALLS = """#call id=w_1 relation=debtor
!violated=
a|您好 我是银行的|a_self_identify,a_recording_notice
c|你谁啊|
~gap 3
a|我是银行|
#call id=w_2 relation=unknown
c|喂|
"""


def test_calls_as_the_writers_write_them(tmp_path: Path) -> None:
    (tmp_path / "writer_1.txt").write_text(CALLS)
    found, faults = turns.read([tmp_path])
    assert [(t.role, t.text, t.previous, t.group) for t in found] == [
        ("agent", "您好 我是银行的", "", "w_1"),
        ("customer", "你谁啊", "agent:您好 我是银行的", "w_1"),
        ("agent", "我是银行", "agent:您好 我是银行的\ncustomer:你谁啊", "w_1"),
        ("customer", "喂", "", "w_2"),
    ]
    assert found[0].tags == {"a_self_identify", "a_recording_notice"} and not found[1].tags and not faults
    assert {t.group for t in turns.read([tmp_path], "writer")[0]} == {"writer_1"}


def test_a_bad_line_of_a_call_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "w.txt"
    path.write_text(CALLS + "x|什么|\na|好\na|b|c|d\n")
    found, faults = turns.read([path])
    assert len(found) == 5 and [f.where for f in faults] == [f"{path}:9", f"{path}:11"]


def test_our_own_calls_are_read_in_full() -> None:
    path = ROOT / "training" / "dialogues" / "writer_9.txt"
    found, faults = turns.read([path])
    lines = [line for line in path.read_text().splitlines() if line[:2] in ("a|", "c|")]
    assert len(found) == len(lines) and faults == []
    assert sum(len(t.tags) for t in found) == sum(
        len([tag for tag in line.split("|")[2].split(",") if tag]) for line in lines if line.count("|") == 2
    )


def test_json_lines_and_whole_calls(tmp_path: Path) -> None:
    talk = [{"role": "agent", "text": "您好", "tags": []}, {"role": "c", "text": "喂", "tags": "x, y"}]
    whole = {"call_id": "k", "turns": talk}
    one = {"role": "agent", "text": "还钱", "previous": "喂", "tags": ["x"], "speaker": "s"}
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in (whole, one)))
    found, faults = turns.read([path], "call")
    assert [(t.role, t.previous, sorted(t.tags), t.group) for t in found] == [
        ("agent", "", [], "k"),
        ("customer", "agent:您好", ["x", "y"], "k"),
        ("agent", "喂", ["x"], ""),
    ]
    assert not faults


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("role\ttext\ttags\nagent\t您好\ta,b\ncustomer\t喂\t\n")
    found, _ = turns.read([path])
    assert [(t.role, t.text, len(t.tags)) for t in found] == [("agent", "您好", 2), ("customer", "喂", 0)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "agent", "tags": []}, "no text"),
        ({"text": "好", "role": "boss", "tags": []}, "role 'boss'"),
        ({"text": "好", "tags": []}, "role None"),
        ({"text": "好", "role": "agent"}, "no tags"),
        ({"text": "好", "role": "agent", "tags": [1]}, "no tags"),
        ({"text": "好", "role": "agent", "tags": [], "previous": 3}, "previous is 3"),
        ({"turns": "x"}, "turns is no list"),
    ],
)
def test_bad_turns(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"text": "好", "role": "agent", "tags": []}) + "\n" + json.dumps(fields))
    found, (fault,) = turns.read([path])
    assert len(found) == 1 and fault.where == f"{path}:2" and said in fault.what


def test_an_unknown_group_column(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text(CALLS)
    with pytest.raises(BadInput, match="no line has a column 'town'"):
        turns.read([tmp_path / "w.txt"], "town")
