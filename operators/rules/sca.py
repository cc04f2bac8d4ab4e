"""Alibaba SCA rule objects to a pack of ours: what can be said is written, what cannot is listed.

The objects are read as the vendor's pages *schema of rule objects* and *OperatorBasicInfo* describe them: a
rule has conditions (``cid``, ``lambda``, ``operators``, ``check_range``), joined by its own ``lambda``.
A rule of which one part cannot be carried over is not written at all, because without that part it would
mean something else. Sentences become turns: theirs are what a recogniser cut, ours all that a side says.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from operators.rules.sca_operators import NotCarried, translate

Json = Mapping[str, Any]
ROLES = {
    "客服": "agent",
    "客户": "customer",
    "agent": "agent",
    "customer": "customer",
    "所有": None,
    "": None,
}
LOCATIONS = {"BEFORE": "before", "AFTER": "after", "AROUND": "around", "CURRENT": "same_turn"}
HIT_TIMES = {1: "first", 0: "each", -1: "any"}
_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|[\w-]+)")


@dataclass
class Imported:
    """What an import came to."""

    files: dict[str, str] = field(default_factory=dict)
    """File name → YAML text of a pack folder."""
    carried: list[str] = field(default_factory=list)
    """One line a rule that was written: which, and what is read differently."""
    left_out: list[str] = field(default_factory=list)
    """One line a rule that was not: which, and every part that stood in the way."""


def read(text: str, pack_id: str = "imported") -> Imported:
    """A pack from SCA's JSON: one rule, a list of rules, or an object with ``rules``.

    Raises:
        NotCarried: the text is no such JSON.
    """
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise NotCarried(f"no JSON: {error}") from None
    rules = root.get("rules", [root]) if isinstance(root, dict) else root
    if not isinstance(rules, list) or not all(
        isinstance(rule, dict) and "conditions" in rule for rule in rules
    ):
        raise NotCarried("no rule objects: each needs `conditions`")
    made, items = Imported(), {}
    for number, rule in enumerate(rules, 1):
        rule_id = f"sca_{_slug(rule.get('rid', number))}"
        title = str(rule.get("name") or rule_id)
        converter = _Rule(rule)
        body = converter.convert()
        if converter.problems:
            made.left_out.append(f"{rule_id} {title}: {'; '.join(dict.fromkeys(converter.problems))}")
            continue
        severity = converter.severity()
        head = {"id": rule_id, "item": rule_id, "title": title, "why": str(rule.get("comments") or title),
                "instead": "…", "severity": severity, "score": converter.score()}  # fmt: skip
        made.files[f"{rule_id}.yaml"] = _dump({**head, **body})
        items[rule_id] = {"zh": title, "class": "prohibited", "severity": severity}
        made.carried.append(f"{rule_id} {title}{_noted(converter.notes)}")
    made.files["pack.yaml"] = _dump(
        {"id": pack_id, "title": "Alibaba SCA", "version": "1.0.0", "items": items}
    )
    return made


def _noted(notes: Sequence[str]) -> str:
    return f" ({'; '.join(dict.fromkeys(notes))})" if notes else ""


def _slug(value: object) -> str:
    return re.sub(r"\W+", "_", str(value)).strip("_").lower() or "rule"


def _dump(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=110)


class _Rule:
    """One rule object on its way; every part that cannot be carried is noted in ``problems``."""

    def __init__(self, rule: Json) -> None:
        self._rule = rule
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._conditions = {str(one.get("cid", n)): one for n, one in enumerate(rule["conditions"])}

    def convert(self) -> dict[str, Any]:
        """``define`` with a name for each condition, ``when`` from the rule's expression, ``evidence``."""
        named = {f"c_{_slug(cid)}": self._condition(cid, one) for cid, one in self._conditions.items()}
        whole = str(self._rule.get("lambda") or "&&".join(self._conditions))
        when = self._expression(whole, lambda cid: {"ref": self._name(cid)}, self._conditions)
        body: dict[str, Any] = {"when": when, "define": named}
        triggers = [str(trigger) for trigger in self._rule.get("triggers") or ()]
        return body | ({"evidence": [self._name(cid) for cid in triggers]} if triggers else {})

    def severity(self) -> str:
        """SCA's importance (1 low to 3 high) as ours."""
        return {1: "minor", 2: "major", 3: "fatal"}.get(int(self._rule.get("level") or 0), "minor")

    def score(self) -> float:
        """The deduction; points that are added cannot be carried."""
        points = float(self._rule.get("scoreNum") or 0)
        return -points if points and int(self._rule.get("scoreType") or 3) == 3 else 0.0

    def _name(self, cid: str) -> str:
        if cid not in self._conditions:
            self.problems.append(f"condition {cid!r} does not exist")
        return f"c_{_slug(cid)}"

    def _condition(self, cid: str, one: Json) -> dict[str, Any]:
        operators = {str(op.get("oid", n)): op for n, op in enumerate(one.get("operators") or ())}
        whole = str(one.get("lambda") or "&&".join(operators))
        scope, role = self._range(one.get("check_range") or {})
        condition = self._expression(whole, lambda oid: self._operator(cid, operators[oid]), operators)
        return condition | ({"role": role} if role else {}) | ({"scope": scope} if scope else {})

    def _operator(self, cid: str, operator: Json) -> dict[str, Any]:
        try:
            made, notes = translate(str(operator.get("type", "")), operator.get("param") or {})
        except NotCarried as error:
            self.problems.append(f"condition {cid}: {error}")
            return {}
        self.notes += notes
        return made

    def _range(self, given: Json) -> tuple[dict[str, Any], str | None]:
        role = str(given.get("role") or "")
        if role not in ROLES:
            self.problems.append(f"role {role!r}")
        if given.get("AllSentencesSatisfy"):
            self.problems.append("AllSentencesSatisfy (every sentence of a range)")
        anchor, span = given.get("anchor") or {}, given.get("range") or {}
        scope = self._anchored(anchor, span) if anchor else self._absolute(span)
        return scope, ROLES.get(role)

    def _anchored(self, anchor: Json, span: Json) -> dict[str, Any]:
        kind, nth = LOCATIONS.get(str(anchor.get("location"))), int(anchor.get("hit_time", 1))
        hit: str | int = HIT_TIMES.get(nth, nth)
        if kind is None or nth < min(HIT_TIMES):
            self.problems.append(f"anchor {dict(anchor)}: only the N-th, any or every hit can be an anchor")
            return {}
        scope: dict[str, Any] = {kind: self._name(str(anchor.get("cid")))}
        if hit != "any":
            scope["hit"] = hit
        reach = max(abs(int(span.get("from", 0))), abs(int(span.get("to", 0))))
        if kind != "same_turn" and reach:
            scope["turns"] = reach
            self.notes.append(f"{reach} sentences read as {reach} turns")
        elif kind == "around":
            self.problems.append("AROUND without a range")
        return scope

    def _absolute(self, span: Json) -> dict[str, Any]:
        low, high = int(span.get("from", 1)), int(span.get("to", -1))
        if not span or (low in (0, 1) and high == -1):
            return {}
        if low in (0, 1) and high > 0:
            self.notes.append(f"the first {high} sentences read as turns")
            return {"first_turns": high}
        if low < 0 and high == -1:
            self.notes.append(f"the last {-low} sentences read as turns")
            return {"last_turns": -low}
        self.problems.append(f"range {dict(span)}: only the first or the last sentences")
        return {}

    def _expression(self, text: str, leaf: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """``&&``, ``||``, ``!`` and parentheses; ``!`` binds closest, then ``&&``."""
        tokens = _TOKEN.findall(text)
        if "".join(tokens) != re.sub(r"\s", "", text) or not tokens:
            self.problems.append(f"expression {text!r} cannot be read")
            return {}
        unknown = [t for t in tokens if t not in ("&&", "||", "!", "(", ")") and t not in known]
        if unknown:
            self.problems.append(f"expression {text!r} names {', '.join(unknown)}, which does not exist")
            return {}
        parser = _Expression(tokens, leaf)
        tree = parser.either()
        if tree is None or parser.tokens:
            self.problems.append(f"expression {text!r} cannot be read")
            return {}
        return tree


class _Expression:
    """A recursive-descent reader of lambda expressions; None where the text breaks off or does not fit."""

    def __init__(self, tokens: Sequence[str], leaf: Any) -> None:
        self.tokens = list(tokens)
        self._leaf = leaf

    def either(self) -> dict[str, Any] | None:
        return self._joined("||", "any", self.both)

    def both(self) -> dict[str, Any] | None:
        return self._joined("&&", "all", self.one)

    def _joined(self, sign: str, head: str, part: Any) -> dict[str, Any] | None:
        parts = [part()]
        while self.tokens[:1] == [sign]:
            self.tokens.pop(0)
            parts.append(part())
        if any(found is None for found in parts):
            return None
        return parts[0] if len(parts) == 1 else {head: parts}

    def one(self) -> dict[str, Any] | None:
        if not self.tokens:
            return None
        token = self.tokens.pop(0)
        if token == "!":
            inner = self.one()
            return None if inner is None else {"not": inner}
        if token == "(":
            inner = self.either()
            return inner if self.tokens[:1] == [")"] and self.tokens.pop(0) else None
        made: dict[str, Any] | None = None if token in ("&&", "||", ")") else self._leaf(token)
        return made
