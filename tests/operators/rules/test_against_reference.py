"""The judge and the slow reading of the page agree on random rules over random calls.

EARSHOT_REFERENCE_EXAMPLES sets how many packs are tried (200 when unset).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.rules.frames import CALL, ROW
from operators.rules.judge import Judge, compile_pack
from operators.rules.pack import load_pack
from operators.rules.program import Run
from operators.rules.results import TRUE
from operators.spec import Registry
from operators.table import CallTable
from operators.testing import call
from tests.operators.rules.reference import NEVER, Hit, Reading

EXAMPLES = int(os.environ.get("EARSHOT_REFERENCE_EXAMPLES", "200"))
SETTINGS = settings(
    max_examples=EXAMPLES, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
RULES = 4
Condition = dict[str, Any]
Call = tuple[str, str | None, str | None, tuple[str, ...] | None]
Conditions = st.SearchStrategy[Condition]
NO_KEYS: Condition = {}
NAMES = st.sampled_from(["a", "b", "c"])
ROLE = st.sampled_from(["agent", "customer"])
DAY = st.sampled_from(["2026-01-01", "2026-02-01"])
FEW = st.integers(0, 2)
MS = st.sampled_from([0, 500, 1000, 3000])
ROLED: Conditions = st.one_of(st.just(NO_KEYS), st.fixed_dictionaries({"role": ROLE}))


def bare(condition: Condition) -> Condition:
    """A condition without what a scope or count would stand beside."""
    return {key: value for key, value in condition.items() if key not in ("scope", "count")}


def leaves() -> Conditions:
    words = st.lists(st.sampled_from("甲乙丙"), min_size=1, max_size=2, unique=True)
    heads = st.one_of(
        words.map(lambda any_: {"keyword": {"any": any_}}),
        words.map(lambda any_: {"keyword": {"any": any_}}),
        st.sampled_from("pq").map(lambda tag: {"tag": {"any": [tag]}}),
        st.just({"silence": {"at_least_ms": 1000}}),
        st.sampled_from(["x", "y"]).map(lambda v: {"meta": {"field": "f", "cmp": "eq", "value": v}}),
    )
    return st.builds(lambda head, role: {**head, **role}, heads, ROLED)


def scopes() -> Conditions:
    of: Conditions = st.one_of(st.just(NO_KEYS), st.fixed_dictionaries({"of": ROLE}))
    turns = st.builds(lambda n, of: {"turns": n, **of}, FEW, of)
    limit = st.one_of(turns, MS.map(lambda n: {"ms": n}))
    maybe: Conditions = st.one_of(st.just(NO_KEYS), limit)
    hit: Conditions = st.one_of(
        st.just(NO_KEYS),
        st.sampled_from(["first", "last", "any", "each", 1, 2, -1, -2]).map(lambda h: {"hit": h}),
    )
    until: Conditions = st.one_of(st.just(NO_KEYS), st.just(NO_KEYS), NAMES.map(lambda name: {"until": name}))
    return st.one_of(
        st.builds(lambda k, n, of: {k: n, **of}, st.sampled_from(["first_turns", "last_turns"]), FEW, of),
        st.builds(lambda k, n: {k: n}, st.sampled_from(["first_ms", "last_ms"]), MS),
        st.builds(
            lambda k, n: {k: n},
            st.sampled_from(["first_percent", "last_percent"]),
            st.sampled_from([10, 33, 50]),
        ),
        st.builds(lambda a, h, n, u: {"after": a, **h, **n, **u}, NAMES, hit, maybe, until),
        st.builds(lambda a, h, n: {"before": a, **h, **n}, NAMES, hit, maybe),
        st.builds(lambda a, h, n: {"around": a, **h, **n}, NAMES, hit, limit),
        st.builds(lambda a, h: {"same_turn": a, **h}, NAMES, hit),
    )


def counts() -> st.SearchStrategy[Any]:
    bounds = st.one_of(
        st.builds(lambda n: {"at_least": n}, st.integers(1, 3)),
        st.builds(lambda n: {"at_most": n}, FEW),
        st.builds(lambda n, m: {"at_least": n, "at_most": n + m}, FEW, FEW),
        st.builds(lambda n, ms: {"at_least": n, "within_ms": ms}, st.integers(1, 3), MS),
    )
    distinct = st.sampled_from([{}, {"distinct": "turn"}])
    return st.one_of(st.integers(0, 3), st.builds(lambda b, d: {**b, **d}, bounds, distinct))


def findable(anchored: bool) -> Conditions:
    """Conditions that have hits; with scopes where anchors are ``anchored``."""

    def larger(inner: Conditions) -> Conditions:
        some = st.lists(inner, min_size=1, max_size=3)
        limits = st.sampled_from([{}, {}, {"within_turns": 0}, {"within_turns": 1}, {"within_ms": 1000}])
        heads = [
            st.builds(lambda of, role: {"any": of, **role}, some, ROLED),
            st.builds(lambda of: {"at_least": {"n": 1 + len(of) // 2, "of": of}}, some),
            st.builds(
                lambda of, lim: {"seq": {"of": of, **lim}}, st.lists(inner, min_size=2, max_size=3), limits
            ),
            st.builds(lambda c, n: {**c, "count": n}, inner.map(bare), counts()),
        ]
        if anchored:
            plain = inner.map(bare)
            heads += [st.builds(lambda c, s: {**c, "scope": s}, plain, scopes())] * 3
            heads.append(NAMES.map(lambda name: {"ref": name}))
        return st.one_of(*heads)

    return st.recursive(leaves(), larger, max_leaves=4)


def conditions() -> Conditions:
    base = findable(anchored=True)

    def larger(inner: Conditions) -> Conditions:
        some = st.lists(inner, min_size=1, max_size=3)
        plain = inner.map(bare)
        return st.one_of(
            st.builds(lambda key, of: {key: of}, st.sampled_from(["all", "any"]), some),
            inner.map(lambda c: {"not": c}),
            st.builds(lambda c, s: {"absent": c, "scope": s}, plain, scopes()),
            inner.map(lambda c: {"absent": c}),
            st.builds(lambda of, s: {"all": of, "scope": s}, some, scopes()),
            st.builds(lambda c, s: {"not": c, "scope": s}, inner, scopes()),
        )

    return st.recursive(base, larger, max_leaves=4)


def rules() -> st.SearchStrategy[list[Condition]]:
    defined = st.fixed_dictionaries({name: findable(anchored=False) for name in "abc"})
    asked = {"gate": conditions(), "unless": conditions()}
    period = {"effective_from": DAY, "effective_to": st.just("2026-03-01")}
    parts = st.fixed_dictionaries({"when": conditions(), "define": defined}, optional=asked | period)
    return st.lists(parts, min_size=RULES, max_size=RULES)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Script, field f, day and tag labels of a call of up to seven rows: overlapping, gapped or untimed."""
    timed, tagged = (
        draw(st.sampled_from([True, True, True, False])),
        draw(st.sampled_from([True, True, False])),
    )
    at, rows = 0.0, []
    for _ in range(draw(st.integers(0, 7))):
        start = max(at + draw(st.integers(-8, 25)) / 10, 0.0)
        text = draw(st.text("甲乙丙丁", min_size=1, max_size=4))
        tags = draw(st.sampled_from(["", " {p:0.9}", " {q:0.9}", " {p:0.9,q:0.8}"])) if tagged else ""
        span = f"{start:.1f}-{start + 1:.1f} " if timed else ""
        rows.append((start, f"{draw(st.sampled_from('ACAC'))} {span}{text}{tags}"))
        at = start + 1
    script = " | ".join(text for _, text in sorted(rows, key=lambda row: row[0]))
    day = draw(st.sampled_from([None, "2026-01-31T23:00:00+08:00", "2026-02-01", "2026-03-02T00:10:00"]))
    return script, draw(st.sampled_from(["x", "y", None])), day, ("p", "q") if tagged else None


def found_by(judge: Judge, table: CallTable) -> dict[str, set[Hit]]:
    """What the ``when`` of each rule found in the one call of ``table``."""
    run = Run(judge._program, judge._plan, table)
    answers = {}
    for rule in judge.rules:
        result = run.result(rule.when)
        rows = result.rows
        answers[rule.id] = {
            Hit(place(b), place(e), int(s), int(t))
            for b, e, s, t in zip(rows.p0, rows.p1, rows.start_ms, rows.end_ms, strict=True)
        } if result.truth[0] == TRUE else set()  # fmt: skip
    return answers


def place(position: int) -> tuple[int, int]:
    last = (1 << ROW) - 1
    row, char = ((int(position) & ((1 << CALL) - 1)) >> ROW) - 1, int(position) & last
    return row, NEVER if char == last else char


@SETTINGS
@given(rules(), st.lists(calls(), min_size=1, max_size=3))
def test_the_judge_reads_the_page(
    write_pack: Callable[..., Path],
    registry: Registry,
    pack: list[Condition],
    scripts: list[Call],
) -> None:
    named = {f"r{n}": rule for n, rule in enumerate(pack)}
    named["r3"] = {**named["r3"], "when": {"any": [{"block": "r0"}, named["r3"]["when"]]}}
    bodies = {name: "\n".join(f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in rule.items())
              for name, rule in named.items()}  # fmt: skip
    judge = compile_pack(load_pack(write_pack(bodies), registry))
    for script, field, day, labels in scripts:
        table = call(script, {"f": field, "call_start_local": day}, tag_labels=labels)
        reading = Reading(named, table, registry)
        (judgement,) = judge.judge(table)
        assert judgement.verdicts == {name: reading.verdict(name) for name in named}
        assert found_by(judge, table) == {name: set(reading.root(name, "when").hits) for name in named}
