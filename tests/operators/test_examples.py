"""Every declared example through the plan: with compiled kernels, and with the Python they are made from."""

import sys
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from operators.chain import Plan, check_use, load_registry
from operators.spec import Example
from operators.testing import call

REGISTRY = load_registry()
CASES = [
    pytest.param(name, example, id=f"{name}-{number}")
    for name in REGISTRY.names()
    for number, example in enumerate(REGISTRY.get(name).examples)  # type: ignore[union-attr]
]


def _marks(name: str, example: Example) -> str:
    """The outcome of an example in its own notation."""
    table = call(example.script, example.meta)
    evidence = Plan([check_use(REGISTRY, name, example.params)]).evaluate(table)
    if evidence.hits.unknown.any():
        assert evidence.why_unknown(0, 0)
        return "?"
    if (evidence.hits.turn < 0).any() or example.marks in ("!", "-"):
        return "!" if len(evidence.hits) else "-"
    return "".join("x" if turn in evidence.hits.turn else "." for turn in range(table.n_turns))


def _kernels() -> list[tuple[ModuleType, str, Dispatcher]]:
    modules = [module for name, module in sys.modules.items() if name.startswith("operators")]
    return [(m, n, v) for m in modules for n, v in vars(m).items() if isinstance(v, Dispatcher)]


@pytest.mark.parametrize(("name", "example"), CASES)
def test_example(name: str, example: Example) -> None:
    assert _marks(name, example) == example.marks


@pytest.mark.parametrize(("name", "example"), CASES)
def test_example_in_plain_python(name: str, example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, attribute, kernel in _kernels():
        monkeypatch.setattr(module, attribute, kernel.py_func)
    assert not _kernels()
    assert _marks(name, example) == example.marks


def test_every_operator_shows_a_hit_and_a_miss() -> None:
    for name in REGISTRY.names():
        marks = [example.marks for example in REGISTRY.get(name).examples]  # type: ignore[union-attr]
        assert any({"x", "!"} & set(m) for m in marks) and any({".", "-"} & set(m) for m in marks), name
