"""Turns the YAML of conditions and rules into the nodes of ``tree``, collecting every problem on the way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import yaml

from operators.rules import tree
from operators.rules.reader import Problem, Source, nearest
from operators.rules.uses import Uses
from operators.table import ROLES

COMBINATORS = ("all", "any", "not", "at_least", "seq", "absent", "block", "ref")
COMMON = ("as", "role", "scope", "count")
LISTED = ("all", "any", "seq")
WINDOW_KEYS = (*tree.COUNTED, *tree.ANCHORED, "hit", "turns", "ms", "of", "until")
COUNT_KEYS = ("at_least", "at_most", "distinct", "within_ms")
MOST_CONDITIONS = 2_000
"""Of one rule, unfolded: walks over a rule take time by it."""

Block = Callable[[str], tree.Node | None]
"""Rule id → its condition, None when there is no such rule or it leads back to itself."""


class RulesError(ValueError):
    """A pack that cannot be used; ``problems`` holds all that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass
class Conditions:
    """Parses the conditions of one rule; ``named`` conditions may be anchors and be used again by ``ref``."""

    source: Source
    uses: Uses
    block: Block
    rule_ids: Callable[[], list[str]]
    named: dict[str, tuple[yaml.Node, str | None]] = field(default_factory=dict)
    _done: dict[str, tree.Node | None] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    _kept: list[tree.Node] = field(default_factory=list)
    """Nodes that ``_sizes`` knows by id, kept so that no other takes it over."""

    def collect(self, node: yaml.Node, role: str | None = None) -> None:
        """Learn the ``as`` names at and below ``node``: an anchor may stand before its condition."""
        if isinstance(node, yaml.SequenceNode):
            for entry in node.value:
                self.collect(entry, role)
        if not isinstance(node, yaml.MappingNode):
            return
        keys = {k.value: v for k, v in node.value if isinstance(k, yaml.ScalarNode)}
        role = keys["role"].value if isinstance(keys.get("role"), yaml.ScalarNode) else role
        if isinstance(keys.get("as"), yaml.ScalarNode):
            self._name(keys["as"].value, node, role)
        for key, value in keys.items():
            if key in ("all", "any", "not", "seq", "absent"):
                self.collect(value, role)
            if key == "at_least" and isinstance(value, yaml.MappingNode):
                for part, entries in value.value:
                    if part.value == "of":
                        self.collect(entries, role)

    def define(self, name: str, node: yaml.Node) -> None:
        """Learn one entry of ``define:``."""
        self._name(name, node, None)
        self.collect(node)

    def _name(self, name: str, node: yaml.Node, role: str | None) -> None:
        if name in self.named and self.named[name][0] is not node:
            self.source.complain(node, f"two conditions are called {name!r}", "rename one of them")
        self.named[name] = (node, role)

    def condition(self, node: yaml.Node, role: str | None = None) -> tree.Node | None:
        """One condition: a mapping with exactly one operator or combinator, and common keys."""
        known = (*COMBINATORS, *self.uses.registry.names(), *COMMON)
        keys = self.source.mapping(node, known, what="condition or operator")
        heads = [key for key in keys if key not in COMMON]
        if len(heads) != 1:
            if isinstance(node, yaml.MappingNode) and (heads or len(node.value) == len(keys)):
                held = ", ".join(heads) or "none"
                what = f"a condition holds exactly one operator or combinator, here: {held}"
                self.source.complain(node, what, "wrap several in `all: [...]` or `any: [...]`")
            return None
        own = self._role(keys) or role
        if heads[0] in ("ref", "block") and "role" in keys:
            what = f"`role` has no effect on `{heads[0]}`"
            self.source.complain(keys["role"][0], what, "write the role at the condition that is named")
        built = self._head(heads[0], keys[heads[0]][1], own, keys)
        if "count" in keys and built is not None:
            built = self._count(built, keys["count"][1])
        if "scope" in keys and heads[0] != "absent":
            window = self.window(keys["scope"][1])
            built = tree.Scoped(child=built, window=window) if window and built else None
        if built is None:
            return None
        name = self.source.text(keys["as"][1], "as") if "as" in keys else ""
        built = replace(built, name=name or built.name, where=self._where(node))
        if self._size(built) > MOST_CONDITIONS:
            what = f"names used again and again unfold to more than {MOST_CONDITIONS} conditions"
            self.source.complain(node, what, "name a condition less often, or split the rule")
            return None
        return built

    def _size(self, node: tree.Node) -> int:
        """How many conditions a reader meets below ``node``; a named one counts wherever it is used."""
        if id(node) not in self._sizes:
            self._sizes[id(node)] = 1 + sum(map(self._size, tree.children_of(node)))
            self._kept.append(node)
        return self._sizes[id(node)]

    def _where(self, node: yaml.Node) -> tree.Where:
        return tree.Where(self.source.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _role(self, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> str | None:
        if "role" not in keys:
            return None
        role = self.source.text(keys["role"][1], "role")
        if role not in ROLES:
            self.source.complain(keys["role"][1], f"unknown role {role!r}", nearest(role, ROLES))
        return role

    def _head(
        self, head: str, node: yaml.Node, role: str | None, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]
    ) -> tree.Node | None:
        if head in ("all", "any"):
            children = self._children(node, role)
            return (
                (tree.All(children=children) if head == "all" else tree.AtLeast(n=1, children=children))
                if children
                else None
            )
        if head == "not":
            child = self.condition(node, role)
            return tree.Not(child=child) if child else None
        if head == "absent":
            return self._absent(node, role, keys)
        if head == "at_least":
            return self._at_least(node, role)
        if head == "seq":
            return self._seq(node, role)
        if head == "ref":
            return self.reference(node)
        if head == "block":
            return self._block(node)
        return self.uses.leaf(head, node, role)

    def _children(self, node: yaml.Node, role: str | None) -> tuple[tree.Node, ...]:
        entries = self.source.sequence(node)
        if not entries and isinstance(node, yaml.SequenceNode):
            self.source.complain(node, "an empty list of conditions", "list at least one")
        built = [self.condition(entry, role) for entry in entries]
        return tuple(b for b in built if b) if all(built) else ()

    def _at_least(self, node: yaml.Node, role: str | None) -> tree.Node | None:
        keys = self.source.mapping(node, ("n", "of"), ("n", "of"))
        if len(keys) < 2:
            return None
        n, children = self.number(keys["n"][1], "n"), self._children(keys["of"][1], role)
        if children and n is not None and not 1 <= n <= len(children):
            self.source.complain(
                keys["n"][1], f"at_least {n} of {len(children)}", f"give 1 to {len(children)}"
            )
        return tree.AtLeast(n=n, children=children) if n and children else None

    def _seq(self, node: yaml.Node, role: str | None) -> tree.Node | None:
        limits: dict[str, int | None] = {}
        entries = node
        if isinstance(node, yaml.MappingNode):
            keys = self.source.mapping(node, ("of", "within_turns", "within_ms"), ("of",))
            limits = {k: self.number(v, k) for k, (_, v) in keys.items() if k != "of"}
            if "of" not in keys:
                return None
            entries = keys["of"][1]
        children = self._children(entries, role)
        if children and len(children) < 2:
            self.source.complain(node, "a sequence of one", "list at least two conditions")
        for child in children:
            self._needs_hits(child, entries, "seq")
        return (
            tree.Seq(
                children=children, within_turns=limits.get("within_turns"), within_ms=limits.get("within_ms")
            )
            if len(children) > 1
            else None
        )

    def _absent(
        self, node: yaml.Node, role: str | None, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]
    ) -> tree.Node | None:
        child = self.condition(node, role)
        window: tree.Window | None = tree.Window(kind="call")
        if "scope" in keys:
            window = self.window(keys["scope"][1])
        elif isinstance(child, tree.Scoped) and not child.chance and _writes(node, "scope"):
            window, child = child.window, child.child
        if child is None or window is None:
            return None
        roles = {leaf.role or leaf.use.params.get("role") for leaf in tree.watched(child)}
        spoken = next(iter(roles)) if len(roles) == 1 and roles <= set(ROLES) else None
        inner = tree.Not(child=child, where=self._where(node))
        return tree.Scoped(child=inner, window=window, chance=True, chance_role=spoken)

    def _needs_hits(self, child: tree.Node, node: yaml.Node, what: str) -> None:
        if isinstance(child, tree.Not) or (
            isinstance(child, tree.Scoped) and child.chance and not child.window.anchor
        ):
            self.source.complain(
                node,
                f"`not` or `absent` has no hits for {what}",
                f"give {what} a condition that finds something",
            )

    def _count(self, child: tree.Node, node: yaml.Node) -> tree.Node | None:
        self._needs_hits(child, node, "count")
        if isinstance(child, tree.All):
            self.source.complain(node, "`count` on `all`", "put `count` on the condition to be counted")
        if isinstance(node, yaml.ScalarNode):
            n = self.number(node, "count")
            return tree.Count(child=child, at_least=n) if n is not None else None
        keys = self.source.mapping(node, COUNT_KEYS)
        numbers = {k: self.number(v, k) for k, (_, v) in keys.items() if k != "distinct"}
        distinct = self.source.text(keys["distinct"][1], "distinct") if "distinct" in keys else "hit"
        if distinct not in ("hit", "turn"):
            self.source.complain(keys["distinct"][1], f"distinct: {distinct!r}", "give hit or turn")
        if not {"at_least", "at_most"} & set(keys):
            self.source.complain(node, "count without a bound", "add `at_least:` or `at_most:`")
        at_least = numbers.get("at_least")
        return tree.Count(
            child=child, at_least=0 if at_least is None else at_least, at_most=numbers.get("at_most"),
            turns=distinct == "turn", within_ms=numbers.get("within_ms"),
        )  # fmt: skip

    def number(self, node: yaml.Node, name: str) -> int | None:
        """A whole number ≥ 0, parameters replaced."""
        value = self.uses.fill(self.source.value(node), node)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.source.complain(node, f"{name}: {value!r} is not a whole number from 0", "give a whole number")
        return None

    def reference(self, node: yaml.Node) -> tree.Node | None:
        """The condition that ``node`` names."""
        name = self.source.text(node, "name")
        if name not in self.named:
            if name:
                self.source.complain(node, f"no condition is called {name!r}", nearest(name, self.named))
            return None
        if name not in self._done:
            self._done[name] = None
            at, role = self.named[name]
            built = self.condition(at, role)
            self._done[name] = replace(built, name=name) if built else None
            return self._done[name]
        if self._done[name] is None:
            self.source.complain(node, f"{name!r} leads back to itself", "break the circle")
        return self._done[name]

    def _block(self, node: yaml.Node) -> tree.Node | None:
        name = self.source.text(node, "block")
        if name and name not in self.rule_ids():
            self.source.complain(node, f"no rule {name!r} in this pack", nearest(name, self.rule_ids()))
            return None
        built = self.block(name) if name else None
        if name and built is None:
            self.source.complain(
                node, f"rule {name!r} cannot be used here", "mend it, or break the circle of blocks"
            )
        return replace(built, name=name) if built else None

    def window(self, node: yaml.Node) -> tree.Window | None:
        """A ``scope``: exactly one kind, and what belongs to it."""
        keys = self.source.mapping(node, WINDOW_KEYS, what="scope")
        kinds = [key for key in keys if key in tree.WINDOWS]
        if len(kinds) != 1:
            help = f"give exactly one of {', '.join(tree.WINDOWS[1:])}"
            self.source.complain(node, f"a scope with {len(kinds)} kinds", help)
            return None
        kind, at = kinds[0], keys[kinds[0]][1]
        of = self.source.text(keys["of"][1], "of") if "of" in keys else None
        if of is not None and of not in ROLES:
            self.source.complain(keys["of"][1], f"unknown role {of!r}", nearest(of, ROLES))
        if kind in tree.COUNTED:
            self._only(keys, {kind, "of"} if kind.endswith("turns") else {kind}, kind)
            n = self.number(at, kind)
            if n is not None and n > 100 and kind.endswith("percent"):
                self.source.complain(at, f"{kind}: {n} is more than the whole", "give 0 to 100")
            return tree.Window(kind=kind, n=n, of=of) if n is not None else None
        return self._anchored(kind, at, keys, of)

    def _anchored(
        self, kind: str, at: yaml.Node, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], of: str | None
    ) -> tree.Window | None:
        allowed = {"before": {"hit", "turns", "ms", "of"}, "after": {"hit", "turns", "ms", "of", "until"},
                   "around": {"hit", "turns", "ms", "of"}, "same_turn": {"hit"}}[kind]  # fmt: skip
        self._only(keys, {kind, *allowed}, kind)
        if "turns" in keys and "ms" in keys:
            self.source.complain(keys["ms"][0], "a window limited by turns and by ms", "give one of the two")
        if kind == "around" and not {"turns", "ms"} & set(keys):
            self.source.complain(at, "`around` without limit", "add `turns:` or `ms:`")
        hit = self._hit(keys["hit"][1]) if "hit" in keys else "any"
        anchor = self.reference(at)
        until = self.reference(keys["until"][1]) if "until" in keys else None
        for found in (anchor, until):
            if found is not None:
                self._needs_hits(found, at, "an anchor")
        limits = {k: self.number(keys[k][1], k) for k in ("turns", "ms") if k in keys}
        return (
            tree.Window(
                kind=kind,
                anchor=anchor,
                hit=hit,
                of=of,
                until=until,
                turns=limits.get("turns"),
                ms=limits.get("ms"),
            )
            if anchor
            else None
        )

    def _hit(self, node: yaml.Node) -> str | int:
        """Which hit of an anchor: a word, or a number other than 0."""
        hit = self.uses.fill(self.source.value(node), node)
        if isinstance(hit, int) and not isinstance(hit, bool) and hit:
            return hit
        if hit not in tree.HITS:
            help = f"{nearest(str(hit), tree.HITS)}; or a number: 2 is the second, -1 the last"
            self.source.complain(node, f"hit: {hit!r}", help)
        return str(hit)

    def _only(self, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], allowed: set[str], kind: str) -> None:
        for key in set(keys) - allowed:
            self.source.complain(
                keys[key][0],
                f"{key!r} does not go with {kind!r}",
                f"{kind} takes {', '.join(sorted(allowed))}",
            )


def _writes(node: yaml.Node, key: str) -> bool:
    """Whether the mapping ``node`` holds ``key`` itself."""
    return isinstance(node, yaml.MappingNode) and any(at.value == key for at, _ in node.value)
