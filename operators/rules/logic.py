"""What conditions come to without any call: never true, always true, said twice, open until the end."""

from collections.abc import Iterator

from operators.rules import tree
from operators.rules.pack import Pack
from operators.rules.program import Program
from operators.rules.reader import Problem


def whole(rule: tree.Rule) -> tree.All:
    """A rule as the one condition that makes it hit: ``gate`` and ``when`` and not ``unless``."""
    unless = tree.Not(child=rule.unless, where=rule.unless.where) if rule.unless else None
    parts = tuple(part for part in (rule.gate, rule.when, unless) if part is not None)
    return tree.All(children=parts, where=rule.where)


def check(pack: Pack) -> Iterator[Problem]:
    """Conditions that can never or always be true, and rules that add nothing to another one."""
    program = Program()
    rules = {rule.id: whole(rule) for rule in pack.rules.values()}
    for condition in rules.values():
        program.add(condition)
        yield from _conflicts(condition, program)
        for node in below(condition):
            yield from _impossible(node)
    for rule in pack.rules.values():
        for other in pack.rules.values():
            if _adds_nothing(rule, other) and implies(rules[rule.id], rules[other.id], program):
                both = implies(rules[other.id], rules[rule.id], program)
                if not both:
                    what = f"every hit of {rule.id!r} is one of {other.id!r}, which costs as much"
                    yield _at(rule, what, "remove it, or give it another item or a larger deduction")


def notes(pack: Pack) -> Iterator[Problem]:
    """For each rule that can only be decided when the call has ended: why."""
    for rule in pack.rules.values():
        reasons = dict.fromkeys(reason for node in below(whole(rule)) for reason in _late(node))
        if reasons:
            what = f"decided only when the call has ended: {'; '.join(reasons)}"
            yield _at(rule, what, "nothing to mend; for a hint while the call runs, limit its windows")


def below(node: tree.Node) -> Iterator[tree.Node]:
    """``node`` and every condition in it, anchors included."""
    yield node
    for child in tree.children_of(node):
        yield from below(child)


def implies(a: tree.Node, b: tree.Node, program: Program) -> bool:
    """Whether ``b`` is true wherever ``a`` is, as far as ``all``, ``any`` and ``not`` show it."""
    if program.add(a) == program.add(b):
        return True
    if isinstance(a, tree.Not) and isinstance(b, tree.Not):
        return implies(b.child, a.child, program)
    if isinstance(b, tree.All):
        return all(implies(a, child, program) for child in b.children)
    if isinstance(a, tree.AtLeast) and a.n == 1:
        return all(implies(child, b, program) for child in a.children)
    if isinstance(a, tree.All) and any(implies(child, b, program) for child in a.children):
        return True
    return isinstance(b, tree.AtLeast) and b.n == 1 and any(implies(a, c, program) for c in b.children)


def _at(spot: tree.Node | tree.Rule, what: str, help: str) -> Problem:
    return Problem(spot.where.file, spot.where.line, spot.where.column, what, help)


def _adds_nothing(rule: tree.Rule, other: tree.Rule) -> bool:
    """Whether ``other``, hitting the same call, leaves nothing to ``rule``: same item, deduction as large."""
    if rule is other or rule.item != other.item or rule.score_per_hit or other.score_per_hit:
        return False
    heavier = tree.SEVERITIES.index(rule.severity) < tree.SEVERITIES.index(other.severity)
    return not heavier and other.score <= rule.score <= 0 and (other.veto or not rule.veto)


def _parts(node: tree.All) -> Iterator[tree.Node]:
    """The conditions of nested ``all`` as one list."""
    for child in node.children:
        if isinstance(child, tree.All):
            yield from _parts(child)
        else:
            yield child


def _conflicts(node: tree.Node, program: Program) -> Iterator[Problem]:
    """A condition and its opposite in one ``all`` (nested ones count as one) or in one ``any``."""
    together = tuple(_parts(node)) if isinstance(node, tree.All) else ()
    if isinstance(node, tree.AtLeast) and node.n == 1:
        together = node.children
    steps = {program.add(part) for part in together}
    for part in together:
        if isinstance(part, tree.Not) and program.add(part.child) in steps:
            what = "never" if isinstance(node, tree.All) else "always"
            yield _at(
                part, f"a condition and its opposite stand together: {what} true", "remove one of the two"
            )
    inner = together if isinstance(node, tree.All) else tree.children_of(node)
    for child in inner:
        yield from _conflicts(child, program)


def _impossible(node: tree.Node) -> Iterator[Problem]:
    if isinstance(node, tree.Count) and node.at_most is not None and node.at_least > node.at_most:
        yield _at(node, f"at least {node.at_least} and at most {node.at_most}: never true", "swap the two")
    if isinstance(node, tree.Scoped) and node.window.kind in tree.COUNTED and not node.window.n:
        yield _at(node, f"{node.window.kind}: 0 is an empty window: never true", "give a number from 1")
    if isinstance(node, tree.Leaf) and node.use.operator.name == "keyword":
        words, harmless = set(node.use.params["any"] or ()), set(node.use.params["not_in"] or ())
        least = node.use.params["at_least"]
        if words and words <= harmless and node.use.params["match"] == "exact":
            yield _at(node, "every word stands in not_in too: never true", "remove the words from not_in")
        if isinstance(least, int) and words and least > len(words):
            yield _at(node, f"at_least {least} of {len(words)} words: never true", f"give 1 to {len(words)}")


def _late(node: tree.Node) -> Iterator[str]:
    """Why a condition stays open until the call has ended."""
    if isinstance(node, tree.Leaf) and not node.use.operator.live:
        yield f"{node.use.operator.name} measures the whole call"
    if isinstance(node, tree.Count) and node.at_most is not None:
        yield "at_most counts the whole call"
    if isinstance(node, tree.Not):
        yield "what must not be there may still come"
    if isinstance(node, tree.Scoped):
        window = node.window
        if window.kind.startswith("last_") or window.kind == "first_percent":
            yield f"{window.kind} is known at the end"
        if window.hit in ("last", "each") or (isinstance(window.hit, int) and window.hit < 0):
            yield f"another hit of {window.anchor.name if window.anchor else 'the anchor'} may still come"
