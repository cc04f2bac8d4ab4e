"""Packs written by chance or malice are refused or compiled, quickly and without a crash.

EARSHOT_HOSTILE_PACKS sets how many are tried (200 when unset).
"""

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from operators.rules import lint
from operators.rules.judge import compile_pack
from operators.rules.pack import BUILT_IN, load_pack, rule_files
from operators.rules.parse import RulesError
from operators.spec import OperatorError, Registry
from operators.testing import call

PACKS = int(os.environ.get("EARSHOT_HOSTILE_PACKS", "200"))
LONGEST_S = 2.0
SHIPPED = BUILT_IN / "collections_zh"
FILES = [path.read_text(encoding="utf-8") for path in rule_files(SHIPPED)]
PIECES = ["", "{", "}", "[", "]", ":", ": ", "- ", "\n", "'", '"', "&a ", "*a", "!!python/object:os.system ",
          "$x", "${x}", "\0", "\ud7ff", "0x10", "1e999", "-1", ".nan", "null", "~",
          "---\n", "%YAML 9\n",
          "\t", "#", "<<: "]  # fmt: skip
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1 << 70,
    1e308,
    "",
    "甲",
    "$n",
    "(a+)+$",
    "a{1,99999}",
    [],
    {},
    [[]],
    "a" * 9999,
]
KEYS = ["all", "any", "not", "at_least", "seq", "absent", "ref", "block", "as", "role", "scope", "count",
        "of", "n",
        "after", "before", "around", "until", "hit", "turns", "ms", "first_turns", "last_percent",
        "distinct",
        "within_ms", "keyword", "regex", "tag", "meta", "silence", "emotion", "pattern",
        "match", "field"]  # fmt: skip


def mutated(chance: random.Random) -> str:
    """A shipped rule with a few cuts, copies, swaps and foreign pieces."""
    text = chance.choice(FILES)
    for _ in range(chance.randint(1, 3)):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        kind = chance.randrange(5)
        if kind == 0:
            del lines[at : at + chance.randint(1, 3)]
        elif kind == 1:
            lines.insert(chance.randrange(len(lines)), lines[at])
        elif kind == 2:
            lines[at] = " " * chance.randint(0, 9) + lines[at].strip()
        elif kind == 3:
            key, colon, _ = lines[at].partition(":")
            lines[at] = f"{key}{colon} {json.dumps(chance.choice(VALUES), ensure_ascii=False)}"
        else:
            place = chance.randint(0, len(lines[at]))
            lines[at] = lines[at][:place] + chance.choice(PIECES) + lines[at][place + chance.randint(0, 4) :]
        text = "\n".join(lines) or " "
    return text


def tree(chance: random.Random, depth: int = 0) -> Any:
    """Keys of the rule language in any order, holding anything."""
    if depth > chance.randint(2, 7):
        return chance.choice(VALUES)
    if chance.random() < 0.3:
        return [tree(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice(KEYS): tree(chance, depth + 1) for _ in range(chance.randint(1, 3))}


def rule(chance: random.Random, name: str) -> str:
    if chance.random() < 0.6:
        return re.sub(r"^id: .*", f"id: {name}", mutated(chance))
    parts = {"id": name, "item": "x", "title": "t", "why": "w", "instead": "i", "severity": "major"}
    more = {key: tree(chance) for key in ("when", "gate", "unless") if chance.random() < 0.8}
    define = {"define": {"甲": tree(chance), "$n": tree(chance)}, "params": {"n": chance.choice(VALUES)}}
    return json.dumps({**parts, **more, **define}, ensure_ascii=False)


def outcome(folder: Path, registry: Registry) -> str:
    """What becomes of a pack; anything but these errors is a crash."""
    try:
        judge = compile_pack(load_pack(folder, registry))
    except (RulesError, OperatorError) as error:
        assert "help: " in str(error)
        return "refused"
    judge.judge(call("A 0-1 还钱 | C 2-3 好"))
    return "compiled"


def test_a_hostile_pack_is_refused_or_compiled(tmp_path: Path, registry: Registry) -> None:
    chance = random.Random(20_261_124)
    pack = (SHIPPED / "pack.yaml").read_text(encoding="utf-8")
    (tmp_path / "pack.yaml").write_text(
        pack.replace("items:", "items:\n  x: {zh: 某, class: service, severity: minor}")
    )
    (tmp_path / "lexicons").symlink_to(SHIPPED / "lexicons")
    seen: dict[str, int] = {}
    for number in range(PACKS):
        for name in ("r0",):
            (tmp_path / f"{name}.yaml").write_text(rule(chance, name), encoding="utf-8")
        began = perf_counter()
        result = outcome(tmp_path, registry)
        took = perf_counter() - began
        assert took < LONGEST_S, f"pack {number} took {took:.1f} s"
        lint.check(tmp_path, registry)
        seen[result] = seen.get(result, 0) + 1
    assert seen["refused"] > PACKS // 4 and seen["compiled"] > PACKS // 40


def test_shipped_rules_survive_harmless_changes(tmp_path: Path, registry: Registry) -> None:
    """The control: what is not hostile compiles."""
    for path in (SHIPPED / "pack.yaml", *rule_files(SHIPPED)):
        (tmp_path / path.name).write_text(
            f"# a comment\n{path.read_text(encoding='utf-8')}", encoding="utf-8"
        )
    (tmp_path / "lexicons").symlink_to(SHIPPED / "lexicons")
    assert outcome(tmp_path, registry) == "compiled"


LONG: dict[str, Callable[[], str]] = {
    "many conditions": lambda: (
        "any: [" + ",".join(f"{{keyword: {{any: [w{n}]}}}}" for n in range(8000)) + "]"
    ),
    "wide regex": lambda: "regex: {pattern: '(a|b|c){1,500}(d|e){1,500}'}",
    "deep not": lambda: "not: {" * 17 + "keyword: {any: [a]}" + "}" * 17,
    "big count": lambda: f"keyword: {{any: [a]}}\n  count: {10**40}",
}


@pytest.mark.parametrize("name", LONG)
def test_large_conditions_end_in_time(name: str, write_pack: Callable[..., Path], registry: Registry) -> None:
    folder = write_pack({"r": f"when:\n  {LONG[name]()}"})
    began = perf_counter()
    assert outcome(folder, registry) in ("refused", "compiled")
    assert perf_counter() - began < LONGEST_S


def test_names_that_double_are_refused_in_time(write_pack: Callable[..., Path], registry: Registry) -> None:
    twice = "  n{0}: {{all: [{{ref: n{1}}}, {{ref: n{1}}}]}}"
    levels = "\n".join(twice.format(level, level + 1) for level in range(40))
    rule = f"when: {{ref: n0}}\ndefine:\n{levels}\n  n40: {{keyword: {{any: [还钱]}}}}\n"
    began = perf_counter()
    with pytest.raises(RulesError, match="unfold to more than 2000 conditions"):
        load_pack(write_pack({"r": rule}), registry)
    assert perf_counter() - began < 2
