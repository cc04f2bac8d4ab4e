"""Small packs written by a test: rules as YAML text, loaded through the public door."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from operators.chain import load_registry
from operators.rules.judge import Judge, compile_pack
from operators.rules.pack import load_pack
from operators.spec import Registry

PACK = "id: test\ntitle: 测试\nversion: 1.0.0\nitems: {x: {zh: 某, class: prohibited, severity: fatal}}\n"
HEAD = "item: x\ntitle: t\nwhy: w\ninstead: i\nseverity: major\nscore: -10\n"

WritePack = Callable[..., Path]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in operators."""
    return load_registry()


@pytest.fixture
def write_pack(tmp_path: Path) -> WritePack:
    """Writes a pack from rule id → YAML of its conditions (the head is added); returns its folder."""

    def write(rules: Mapping[str, str], *, pack: str = PACK, head: str = HEAD) -> Path:
        (tmp_path / "pack.yaml").write_text(pack, encoding="utf-8")
        for name, body in rules.items():
            (tmp_path / f"{name}.yaml").write_text(f"id: {name}\n{head}{body}\n", encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def compiled(write_pack: WritePack, registry: Registry) -> Callable[..., Judge]:
    """A judge for rules given as YAML."""
    return lambda rules, **more: compile_pack(load_pack(write_pack(rules, **more), registry))
