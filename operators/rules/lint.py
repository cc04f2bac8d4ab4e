"""Checks a pack beyond its syntax: missing cases, rules that repeat one another, parts that nobody uses."""

from collections.abc import Iterator
from pathlib import Path

from operators.rules import logic, tree
from operators.rules.cases import Case, read_cases
from operators.rules.judge import compile_pack
from operators.rules.lexicon import load_lexicons
from operators.rules.pack import Pack, find_folder, load_pack, read_pack, rule_files
from operators.rules.parse import RulesError
from operators.rules.program import Program
from operators.rules.reader import Problem
from operators.spec import OperatorError, Registry

MIN_HITS = 2
MIN_OK = 2


def check(name_or_path: str | Path, registry: Registry) -> list[Problem]:
    """Everything wrong with a pack, in the order of files and lines; empty when it is sound."""
    problems: list[Problem] = []
    try:
        folder = find_folder(name_or_path)
    except RulesError as error:
        return list(error.problems)
    pack = read_pack(folder, registry, problems)
    if pack is not None:
        cases = read_cases(folder, pack.rules, problems)
        problems += [*_cases(pack, cases), *_orphans(folder), *_unused_lexicons(folder, pack)]
        for rule in pack.rules.values():
            problems += _rule(rule)
        problems += [*_same_rules(pack), *logic.check(pack), *_compiles(pack)]
    return sorted(set(problems))


def notes(name_or_path: str | Path, registry: Registry) -> list[Problem]:
    """What is worth knowing of a pack and no fault: rules that only the end of a call decides.

    Raises:
        RulesError: the pack cannot be loaded.
    """
    return sorted(logic.notes(load_pack(name_or_path, registry)))


def _at(where: tree.Where, what: str, help: str) -> Problem:
    return Problem(where.file, where.line, where.column, what, help)


def _cases(pack: Pack, cases: list[Case]) -> Iterator[Problem]:
    for rule in pack.rules:
        own = [case for case in cases if case.rule == rule]
        if not own:
            continue
        file = own[0].file
        hits, fine = ([c for c in own if c.kind == kind] for kind in ("hit", "ok"))
        if len(hits) < MIN_HITS:
            yield Problem(
                file, 1, 1, f"{len(hits)} hit cases", f"write at least {MIN_HITS} in different wording"
            )
        if len(fine) < MIN_OK:
            yield Problem(file, 1, 1, f"{len(fine)} ok cases", f"write at least {MIN_OK}")
        if not any(case.near for case in fine):
            yield Problem(file, 1, 1, "no near miss", "give one ok case `near: why it is harmless`")
        seen: dict[str, int] = {}
        for case in own:
            key = f"{case.script} {sorted(case.meta.items(), key=str)}"
            if key in seen:
                yield Problem(file, case.line, 1, f"the same case as line {seen[key]}", "word it differently")
            seen.setdefault(key, case.line)


def _orphans(folder: Path) -> Iterator[Problem]:
    rules = {path.stem for path in rule_files(folder)}
    for path in sorted(folder.glob("*.cases.yaml")):
        rule = path.name.removesuffix(".cases.yaml")
        if rule not in rules:
            yield Problem(
                path.name, 1, 1, f"cases of {rule!r}, but there is no such rule", "rename or remove the file"
            )


def _unused_lexicons(folder: Path, pack: Pack) -> Iterator[Problem]:
    used: set[str] = set()
    for rule in pack.rules.values():
        for leaf in _leaves(rule):
            used.update(leaf.shown.get("lexicon", ()))
    for name in load_lexicons(folder, []):
        if name not in used:
            yield Problem(f"lexicons/{name}", 1, 1, f"no rule uses lexicon {name!r}", "use it or remove it")


def _roots(rule: tree.Rule) -> tuple[tree.Node, ...]:
    return tuple(node for node in (rule.gate, rule.when, rule.unless) if node is not None)


def _leaves(rule: tree.Rule) -> Iterator[tree.Leaf]:
    for root in _roots(rule):
        yield from tree.leaves_of(root)


def _rule(rule: tree.Rule) -> Iterator[Problem]:
    for text in ("title", "why", "instead"):
        if not getattr(rule, text).strip():
            yield _at(rule.where, f"{text} is empty", "say it in one sentence")
    if rule.severity != "info" and not rule.score and not rule.score_per_hit and not rule.veto:
        yield _at(
            rule.where,
            f"{rule.severity}, but it costs nothing",
            "set `score:`, `score_per_hit:` or `veto: true`",
        )
    program = Program()
    for root in _roots(rule):
        program.add(root)
        yield from _repeated(root, program)


def _repeated(node: tree.Node, program: Program) -> Iterator[Problem]:
    """The same condition twice in one `all`, `any` or `at_least`: the second can never change the answer."""
    if isinstance(node, tree.All | tree.AtLeast):
        seen: set[int] = set()
        for child in node.children:
            step = program.step(child)
            if step in seen:
                yield _at(child.where, "the same condition stands twice here", "remove one of the two")
            seen.add(step)
    for child in tree.children_of(node):
        yield from _repeated(child, program)


def _same_rules(pack: Pack) -> Iterator[Problem]:
    program, seen = Program(), dict[tuple[int, ...], str]()
    for rule in pack.rules.values():
        steps = tuple(program.add(root) if root else -1 for root in (rule.gate, rule.when, rule.unless))
        if steps in seen:
            yield _at(rule.where, f"the same conditions as rule {seen[steps]!r}", "keep one of the two")
        seen.setdefault(steps, rule.id)


def _compiles(pack: Pack) -> Iterator[Problem]:
    try:
        compile_pack(pack)
    except OperatorError as error:
        what, _, help = str(error).partition("\nhelp: ")
        yield Problem("pack.yaml", 1, 1, what, help or "mend the rule that asks for it")
