"""Rules of Alibaba SCA: what they become is judged, not only read; what has no counterpart is listed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from operators.chain import load_registry
from operators.rules import sca
from operators.rules.judge import Judge, compile_pack
from operators.rules.pack import load_pack
from operators.testing import call

ANY = "HIT_ANY_KEYWORDS"
AGAIN = "A 你什么时候还钱 | C 嗯 | A 你什么时候还钱"


def operator(kind: str, oid: str = "1", **param: Any) -> dict[str, Any]:
    return {"oid": oid, "type": kind, "param": param}


def condition(cid: str, *operators: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = more.pop("lambda_", "&&".join(one["oid"] for one in operators))
    return {"cid": cid, "lambda": whole, "operators": list(operators), "check_range": more}


def rule(*conditions: dict[str, Any], lambda_: str = "a", **more: Any) -> dict[str, Any]:
    return {"rid": 7, "name": "测试", "lambda": lambda_, "conditions": list(conditions), **more}


def imported(tmp_path: Path, *rules: dict[str, Any]) -> tuple[sca.Imported, Judge]:
    made = sca.read(json.dumps({"rules": list(rules)}))
    for name, text in made.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return made, compile_pack(load_pack(tmp_path, load_registry()))


def verdict(judge: Judge, script: str) -> str:
    return judge.judge(call(script))[0].verdicts["sca_7"]


def test_an_anchored_condition(tmp_path: Path) -> None:
    asks = condition("a", operator(ANY, keywords=["投诉"]), role="客户")
    answers = condition(
        "b", operator("INCLUDE_KEYWORDS", keywords=["热线", "登记"]), role="客服",
        anchor={"cid": "a", "location": "AFTER", "hit_time": -1}, range={"from": 1, "to": 2},
    )  # fmt: skip
    given = rule(asks, answers, lambda_="a && !b", triggers=["a"], scoreNum=10, scoreType=3, level=3)
    made, judge = imported(tmp_path, given)
    assert made.left_out == [] and "2 sentences read as 2 turns" in made.carried[0]
    assert verdict(judge, "C 我要投诉 | A 哦 | C 喂") == "hit"
    assert verdict(judge, "C 我要投诉 | A 热线给您登记一下 | C 好") == "pass"
    assert verdict(judge, "C 我要投诉 | A 打热线 | C 好") == "hit", "INCLUDE asks for all the words"
    written = yaml.safe_load(made.files["sca_7.yaml"])
    assert (written["score"], written["severity"], written["evidence"]) == (-10, "fatal", ["c_a"])


@pytest.mark.parametrize(
    ("whole", "hit", "fine"),
    [
        ("1&&2", "A 甲乙", "A 甲丙"),
        ("1||2", "A 乙", "A 丙"),
        ("1&&!2", "A 甲", "A 甲乙"),
        ("(1||2)&&3", "A 乙丙", "A 甲乙"),
        ("1||2&&3", "A 甲", "A 乙"),
        ("!(1||2)", "A 丙", "A 甲"),
    ],
)
def test_expressions(tmp_path: Path, whole: str, hit: str, fine: str) -> None:
    words = [operator(ANY, str(n), keywords=[word]) for n, word in enumerate("甲乙丙", 1)]
    _, judge = imported(tmp_path, rule(condition("a", *words, lambda_=whole)))
    assert (verdict(judge, hit), verdict(judge, fine)) == ("hit", "pass")


@pytest.mark.parametrize(
    ("one", "hit", "fine"),
    [
        (operator(ANY, keywords=["甲", "乙", "丙"], keywordMatchSize=2), "A 甲丙", "A 甲"),
        (operator(ANY, keywords=["甲"], threshold=2), "A 甲 | A 甲", "A 甲"),
        (operator(ANY, keywords=["甲"], keywordMatchSize=0), "A 乙", "A 甲"),
        (operator("REGULAR_EXPRESSION", regex="还.{0,3}钱", notRegex="不还"), "A 还我钱", "A 不还我钱"),
        (operator("ADVANCED_REPEAT_DETECT", similarity_threshold=0.6), AGAIN,
         "A 你什么时候还钱 | C 嗯 | A 那就先这样再见"),
        (operator("INTERVAL_GREATER", interval=3000), "A 0-2 还吗 | C 6-7 嗯", "A 0-2 还吗 | C 3-4 嗯"),
        (operator("SPEECH_SPEED_CHECK", velocityInMint=280), "A 0-1 今天必须还上", "A 0-4 今天必须还上"),
        (operator("抢话", interval=1000), "A 0-5 您 | C 3-8 我没有钱", "A 0-5 您 | C 6-8 我没有钱"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_operators(tmp_path: Path, one: dict[str, Any], hit: str, fine: str) -> None:
    made, judge = imported(tmp_path, rule(condition("a", one)))
    assert made.left_out == []
    assert (verdict(judge, hit), verdict(judge, fine)) == ("hit", "pass")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (rule(condition("a", operator("SIMILAR_MATCH", similarlySentences=["还钱"]))), "SIMILAR_MATCH"),
        (rule(condition("a", operator(ANY, keywords=["甲"]), AllSentencesSatisfy=True)), "AllSent"),
        (rule(condition("a", operator(ANY, keywords=["甲"])), lambda_="a&&z"), "names z"),
        (rule(condition("a", operator(ANY, keywords=["甲"])), lambda_="a&&(a"), "cannot be read"),
        (rule(condition("a", operator(ANY, keywords=[]))), "the list is empty"),
        (rule(condition("a", operator(ANY, keywords=["甲"]), range={"from": 3, "to": 5})), "range"),
        (rule(condition("a", operator(ANY, keywords=["甲"]),
                        anchor={"cid": "a", "location": "AFTER", "hit_time": -4})), "only the N-th"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_listed_and_the_others_are_written(
    tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    good = rule(condition("a", operator(ANY, keywords=["甲"]))) | {"rid": 8}
    made, _ = imported(tmp_path, given, good)
    assert len(made.left_out) == 1 and says in made.left_out[0]
    assert sorted(made.files) == ["pack.yaml", "sca_8.yaml"]


@pytest.mark.parametrize("text", ["{", "[1]", '{"rules": {}}', '"x"'])
def test_foreign_files_are_refused(text: str) -> None:
    with pytest.raises(sca.NotCarried):
        sca.read(text)
