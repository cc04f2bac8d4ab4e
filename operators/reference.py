"""The page of all operators, from their declarations: ``python -m operators.reference``."""

import inspect
import json
import sys

from operators.chain import describe, load_registry
from operators.spec import Example, Operator

_HEAD = """# Operators

Made from the declarations in `operators/builtin` by `python -m operators.reference`; every example
is a test.

An operator reads one fact from a call; rules combine them. In the examples a call is written as
`role start-end text`, turns parted by `|` (A agent, C customer, O other; seconds; without times it is a
chat; `{tag:score}`, `(emotion:score)`). Results: `x` the turn is hit, `.` it is not; for a fact about the
whole call `!` it holds, `-` it does not; `?` it cannot be decided.

"""
_TAIL = """
## Your own operator

1. Write a module with a function under `@operator(...)` from `operators.spec`: it gets all uses of a rule set
   at once and returns a scan over a `CallTable`; `operators.columns` helps to build the hits.
2. Give it a docstring that says exactly what it means, and at least one example.
3. Name the module in your package's entry points: `[project.entry-points."earshot.operators"]`,
   `mine = "mypackage.operators"`.
4. `load_registry()` finds it; a name that is taken is an error at start.

`tests/operators/example_package` is such a package; a test installs it with pip and uses its operator in a
rule.
"""


def render() -> str:
    """The whole page as Markdown."""
    registry = load_registry()
    declared = [operator for name in registry.names() if (operator := registry.get(name)) is not None]
    index = "\n".join(f"- [`{op.name}`](#{op.name}) {_doc(op).splitlines()[0]}" for op in declared)
    return _HEAD + index + "\n\n" + "\n".join(_section(op) for op in declared) + _TAIL


def _doc(operator: Operator) -> str:
    return inspect.cleandoc(operator.doc).replace("``", "`")


def _section(operator: Operator) -> str:
    needs = ", ".join(operator.needs) or "nothing but the call itself"
    live = "" if operator.live else " Decided only when the call has ended."
    params = "\n".join(
        f"| `{name}` | {_kind(operator, name)} | {_default(operator, name)} | {_help(operator, name)} |"
        for name in operator.params
    )
    examples = "\n".join(_example(example) for example in operator.examples)
    return (
        f"## {operator.name}\n\n{_doc(operator)}\n\nNeeds: {needs}.{live}\n\n"
        f"| parameter | takes | default | meaning |\n|---|---|---|---|\n{params}\n\n"
        f"| call | parameters | result |\n|---|---|---|\n{examples}\n"
    )


def _kind(operator: Operator, name: str) -> str:
    return describe(operator.params[name])


def _default(operator: Operator, name: str) -> str:
    param = operator.params[name]
    if param.required:
        return "required"
    if param.default is None:
        return "not set"
    return f"`{json.dumps(param.default, ensure_ascii=False)}`"


def _help(operator: Operator, name: str) -> str:
    param = operator.params[name]
    needs = f" (other than the default needs: {', '.join(param.needs)})" if param.needs else ""
    return param.help + needs


def _example(example: Example) -> str:
    params = json.dumps(dict(example.params), ensure_ascii=False)
    meta = f" with {json.dumps(dict(example.meta), ensure_ascii=False)}" if example.meta else ""
    script, params = example.script.replace("|", "\\|"), params.replace("|", "\\|")
    return f"| `{script}`{meta} | `{params}` | `{example.marks}` |"


if __name__ == "__main__":
    sys.stdout.write(render())
