"""Runs the cases beside the rules: small calls that a rule must hit, must leave alone, or cannot decide.

A case file ``<rule>.cases.yaml`` is a list. Each entry holds one of ``hit``, ``ok``,
``unknown``, ``na`` with a call in the notation of ``operators.testing``, and may hold ``marks`` (one ``x``
or ``.`` a turn: the turns of the finding), ``meta``, and for an ``ok`` ``near``: what makes this near miss
harmless. An entry with ``meta`` alone sets it for all entries below. Tag scores exist in a case when it
writes any (``{}`` will do), emotion scores likewise.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from operators.rules.judge import Judge, Judgement, compile_pack
from operators.rules.pack import Pack, find_folder, load_pack
from operators.rules.reader import Problem, Source, read_text, read_yaml
from operators.spec import Registry
from operators.table import CallTable
from operators.testing import call

KINDS = {"hit": "hit", "ok": "pass", "unknown": "unknown", "na": "not_applicable"}
"""Key of an entry → the verdict it asks for."""

KEYS = (*KINDS, "marks", "meta", "near")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One entry of a case file."""

    rule: str
    kind: str
    script: str
    marks: str
    near: str
    meta: Mapping[str, Any]
    file: str
    line: int


@dataclass(frozen=True, kw_only=True)
class CaseReport:
    """What running the cases of a pack gave."""

    pack: str
    counts: Mapping[str, int]
    failures: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether every case came out as written."""
        return not self.failures

    def __str__(self) -> str:
        counted = ", ".join(f"{self.counts.get(kind, 0)} {kind}" for kind in KINDS)
        return "\n".join([*map(str, self.failures), f"{self.pack}: {counted}; {len(self.failures)} failed"])


def run(name_or_path: str | Path, registry: Registry) -> CaseReport:
    """Judge every case of a pack.

    Raises:
        RulesError: the pack cannot be loaded.
    """
    pack = load_pack(name_or_path, registry)
    problems: list[Problem] = []
    cases = read_cases(find_folder(name_or_path), pack.rules, problems)
    judge = compile_pack(pack)
    failures = [*problems, *(f for case in cases if (f := _failure(judge, pack, case)) is not None)]
    counts = Counter(case.kind for case in cases)
    return CaseReport(pack=pack.id, counts=counts, failures=tuple(failures))


def read_cases(folder: Path, rules: Iterable[str], problems: list[Problem]) -> list[Case]:
    """The cases of ``rules``, problems of their files added to ``problems``."""
    found: list[Case] = []
    for rule in rules:
        file = f"{rule}.cases.yaml"
        if not (folder / file).is_file():
            problems.append(Problem(file, 1, 1, f"rule {rule!r} has no cases", f"write {file} beside it"))
            continue
        text = read_text(folder / file, file, problems)
        if text is not None:
            source, root = read_yaml(text, file, problems)
            found += _CaseFile(source, rule).read(root) if root is not None else []
    return found


@dataclass
class _CaseFile:
    source: Source
    rule: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    def read(self, root: yaml.Node) -> list[Case]:
        return [case for entry in self.source.sequence(root) if (case := self._case(entry)) is not None]

    def _case(self, node: yaml.Node) -> Case | None:
        keys = self.source.mapping(node, KEYS)
        meta = self.source.typed(keys["meta"][1], dict, "meta") if "meta" in keys else {}
        if set(keys) == {"meta"}:
            self.meta = meta or {}
            return None
        kinds = [key for key in keys if key in KINDS]
        if len(kinds) != 1:
            self.source.complain(
                node, f"a case with {len(kinds)} expectations", f"give one of {', '.join(KINDS)}"
            )
            return None
        texts = {
            key: self.source.text(keys[key][1], key) if key in keys else ""
            for key in (kinds[0], "marks", "near")
        }
        mark = node.start_mark
        return Case(
            rule=self.rule, kind=kinds[0], script=texts[kinds[0]], marks=texts["marks"], near=texts["near"],
            meta={**self.meta, **(meta or {})}, file=self.source.file, line=mark.line + 1 if mark else 1,
        )  # fmt: skip


def table_of(case: Case, labels: Mapping[str, tuple[str, ...]]) -> CallTable:
    """The call of a case; with scores for all ``labels`` of a kind when it writes any of that kind.

    Raises:
        ValueError: the script cannot be read.
    """
    bare = call(case.script, case.meta)
    tags = tuple(sorted({*labels.get("tag", ()), *bare.tag_labels})) if "{" in case.script else None
    emotions = (
        tuple(sorted({*labels.get("emotion", ()), *bare.emotion_labels})) if "(" in case.script else None
    )
    return call(case.script, case.meta, tag_labels=tags, emotion_labels=emotions)


def _failure(judge: Judge, pack: Pack, case: Case) -> Problem | None:
    try:
        table = table_of(case, judge.labels_needed())
    except ValueError as error:
        return Problem(case.file, case.line, 1, str(error).partition("\n")[0], "mend the script of the case")
    (judgement,) = judge.judge(table)
    wanted, got = KINDS[case.kind], judgement.verdicts[case.rule]
    if got != wanted:
        why = _because(judgement, case)
        what = f"{case.kind} case of {case.rule!r}: the verdict is {got}, not {wanted}{why}"
        return Problem(case.file, case.line, 1, what, f"mend the rule or the case: {case.script}")
    if case.marks:
        turns = next((f.turns for f in judgement.findings if f.rule == case.rule), ())
        marks = "".join("x" if turn in turns else "." for turn in range(table.n_turns))
        if marks != case.marks:
            what = f"{case.kind} case of {case.rule!r}: the finding marks {marks}, not {case.marks}"
            return Problem(
                case.file, case.line, 1, what, f"mend the rule's evidence or the marks: {case.script}"
            )
    return None


def _because(judgement: Judgement, case: Case) -> str:
    found = next((f for f in judgement.findings if f.rule == case.rule), None)
    if found is None:
        return ""
    seen = [f"{e.condition or e.operator}={e.words or e.value!r}" for e in found.evidence if e.holds]
    return f" ({'; '.join([*found.reasons, *seen][:4])})"
