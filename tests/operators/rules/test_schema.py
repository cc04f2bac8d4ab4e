"""The schema of rule files: every shipped rule passes, and what the reader refuses it refuses too."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from operators.chain import load_registry
from operators.rules.pack import BUILT_IN, rule_files
from operators.rules.reader import Source, read_yaml
from operators.rules.schema import rule_schema

SCHEMA = rule_schema(load_registry())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULE = {"id": "r", "item": "x", "title": "t", "why": "w", "instead": "i", "severity": "major",
        "when": {"keyword": {"any": ["还钱"]}, "role": "agent"}}  # fmt: skip
SHIPPED = [path for pack in sorted(BUILT_IN.iterdir()) if pack.is_dir() for path in rule_files(pack)]


def plain(path: Path) -> Any:
    source, root = read_yaml(path.read_text(encoding="utf-8"), path.name, [])
    assert isinstance(source, Source) and isinstance(root, yaml.Node)
    return source.value(root)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_rule_passes(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(plain(path))] == []


@pytest.mark.parametrize(
    "when",
    [
        {"keyword": {"any": ["a"]}, "regex": {"pattern": "a"}},
        {"keyword": {"any": ["a"], "nay": 1}},
        {"keywrd": {"any": ["a"]}},
        {"silence": {"at_least_ms": "long"}},
        {"tag": {"any": ["t"], "at_least": 1.5}},
        {"keyword": {"any": ["a"]}, "scope": {"after": "b", "hit": "second"}},
        {"keyword": {"any": ["a"]}, "scope": {"after": "b", "hit": 0}},
        {"keyword": {"any": ["a"]}, "scope": {"first_percent": 101}},
        {"keyword": {"any": ["a"]}, "count": -1},
        {"all": []},
        {"role": "agent"},
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(when: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**RULE, "when": when})
    assert VALIDATOR.is_valid(RULE), "the control"


def test_parameters_stand_where_values_do() -> None:
    scope = {"after": "b", "hit": "$times"}
    when = {"silence": {"at_least_ms": "$gap_ms"}, "count": "$times", "scope": scope}
    assert VALIDATOR.is_valid({**RULE, "when": when, "params": {"gap_ms": 5000, "times": 2}})


def test_keys_tell_what_they_mean() -> None:
    properties = SCHEMA["$defs"]["condition"]["properties"]
    assert all(
        "description" in schema
        for name, schema in properties.items()
        if name not in ("role", "scope", "count")
    )
