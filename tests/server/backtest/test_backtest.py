"""The command on small histories: changes, examples, reviews, samples, faults, Ctrl-C."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from operators.rules.judge import VERDICTS
from operators.table import CallTable, concat, part
from operators.testing import call
from server.__main__ import app
from server.adapters import store
from server.backtest import run, work
from server.backtest.job import Job, lines_of
from server.backtest.outcome import sample

PACK = """\
id: {id}
title: t
version: 1
items:
  rude: {{zh: 骂人, class: prohibited, severity: fatal}}
  late: {{zh: 深夜, class: prohibited, severity: major}}
"""
RULE = """\
id: {id}
item: {item}
title: {id} title
why: w
instead: i
severity: major
when: {when}
"""
SWEARS = {
    "insult": ("rude", "{keyword: {any: [笨蛋, 废物]}, role: agent, as: words}"),
    "night": ("late", "{meta: {field: hour, cmp: gt, value: 22}}"),
}
WIDER = {**SWEARS, "insult": ("rude", "{keyword: {any: [废物, 蠢货]}, role: agent, as: words}"),
         "shout": ("rude", "{emotion: {any: [angry], at_least: 0.5}, role: agent}")}  # fmt: skip
TEXTS = ("您好", "你个笨蛋", "废物", "蠢货一个")


def pack(folder: Path, rules: dict[str, tuple[str, str]]) -> str:
    folder.mkdir()
    (folder / "pack.yaml").write_text(PACK.format(id=folder.name))
    for name, (item, when) in rules.items():
        (folder / f"{name}.yaml").write_text(RULE.format(id=name, item=item, when=when))
    return str(folder)


def one(number: int) -> CallTable:
    meta = {"hour": number % 24, "call_start_local": f"2026-11-{1 + number % 20:02}T10:00:00+08:00",
            "source_path": f"/calls/{number}.wav"}  # fmt: skip
    script = f"A 0-2 {TEXTS[number % 4]} (angry:0.{number % 10}) | C 3-4 喂"
    return call(script, meta, call_id=f"c{number}", emotion_labels=("angry",))


CALLS = concat([one(number) for number in range(200)])


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("packs")
    return pack(folder / "old", SWEARS), pack(folder / "new", WIDER)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    for first in range(0, 200, 50):
        store.add(folder, part(CALLS, first, first + 50))
    return folder


def backtest(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["backtest", *map(str, arguments), "--processes", "2", "--chunk", "60"])
    return done.exit_code, done.output


def result_of(*arguments: object, code: int = 0) -> dict[str, Any]:
    exit_code, output = backtest(*arguments, "--json", "--quiet")
    assert exit_code == code, output
    return json.loads(next(line for line in output.splitlines() if line.startswith("{")))


def line(result: dict[str, Any], name: str, kind: str = "rules") -> dict[str, Any]:
    return next(line for line in result[kind] if line["name"] == name)


def alone(pack: str) -> dict[str, list[str]]:
    """Verdicts with every call judged in a table of its own."""
    judge = work.judge_of(pack)
    judged = [judge.judge(part(CALLS, n, n + 1))[0].verdicts for n in range(CALLS.n_calls)]
    return {rule: [verdicts[rule] for verdicts in judged] for rule in judged[0]}


def test_changes_are_those_of_judging_each_call_alone(history: Path, packs: tuple[str, str]) -> None:
    old, new = (alone(pack) for pack in packs)
    result = result_of(history, "--pack", packs[1], "--against", packs[0])
    assert (result["calls"], result["turns"], result["repeated_calls"]) == (200, 400, 0)
    for rule, verdicts in new.items():
        found = line(result, rule)
        before = old.get(rule, [""] * 200)
        assert found["new"] == {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        pairs = list(zip(before, verdicts, strict=True))
        assert found["new_hits"] == sum(b != "hit" and a == "hit" for b, a in pairs)
        assert found["lost_hits"] == sum(b == "hit" and a != "hit" for b, a in pairs)
    assert (line(result, "insult")["new_hits"], line(result, "insult")["lost_hits"]) == (50, 50)
    assert line(result, "shout")["old"] is None and line(result, "night")["new_hits"] == 0
    rude = line(result, "rude", "items")
    worst = [max((new[rule][n] for rule in ("insult", "shout")), key=VERDICTS.index) for n in range(200)]
    assert rude["new"]["hit"] == worst.count("hit")
    assert result["new"]["calls_with_hits"] == sum(
        "hit" in (a, b) for a, b in zip(worst, new["night"], strict=True)
    )


def test_examples_explain_and_say_where_to_listen(history: Path, packs: tuple[str, str]) -> None:
    insult = line(result_of(history, "--pack", packs[1], "--against", packs[0], "--examples", 2), "insult")
    gained, lost = insult["examples"]["new_hits"], insult["examples"]["lost_hits"]
    assert [len(gained), len(lost)] == [2, 2]
    assert gained[0]["quotes"] == [
        {"turn": 0, "role": "agent", "start_ms": 0, "text": "蠢货一个", "marks": [[0, 2]]}
    ]
    assert re.fullmatch(r"/calls/\d+\.wav", gained[0]["source"])
    assert lost[0]["quotes"][0]["text"] == "你个笨蛋" and "words" in lost[0]["why_not"][0]


def test_how_the_history_is_cut_changes_nothing(
    history: Path, packs: tuple[str, str], tmp_path: Path
) -> None:
    store.add(tmp_path / "whole", CALLS)
    asked = ("--pack", packs[1], "--against", packs[0], "--sample", 9)
    whole, cut = result_of(tmp_path / "whole", *asked), result_of(history, *asked)
    one_by_one = result_of(history, *asked, "--chunk", 1, "--processes", 1)
    for other in (cut, one_by_one):
        for key in ("rules", "items", "days", "sample"):
            assert other[key] == whole[key], key
    assert result_of(history, *asked, "--seed", 2)["sample"] != whole["sample"]


def test_kept_verdicts_stand_for_the_old_pack(packs: tuple[str, str], tmp_path: Path) -> None:
    verdict = np.zeros((1, 200), np.int8)
    verdict[0, :10] = VERDICTS.index("hit")
    judged = store.Judged(pack="old 7", items={"insult": "rude"}, verdict=verdict)
    store.add(tmp_path / "h", CALLS, judged=judged)
    result = result_of(tmp_path / "h", "--pack", packs[1])
    assert result["old"] == {"pack": "old 7", "kept": True, "calls_with_hits": 10}
    new = alone(packs[1])["insult"]
    assert line(result, "insult")["lost_hits"] == sum(verdict != "hit" for verdict in new[:10])
    assert line(result, "insult")["old"]["hit"] == 10


def test_without_old_verdicts_nothing_is_compared(history: Path, packs: tuple[str, str]) -> None:
    result = result_of(history, "--pack", packs[1])
    assert result["old"] is None and line(result, "insult")["new_hits"] is None
    assert line(result, "insult")["examples"] == {"new_hits": [], "lost_hits": []}
    code, output = backtest(history, "--pack", packs[1])
    assert code == 0 and "change" not in output


def test_reviews_give_precision_and_recall(history: Path, packs: tuple[str, str], tmp_path: Path) -> None:
    said = {"c2": "violated", "c1": "violated", "c3": "ok", "c4": "ok"}
    rows = [{"call_id": c, "rule": "insult", "verdict": v} for c, v in said.items()]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = ("--pack", packs[1], "--against", packs[0], "--reviews", tmp_path / "r.jsonl")
    of = line(result_of(history, *asked), "insult")["reviews"]
    assert (of["n"], of["new"]["precision"]["value"], of["new"]["recall"]["value"]) == (4, 0.5, 0.5)
    assert (of["old"]["precision"]["value"], of["old"]["recall"]["value"]) == (1.0, 1.0)
    (tmp_path / "r.jsonl").write_text('{"call_id": "nowhere", "rule": "insult", "verdict": "ok"}')
    assert "1 reviewed calls are not" in result_of(history, *asked, code=1)["faults"][0]["message"]


def test_the_audit_sample_stands_for_the_calls_not_hit(
    history: Path, packs: tuple[str, str], tmp_path: Path
) -> None:
    audit = tmp_path / "audit.csv"
    code, output = backtest(history, "--pack", packs[1], "--audit", audit, "--sample", 12)
    assert code == 0, output
    rows = list(csv.DictReader(audit.open()))
    new = alone(packs[1])
    for row in rows:
        number = int(row["call_id"][1:])
        hit = {item: any(new[rule][number] == "hit" for rule, (of, _) in WIDER.items() if of == item)
               for item in ("rude", "late")}  # fmt: skip
        assert not hit[row["item"]]
        assert row["stratum"] == ("other findings" if any(hit.values()) else "nothing found")
    late = [float(row["weight"]) for row in rows if row["item"] == "late"]
    assert len(late) == 8 and sum(late) == pytest.approx(new["night"].count("pass"), abs=0.001)
    reviewed = [{**row, "verdict": "ok"} for row in rows]
    with audit.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(reviewed[0]))
        writer.writeheader()
        writer.writerows(reviewed)
    assert result_of(history, "--pack", packs[1], "--reviews", audit)["reviews"] == len(rows)


def test_a_broken_file_costs_only_itself(history: Path, packs: tuple[str, str]) -> None:
    first, second = store.files(history)[:2]
    first.write_bytes(first.read_bytes()[:500])
    data = bytearray(second.read_bytes())
    data[200:240] = bytes(40)
    second.write_bytes(data)
    result = result_of(history, "--pack", packs[1], code=1)
    assert result["calls"] == 100
    assert [
        name.name in fault["message"] for name, fault in zip((first, second), result["faults"], strict=True)
    ]


def test_nothing_to_read_is_an_error_with_help(tmp_path: Path, packs: tuple[str, str]) -> None:
    done = _command(tmp_path, "--pack", packs[1])
    assert done.returncode == 2 and "--keep" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "x.parquet").write_text("no")
    assert _command(tmp_path, "--pack", packs[1]).returncode == 2


def _command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "server", "backtest", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_ctrl_c_ends_all_processes(packs: tuple[str, str], tmp_path: Path) -> None:
    """The same history is linked many times over, so that the run outlives the signal."""
    path = store.add(tmp_path / "h", CALLS)
    for number in range(3000):
        (tmp_path / "h" / f"{number}.parquet").hardlink_to(path)
    asked = [str(tmp_path / "h"), "--pack", packs[1], "--chunk", "1", "--processes", "2"]
    command = [sys.executable, "-m", "server", "backtest", *asked]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    deadline = time.monotonic() + 60
    while len(_ids(children)) < 2 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = _ids(children)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) == 130 and len(workers) == 2
    assert running.stderr is not None and "Traceback" not in running.stderr.read()
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def _ids(children: Path) -> Sequence[int]:
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def test_the_draw_is_uniform_and_the_same_for_all_items(packs: tuple[str, str], history: Path) -> None:
    rules = work.judge_of(packs[1]).pack.rules
    job = Job(pack=packs[1], against="", lines=lines_of({r: rules[r].item for r in rules}), sample=6)
    means = []
    for seed in range(30):
        tally = run.run(
            Job(**{**job.__dict__, "seed": seed}),
            run.footers(history)[0],
            on_calls=lambda n: None,
            processes=1,
        )
        means += [int(row["call_id"][1:]) for row in sample(job, tally) if row["item"] == "late"]
    assert 75 < np.mean(means) < 125
