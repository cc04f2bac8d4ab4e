"""A package of somebody else, installed by pip, adds an operator that rules and their cases use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from operators.chain import Plan, check_use, load_registry
from operators.testing import call

PACKAGE = Path(__file__).parent / "example_package"
ROOT = Path(__file__).parents[2]
PACK = "id: theirs\ntitle: t\nversion: 1.0.0\nitems: {x: {zh: 某, class: service, severity: minor}}\n"
RULE = """id: monologue
item: x
title: 独白
why: 客户插不上话
instead: 说一段，问一句
severity: minor
score: -5
when: {monologue: {at_least_ms: 30000}, role: agent}
"""
CASES = """- hit: "A 0-20 您的欠款 | A 21-41 还有利息 | C 42-43 喂"
  marks: ".x."
- hit: "A 0-31 您的欠款还有利息 | C 32-33 喂"
- ok: "A 0-20 您的欠款 | C 20-21 嗯 | A 21-41 还有利息"
  near: 客户说了话
- ok: "C 0-40 我住院了 | A 41-42 好"
- unknown: "A 您的欠款 | C 喂"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the package."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    shutil.copytree(PACKAGE, source, dirs_exist_ok=True)  # building writes beside the sources
    asked = [
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--target",
        str(target),
        str(source),
    ]
    subprocess.run([sys.executable, "-m", "pip", "install", *asked], check=True, capture_output=True)
    return target


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with one rule that uses the operator."""
    for name, text in (("pack.yaml", PACK), ("monologue.yaml", RULE), ("monologue.cases.yaml", CASES)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _rules_test(pack: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT)))}
    command = [sys.executable, "-m", "server", "rules", "test", str(pack)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_installed_operator_is_found_and_used_in_a_rule(installed: Path, pack: Path) -> None:
    assert load_registry().get("monologue") is None
    with_it, without = _rules_test(pack, installed), _rules_test(pack)
    assert with_it.returncode == 0, with_it.stdout + with_it.stderr
    assert "2 hit, 2 ok, 1 unknown, 0 na; 0 failed" in with_it.stdout
    assert without.returncode != 0 and "monologue" in without.stdout + without.stderr


def test_its_declared_examples_run(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    registry = load_registry()
    declared = registry.get("monologue")
    assert declared is not None
    for example in declared.examples:
        table = call(example.script)
        hits = Plan([check_use(registry, "monologue", example.params)]).evaluate(table).hits
        assert "".join("x" if turn in hits.turn else "." for turn in range(table.n_turns)) == example.marks
