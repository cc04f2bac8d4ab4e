"""Why a rule came to its verdict for a call: every condition, and the nearest miss where one fails."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from operators.chain import Plan
from operators.rules import tree
from operators.rules.explain import Evidence, Explainer, shown
from operators.rules.program import Run
from operators.rules.results import FALSE, TRUE, UNKNOWN
from operators.spec import OperatorError

TRUTHS = {FALSE: "false", UNKNOWN: "unknown", TRUE: "true"}
MOST_SHOWN = 5
_RELAXED: Mapping[str, Any] = {"at_least": 0.0, "at_least_ms": 0, "gt_ms": -1, "gt_chars_per_min": 0}
"""Limits, and the value that lets everything pass: what then is found is the nearest miss."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One condition of a rule, judged for one call, and the conditions below it."""

    condition: str
    """What is asked, in words."""
    truth: str
    """``true``, ``false``, ``unknown``, or ``unasked`` where nothing opened the window it stands in."""
    name: str = ""
    found: tuple[Evidence, ...] = ()
    """Its hits, the first MOST_SHOWN."""
    note: str = ""
    """Why it is unknown, or how near it came."""
    parts: tuple["Reason", ...] = ()


def explain(run: Run, rule: tree.Rule, call: int) -> tuple[Reason, ...]:
    """The reasons of ``gate``, ``when`` and ``unless``, those that the rule has, for call ``call``."""
    walk = _Walk(run, call)
    roots = (("applies if", rule.gate), ("hits if", rule.when), ("unless", rule.unless))
    return tuple(
        Reason(
            condition=word,
            truth=TRUTHS[int(run.result(root).truth[call])],
            parts=(walk.reason(root, 0, call),),
        )
        for word, root in roots
        if root is not None
    )


class _Walk:
    def __init__(self, run: Run, call: int) -> None:
        self._run, self._call = run, call
        self._explainer = Explainer(run)

    def reason(self, node: tree.Node, within: int, frame: int) -> Reason:
        """The reason of one condition in one frame."""
        result = self._run.result(node, within)
        truth = int(result.truth[frame])
        made = Reason(condition=describe(node), truth=TRUTHS[truth], name=node.name)
        if isinstance(node, tree.Leaf):
            return self._leaf(made, node, within, frame, truth)
        if isinstance(node, tree.Scoped):
            return self._scoped(made, node, within, frame)
        parts = tuple(self.reason(child, within, frame) for child in tree.children_of(node))
        found = (
            "" if not isinstance(node, tree.Count) else f"found {self._hits_in(node.child, within, frame)}"
        )
        return replace(made, parts=parts, note=found)

    def _hits_in(self, node: tree.Node, within: int, frame: int) -> int:
        return int((self._run.result(node, within).rows.frame == frame).sum())

    def _leaf(self, made: Reason, node: tree.Leaf, within: int, frame: int, truth: int) -> Reason:
        if truth == TRUE:
            return replace(made, found=tuple(self._explainer.hits(node, within, frame))[:MOST_SHOWN])
        if truth == UNKNOWN:
            return replace(
                made, note=self._run.evidence.why_unknown(self._run.plan.id_of(node.use), self._call)
            )
        return replace(made, note=self._nearest(node, within))

    def _nearest(self, node: tree.Leaf, within: int) -> str:
        """How near a false leaf came: outside the window, by another role, or below its limit."""
        if within and self._run.result(node).truth[self._call] == TRUE:
            elsewhere = next(iter(self._explainer.hits(node, 0, self._call)))
            return f"only outside the window: {told(elsewhere)}"
        params = dict(node.use.params)
        for name, value in {**_RELAXED, "role": "any"}.items():
            if name in params and params[name] != value:
                best = self._best(node, {**params, name: value})
                if best is not None:
                    asked = "another speaker" if name == "role" else f"{name} is {params[name]}"
                    return f"nearest: {told(best)}; {asked}"
        return ""

    def _best(self, node: tree.Leaf, params: Mapping[str, Any]) -> Evidence | None:
        """The hit of the largest value that the relaxed use has in this call."""
        try:
            use = replace(
                node.use, params=params, key=f"{node.use.key} relaxed {sorted(map(str, params.items()))}"
            )
            evidence = Plan([use]).evaluate(self._run.table)
        except OperatorError:
            return None
        rows = np.flatnonzero(evidence.hits.call == self._call)
        if not len(rows):
            return None
        values = np.nan_to_num(evidence.hits.value[rows])
        best = int(rows[np.argmax(values)])
        if values.max() <= 0:
            return None
        return self._explainer.told(node, evidence.hits, best)

    def _scoped(self, made: Reason, node: tree.Scoped, within: int, frame: int) -> Reason:
        result, window = self._run.result(node, within), node.window
        anchor = () if window.anchor is None else (self.reason(window.anchor, within, frame),)
        if result.inner is None:
            return replace(made, parts=anchor, note="nothing opened the window")
        windows = np.flatnonzero(result.inner.parent == frame)
        if not len(windows):
            note = "nobody had a turn in it" if node.chance else "nothing opened the window"
            return replace(made, parts=anchor, note=note)
        inner = self._run.inner_id(node, within)
        inside = [self.reason(node.child, inner, int(number)) for number in windows[:MOST_SHOWN].tolist()]
        more = len(windows) - len(inside)
        return replace(made, parts=(*anchor, *inside), note=f"{more} more windows" if more else "")


def told(found: Evidence) -> str:
    """One hit in words: where, who, what was said, and the measured value where that says more."""
    where = f"turn {found.turn} {found.role}" if found.turn is not None else f"at {found.start_ms} ms"
    value = "" if found.value is None or found.operator in ("keyword", "regex") else f" = {found.value:.4g}"
    return f"{where}: {found.words or '—'}{value}"


def describe(node: tree.Node) -> str:
    """A condition in words, without the conditions below it."""
    if isinstance(node, tree.Leaf):
        values = ", ".join(f"{name}: {_brief(value)}" for name, value in shown(node).items())
        role = f", role: {node.role}" if node.role else ""
        return f"{node.use.operator.name} {{{values}{role}}}"
    if isinstance(node, tree.Period):
        ends = (("from", node.first), ("to", node.last))
        return " ".join(["in force", *(f"{word} {day}" for word, day in ends if day)])
    if isinstance(node, tree.AtLeast):
        return "any of" if node.n == 1 else f"at least {node.n} of"
    if isinstance(node, tree.Count):
        most = "" if node.at_most is None else f", at most {node.at_most}"
        near = "" if node.within_ms is None else f" within {node.within_ms} ms"
        return f"found at least {node.at_least} times{most}{near}{', by turns' if node.turns else ''}"
    if isinstance(node, tree.Seq):
        limits = (("turns", node.within_turns), ("ms", node.within_ms))
        near = "".join(f", each within {value} {unit}" for unit, value in limits if value is not None)
        return f"one after the other{near}"
    if isinstance(node, tree.Scoped):
        return _scope(node)
    return "all of" if isinstance(node, tree.All) else "not"


def _scope(node: tree.Scoped) -> str:
    window = node.window
    said = "never" if isinstance(node.child, tree.Not) and node.chance else "somewhere"
    if window.kind == "call":
        return f"{said} in the call"
    if window.anchor is None:
        return f"{said} in {window.kind}: {window.n}{f' of {window.of}' if window.of else ''}"
    limits = (("turns", window.turns), ("ms", window.ms))
    near = "".join(f", {value} {unit}" for unit, value in limits if value is not None)
    whose = f" of {window.of}" if window.of else ""
    which = f"hit {window.hit}" if isinstance(window.hit, int) else window.hit
    until = "" if window.until is None else f", until {window.until.name or 'its end'}"
    return f"{said} {window.kind} {which} of {window.anchor.name or 'the anchor'}{near}{whose}{until}"


def _brief(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value[:4]))}{', …' if len(value) > 4 else ''}]"
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def as_dict(reason: Reason) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "condition": reason.condition, "name": reason.name, "truth": reason.truth, "note": reason.note,
        "found": [entry.as_dict() for entry in reason.found],
        "parts": [as_dict(part) for part in reason.parts],
    }  # fmt: skip
