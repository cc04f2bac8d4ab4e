"""Turns the mapping under an operator's name into checked uses: parameters filled in, lexicons expanded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from operators.chain import check_use
from operators.rules import lexicon, tree
from operators.rules.reader import Source, nearest
from operators.spec import Operator, OperatorError, Registry

_WHOLE = re.compile(r"\$([a-z_][a-z0-9_]*)")
_INSIDE = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")


@dataclass
class Uses:
    """What the operators of one rule file are asked."""

    source: Source
    registry: Registry
    lexicons: Mapping[str, lexicon.Lexicon]
    params: Mapping[str, Any]

    def fill(self, value: Any, node: yaml.Node) -> Any:
        """``value`` with ``$name`` and ``${name}`` replaced by the rule's or pack's parameters."""
        if isinstance(value, list):
            return [self.fill(entry, node) for entry in value]
        if isinstance(value, dict):
            return {key: self.fill(entry, node) for key, entry in value.items()}
        if not isinstance(value, str):
            return value
        whole = _WHOLE.fullmatch(value)
        if whole:
            return self._param(whole[1], node)
        return _INSIDE.sub(lambda match: str(self._param(match[1], node)), value)

    def _param(self, name: str, node: yaml.Node) -> Any:
        if name not in self.params:
            self.source.complain(node, f"unknown parameter ${name}", nearest(name, self.params))
            return ""
        return self.params[name]

    def leaf(self, name: str, node: yaml.Node, role: str | None) -> tree.Node | None:
        """One use of operator ``name``; words with two ways of matching become an ``any`` of two uses."""
        declared = self.registry.get(name)
        if declared is None:
            return None
        before = len(self.source.problems)
        known = [*declared.params, *(["lexicon"] if lexicon.accepts(declared) else [])]
        keys = self.source.mapping(node, known, what=f"parameter of {name}")
        given = {
            key: self._value(declared, key, value) for key, (_, value) in keys.items() if key != "lexicon"
        }
        uses, shown = [given], {}
        if "lexicon" in keys:
            chosen = self._lexicons(keys["lexicon"][1])
            uses = lexicon.expand(declared, given, chosen)
            shown = {**given, "lexicon": [lex.id for lex in chosen]}
        if role is not None and "role" in declared.params:
            uses, role = [{"role": role, **use} for use in uses], None
        if len(self.source.problems) > before:
            return None
        leaves = tuple(self._use(name, use, role, shown, node) for use in uses)
        if not leaves or not all(leaves):
            return None
        return (
            leaves[0]
            if len(leaves) == 1
            else tree.AtLeast(n=1, children=tuple(leaf for leaf in leaves if leaf))
        )

    def _use(
        self, name: str, values: dict[str, Any], role: str | None, shown: dict[str, Any], node: yaml.Node
    ) -> tree.Leaf | None:
        try:
            return tree.Leaf(use=check_use(self.registry, name, values), role=role, shown=shown)
        except OperatorError as error:
            self._misused(error, node)
            return None

    def _value(self, declared: Operator, key: str, node: yaml.Node) -> Any:
        kind = declared.params[key].type
        value = self.fill(self.source.value(node), node)
        return [value] if kind is list and not isinstance(value, list) else value

    def _misused(self, error: OperatorError, node: yaml.Node) -> None:
        """The operator's complaints (``what`` and ``help:`` by turns), each at the parameter it speaks of."""
        values = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        for what, help in re.findall(r"(.+?)\nhelp: (.+)", str(error)):
            of = re.search(r"parameter (\w+)", what)
            self.source.complain(values.get(of[1], node) if of else node, what, help)

    def _lexicons(self, node: yaml.Node) -> list[lexicon.Lexicon]:
        found = []
        for name in self.source.texts(node, "lexicon"):
            if name in self.lexicons:
                found.append(self.lexicons[name])
            else:
                self.source.complain(node, f"no lexicon {name!r} in this pack", nearest(name, self.lexicons))
        return found
