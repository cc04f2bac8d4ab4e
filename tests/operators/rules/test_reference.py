"""Every ``yaml example`` block of docs/rules.md is run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from operators.rules.cases import Case, table_of
from operators.rules.judge import Judge
from operators.rules.reader import read_yaml
from operators.testing import call

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
BLOCKS = re.findall(r"```yaml example\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = [text for text in BLOCKS if not text.startswith("items:")]
PACKS = [text for text in BLOCKS if text.startswith("items:")]
VERDICTS = {"hit": "hit", "ok": "pass", "unknown": "unknown", "na": "not_applicable"}
RULE = ("when", "define", "gate", "unless", "effective_from", "effective_to")


def test_page_has_examples() -> None:
    assert len(EXAMPLES) > 10


def read(text: str) -> Any:
    source, root = read_yaml(text, PAGE.name, [])
    assert root is not None
    return source.value(root)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_does_what_the_page_says(text: str, compiled: Callable[..., Judge]) -> None:
    example = read(text)
    rule = {key: example[key] for key in RULE if key in example}
    judge = compiled({"r": yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)})
    meta = example.get("meta", {})
    for kind, verdict in VERDICTS.items():
        for script in example.get(kind, ()):
            case = Case(rule="r", kind=kind, script=script, marks="", near="", meta=meta, file="", line=1)
            (judgement,) = judge.judge(table_of(case, judge.labels_needed()))
            assert judgement.verdicts["r"] == verdict, script


@pytest.mark.parametrize("text", PACKS, ids=range(len(PACKS)))
def test_calls_score_as_the_page_says(text: str, compiled: Callable[..., Judge]) -> None:
    example = read(text)
    pack = "id: t\ntitle: t\nversion: '1'\n" + yaml.safe_dump({"items": example["items"]}, allow_unicode=True)
    rules = {name: yaml.safe_dump(rule, allow_unicode=True) for name, rule in example["rules"].items()}
    judge = compiled(rules, pack=pack, head="title: t\nwhy: w\ninstead: i\nseverity: major\n")
    scores = {script: judge.judge(call(script))[0].score for script in example["scores"]}
    assert scores == example["scores"]
