"""The page of all operators."""

from operators.chain import load_registry
from operators.reference import render


def test_the_page_tells_every_operator_parameter_and_example() -> None:
    page, registry = render(), load_registry()
    for name in registry.names():
        declared = registry.get(name)
        assert declared is not None
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(f"| `{param}` |" in section for param in declared.params)
        assert all(example.script.replace("|", "\\|") in section for example in declared.examples)
