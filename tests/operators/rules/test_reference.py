"""Every ``yaml example`` block of docs/rules.md is run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from operators.rules.cases import Case, table_of
from operators.rules.judge import Judge
from operators.rules.reader import read_yaml

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
EXAMPLES = re.findall(r"```yaml example\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
VERDICTS = {"hit": "hit", "ok": "pass", "unknown": "unknown", "na": "not_applicable"}
RULE = ("when", "define", "gate", "unless", "effective_from", "effective_to")


def test_page_has_examples() -> None:
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_does_what_the_page_says(text: str, compiled: Callable[..., Judge]) -> None:
    source, root = read_yaml(text, PAGE.name, [])
    assert root is not None
    example = source.value(root)
    rule = {key: example[key] for key in RULE if key in example}
    judge = compiled({"r": yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)})
    meta = example.get("meta", {})
    for kind, verdict in VERDICTS.items():
        for script in example.get(kind, ()):
            case = Case(rule="r", kind=kind, script=script, marks="", near="", meta=meta, file="", line=1)
            (judgement,) = judge.judge(table_of(case, judge.labels_needed()))
            assert judgement.verdicts["r"] == verdict, script
