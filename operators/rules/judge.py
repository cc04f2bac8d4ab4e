"""Judges a pack over a table: verdicts as columns, and for each call the findings, items and score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from operators.chain import Plan
from operators.rules import tree, why
from operators.rules.explain import Evidence, Explainer
from operators.rules.pack import Item, Pack
from operators.rules.program import Program, Run
from operators.rules.results import TRUE
from operators.rules.why import Reason
from operators.table import CallTable, Int8

VERDICTS = ("not_applicable", "pass", "unknown", "hit")
"""From best to worst; ``Verdicts.verdict`` holds indexes into it."""

NOT_APPLICABLE, PASS, UNDECIDED, HIT = range(4)
_OF_TRUTH = np.array([PASS, UNDECIDED, HIT], np.int8)
_OF_GATE = np.array([NOT_APPLICABLE, UNDECIDED, HIT], np.int8)
FULL_SCORE = 100.0


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """The verdict of every rule for every call."""

    rules: tuple[str, ...]
    verdict: Int8
    """[R, C] index into VERDICTS."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule that hit a call, or could not be decided for it, and why."""

    rule: str
    item: str
    title: str
    verdict: str
    severity: str
    score: float
    why: str
    instead: str
    turns: tuple[int, ...]
    start_ms: int | None
    end_ms: int | None
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {**self.__dict__, "turns": list(self.turns), "reasons": list(self.reasons)}
        return {**plain, "evidence": [entry.as_dict() for entry in self.evidence]}


@dataclass(frozen=True, kw_only=True)
class ItemVerdict:
    """The worst verdict among an item's rules, and how severe it is."""

    verdict: str
    severity: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Everything a pack says about one call."""

    call_id: str
    score: float
    items: Mapping[str, ItemVerdict]
    verdicts: Mapping[str, str]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "call_id": self.call_id,
            "score": self.score,
            "items": {name: dict(item.__dict__) for name, item in self.items.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }


class Judge:
    """A compiled pack; judging does not change it, so one serves any number of threads."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.rules: tuple[tree.Rule, ...] = tuple(pack.rules.values())
        self._program = Program()
        for rule in self.rules:
            for node in (rule.gate, rule.when, rule.unless):
                if node is not None:
                    self._program.add(node)
        self._plan = Plan(self._program.uses())

    def labels_needed(self) -> dict[str, tuple[str, ...]]:
        """Operator → every label that the pack's uses of it name in a list ``any`` (tags, emotions)."""
        labels: dict[str, set[str]] = {}
        for use in self._plan.uses:
            if use.operator.name in ("tag", "emotion"):
                labels.setdefault(use.operator.name, set()).update(use.params.get("any") or ())
        return {name: tuple(sorted(found)) for name, found in labels.items()}

    def verdicts(self, table: CallTable) -> Verdicts:
        """The verdict of every rule for every call of ``table``, without evidence."""
        return self._verdicts(Run(self._program, self._plan, table))

    def judge(self, table: CallTable) -> list[Judgement]:
        """One judgement for each call of ``table``, in order; independent of which calls share the table."""
        run = Run(self._program, self._plan, table)
        verdict = self._verdicts(run).verdict
        explainer = Explainer(run)
        return [self._judgement(explainer, verdict[:, call], call) for call in range(table.n_calls)]

    def explain(self, table: CallTable, rule: str, call: int = 0) -> tuple[Reason, ...]:
        """Why ``rule`` came to its verdict for one call, condition by condition.

        Raises:
            KeyError: the pack has no such rule.
        """
        return why.explain(Run(self._program, self._plan, table), self.pack.rules[rule], call)

    def _verdicts(self, run: Run) -> Verdicts:
        rows = [_verdict(rule, run) for rule in self.rules]
        shape = (len(rows), run.table.n_calls)
        matrix = np.array(rows, np.int8).reshape(shape)
        return Verdicts(rules=tuple(rule.id for rule in self.rules), verdict=matrix)

    def _judgement(self, explainer: Explainer, verdict: Int8, call: int) -> Judgement:
        noted = [(rule, int(v)) for rule, v in zip(self.rules, verdict, strict=True) if v >= UNDECIDED]
        noted.sort(key=lambda pair: (-pair[1], tree.SEVERITIES.index(pair[0].severity), pair[0].id))
        hit = [rule for rule, v in noted if v == HIT]
        run = explainer.run
        return Judgement(
            call_id=explainer.run.table.call_ids[call],
            score=score(self.pack.items, [(rule, _points(run, rule, call)) for rule in hit]),
            items=self._items(verdict),
            verdicts={rule.id: VERDICTS[v] for rule, v in zip(self.rules, verdict, strict=True)},
            findings=tuple(_finding(explainer, rule, call, VERDICTS[v]) for rule, v in noted),
        )

    def _items(self, verdict: Int8) -> dict[str, ItemVerdict]:
        worst: dict[str, ItemVerdict] = {}
        for item in self.pack.items.values():
            of_item = [(int(v), r) for v, r in zip(verdict, self.rules, strict=True) if r.item == item.id]
            if not of_item:
                continue
            top = max(v for v, _ in of_item)
            severities = [rule.severity for v, rule in of_item if v == top == HIT]
            severity = min(severities, key=tree.SEVERITIES.index, default=item.severity)
            worst[item.id] = ItemVerdict(verdict=VERDICTS[top], severity=severity)
        return worst


def compile_pack(pack: Pack) -> Judge:
    """A judge for ``pack``, whose conditions carry their operators.

    Raises:
        OperatorError: an operator refuses what a rule asks of it.
    """
    return Judge(pack)


def score(items: Mapping[str, Item], points: Sequence[tuple[tree.Rule, float]]) -> float:
    """The score of a call from the points of the rules that hit it, from 0 to 100; 0 where one has a veto.

    An item counts its largest deduction, at most ``max_deduction``, and its largest reward, times ``weight``.
    """
    if any(rule.veto for rule, _ in points):
        return 0.0
    total = FULL_SCORE
    for item in items.values():
        of_item = [value for rule, value in points if rule.item == item.id]
        worst, best = min(of_item, default=0.0), max(of_item, default=0.0)
        total += item.weight * (max(min(worst, 0.0), -item.max_deduction) + max(best, 0.0))
    return min(max(total, 0.0), FULL_SCORE)


def _points(run: Run, rule: tree.Rule, call: int) -> float:
    """What a rule that hits ``call`` costs or earns; an absence without an anchor is one thing found."""
    if not rule.score_per_hit:
        return rule.score
    found = max(int((run.result(rule.when).rows.frame == call).sum()), 1)
    points = rule.score_per_hit * found
    return points if rule.cap is None else min(max(points, -rule.cap), rule.cap)


def _verdict(rule: tree.Rule, run: Run) -> Int8:
    gate = None if rule.gate is None else run.result(rule.gate)
    if gate is not None and not gate.truth.any():
        return np.full(len(gate.truth), NOT_APPLICABLE, np.int8)
    when = run.result(rule.when)
    truth = when.truth
    if rule.unless is not None and not when.silent:
        truth = np.minimum(truth, TRUE - run.result(rule.unless).truth)
    verdict: Int8 = _OF_TRUTH[truth]
    return verdict if gate is None else np.where(gate.truth == TRUE, verdict, _OF_GATE[gate.truth])


def _finding(explainer: Explainer, rule: tree.Rule, call: int, verdict: str) -> Finding:
    evidence = explainer.evidence(rule, call) if verdict == "hit" else ()
    times = [
        (e.start_ms, e.end_ms)
        for e in evidence
        if e.start_ms is not None and e.end_ms is not None and e.holds
    ]
    return Finding(
        rule=rule.id, item=rule.item, title=rule.title, verdict=verdict, severity=rule.severity,
        score=_points(explainer.run, rule, call) if verdict == "hit" else 0.0,
        why=rule.why, instead=rule.instead,
        turns=tuple(sorted({e.turn for e in evidence if e.turn is not None and e.holds})),
        start_ms=min((start for start, _ in times), default=None),
        end_ms=max((end for _, end in times), default=None),
        evidence=evidence,
        reasons=explainer.reasons(rule, call) if verdict == "unknown" else (),
    )  # fmt: skip
