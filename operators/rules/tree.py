"""The shape of a rule: conditions as frozen nodes, and what a rule and a pack carry. No behaviour.

Keys such as ``role``, ``scope`` and ``count`` of a condition become nodes of their own around it
(``Scoped(Count(Leaf))``), so the judge knows few kinds of node and each does one thing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from operators.chain import Use

SEVERITIES = ("fatal", "major", "minor", "info")
STATUSES = ("experimental", "stable", "deprecated")
CLASSES = ("prohibited", "required", "service")
HITS = ("first", "last", "any", "each")
"""Which hits of an anchor open a window: one of them, some window (∃), every window (∀).
A number: the n-th."""

ANCHORED = ("before", "after", "around", "same_turn")
TIMED = ("first_ms", "last_ms", "first_percent", "last_percent")
"""Windows that need times; percent are of the call's duration."""

COUNTED = ("first_turns", "last_turns", *TIMED)
WINDOWS = ("call", *COUNTED, *ANCHORED)


@dataclass(frozen=True)
class Where:
    """A place in a file."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """Base of all conditions; ``name`` is the ``as`` of the rule's author, empty where none was given."""

    name: str = ""
    where: Where = Where("", 1, 1)


@dataclass(frozen=True, kw_only=True)
class Leaf(Node):
    """One use of an operator; ``role`` keeps only hits spoken by that role."""

    use: Use
    role: str | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)
    """Parameters as written, where the use holds more (the words of a lexicon)."""


@dataclass(frozen=True, kw_only=True)
class Period(Node):
    """True when the call's local day lies in it, both ends included, or is not known; part of a gate."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, kw_only=True)
class All(Node):
    """True when every child is."""

    children: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class AtLeast(Node):
    """True when ``n`` of the children are; n = 1 is ``any``."""

    n: int
    children: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Not(Node):
    """True when the child is false."""

    child: Node


@dataclass(frozen=True, kw_only=True)
class Count(Node):
    """Bounds the number of the child's hits, or of turns that have one, in all or within a span of time."""

    child: Node
    at_least: int
    at_most: int | None = None
    turns: bool = False
    within_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Seq(Node):
    """True when hits of the children follow one another, each neighbour within the limits."""

    children: tuple[Node, ...]
    within_turns: int | None = None
    within_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of the call: ``kind`` of WINDOWS with its number ``n``, or an anchor and limits."""

    kind: str
    n: int = 0
    anchor: Node | None = None
    hit: str | int = "any"
    """One of HITS, or the number of the hit: 2 the second, -2 the last but one."""
    turns: int | None = None
    ms: int | None = None
    of: str | None = None
    """Whose turns are counted; None counts everyone's."""
    until: Node | None = None


@dataclass(frozen=True, kw_only=True)
class Scoped(Node):
    """The child judged inside each window; ``chance`` drops windows in which ``chance_role`` has no turn."""

    child: Node
    window: Window
    chance: bool = False
    chance_role: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as its author wrote it, with every reference resolved."""

    id: str
    item: str
    title: str
    why: str
    instead: str
    severity: str
    score: float
    """Points of a hit: below 0 a deduction, above 0 a reward."""
    score_per_hit: float = 0.0
    """Points of each thing found, instead of ``score``; together at most ``cap`` points up or down."""
    cap: float | None = None
    veto: bool
    status: str
    when: Node
    gate: Node | None = None
    unless: Node | None = None
    evidence: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    where: Where = Where("", 1, 1)


def children_of(node: Node) -> tuple[Node, ...]:
    """The conditions directly below ``node``, anchors included."""
    if isinstance(node, All | AtLeast | Seq):
        return node.children
    if isinstance(node, Scoped):
        return tuple(n for n in (node.child, node.window.anchor, node.window.until) if n is not None)
    return (node.child,) if isinstance(node, Not | Count) else ()


def watched(node: Node) -> tuple[Leaf, ...]:
    """The leaves at or below ``node`` that no anchor is made of, in written order."""
    below = (node.child,) if isinstance(node, Scoped) else children_of(node)
    return (node,) if isinstance(node, Leaf) else tuple(leaf for child in below for leaf in watched(child))


def leaves_of(node: Node) -> tuple[Leaf, ...]:
    """All leaves at or below ``node``, in written order."""
    if isinstance(node, Leaf):
        return (node,)
    return tuple(leaf for child in children_of(node) for leaf in leaves_of(child))
