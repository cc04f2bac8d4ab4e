"""Verdicts, evidence and scores of small packs; properties over generated calls."""

from collections.abc import Callable
from itertools import product

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.rules.judge import Judge
from operators.table import CallTable, concat
from operators.testing import call

Compiled = Callable[..., Judge]
TAGS = ("p", "q")

WINDOWS = [
    "{first_turns: 2, of: agent}", "{last_turns: 1}", "{first_ms: 4000}", "{last_ms: 3000}",
    "{after: anchor, hit: last}",
    *(f"{{{kind}: anchor, hit: {hit}{limit}}}" for kind in ("after", "before", "around", "same_turn")
      for hit in ("first", "any", "each")
      for limit in ("", ", turns: 1, of: customer", ", ms: 2000")
      if (kind != "around" or limit) and (kind != "same_turn" or not limit)),
    "{after: anchor, hit: any, until: stop}", "{after: anchor, hit: each, turns: 2, until: stop}",
]  # fmt: skip
DEFINE = """define:
  anchor: {any: [{keyword: {any: [甲]}}, {tag: {any: [p]}}]}
  stop: {any: [{keyword: {any: [丙]}}, {tag: {any: [q]}}]}
  both: {any: [{keyword: {any: [乙]}, role: agent}, {tag: {any: [q]}}]}
"""
EVERY = {f"w{n}": f"{DEFINE}when: {{ref: both, scope: {w}}}" for n, w in enumerate(WINDOWS)}
EVERY |= {f"a{n}": f"{DEFINE}when: {{absent: {{ref: both}}, scope: {w}}}" for n, w in enumerate(WINDOWS)}
EVERY |= {
    "seq": f"{DEFINE}when: {{seq: {{of: [{{ref: anchor}}, {{ref: both}}, {{ref: stop}}], within_turns: 2}}}}",
    "seq_ms": f"{DEFINE}when: {{seq: {{of: [{{ref: anchor}}, {{ref: both}}], within_ms: 3000}}}}",
    "two": DEFINE + "when: {all: [{ref: both, count: {at_least: 2, distinct: turn}}, {not: {ref: stop}}]}",
    "few": f"{DEFINE}when: {{any: [{{ref: anchor}}, {{ref: both}}], count: {{at_most: 2}}}}",
    "near": f"{DEFINE}when: {{all: [{{ref: both}}, {{ref: stop}}], scope: {{around: anchor, turns: 1}}}}",
    "gated": f"{DEFINE}gate: {{ref: stop}}\nwhen: {{ref: both}}\nunless: {{ref: anchor}}",
}


def turn(data: tuple[str, int, str, str]) -> str:
    role, gap, text, tag = data
    return f"{role}|{gap}|{text}|{tag}"


turns = st.lists(
    st.tuples(st.sampled_from("AC"), st.integers(-10, 40), st.text("甲乙丙丁", min_size=1, max_size=3),
              st.sampled_from(["", "p:0.9", "q:0.9", "p:0.9,q:0.9"])),
    min_size=0, max_size=7,
)  # fmt: skip


def table(
    rows: list[tuple[str, int, str, str]], *, tags: bool, times: bool = True, call_id: str = "c"
) -> CallTable:
    at, pieces = 0.0, []
    for role, gap, text, tag in rows:
        start = max(at + gap / 10, 0.0)
        span = f"{start:.1f}-{start + 1:.1f} " if times else ""
        pieces.append((start, f"{role} {span}{text}{f' {{{tag}}}' if tags and tag else ''}"))
        at = start + 1
    script = " | ".join(text for _, text in sorted(pieces, key=lambda piece: piece[0]))
    return call(script, call_id=call_id, tag_labels=TAGS if tags else None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(turns, min_size=1, max_size=4))
def test_a_call_is_judged_the_same_in_any_company(
    compiled: Compiled, calls: list[list[tuple[str, int, str, str]]]
) -> None:
    judge = JUDGES.setdefault("all", compiled(EVERY))
    tables = [table(rows, tags=True, call_id=str(n)) for n, rows in enumerate(calls)]
    together = judge.judge(concat(tables))
    alone = [judge.judge(one)[0] for one in tables]
    assert [j.as_dict() for j in together] == [j.as_dict() for j in alone]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns)
def test_what_is_settled_without_tags_stays_whatever_they_say(
    compiled: Compiled, rows: list[tuple[str, int, str, str]]
) -> None:
    judge = JUDGES.setdefault("all", compiled(EVERY))
    blind = judge.judge(table(rows, tags=False))[0].verdicts
    seeing = judge.judge(table(rows, tags=True))[0].verdicts
    assert {k: v for k, v in blind.items() if v != "unknown"} == {
        k: seeing[k] for k, v in blind.items() if v != "unknown"}  # fmt: skip
    assert "unknown" not in seeing.values()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns)
def test_what_is_settled_without_times_stays_whatever_they_are(
    compiled: Compiled, rows: list[tuple[str, int, str, str]]
) -> None:
    judge = JUDGES.setdefault("all", compiled(EVERY))
    rows = [(role, abs(gap), text, tag) for role, gap, text, tag in rows]
    chat = judge.judge(table(rows, tags=True, times=False))[0].verdicts
    timed = judge.judge(table(rows, tags=True))[0].verdicts
    assert {k: v for k, v in chat.items() if v != "unknown"} == {
        k: timed[k] for k, v in chat.items() if v != "unknown"}  # fmt: skip


JUDGES: dict[str, Judge] = {}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns)
def test_windows_agree_with_a_plain_reading(
    compiled: Compiled, rows: list[tuple[str, int, str, str]]
) -> None:
    """A slow evaluator over characters, written from the reference and not from the code."""
    keys = product(("after", "before"), ("first", "any", "each"), (None, 0, 1, 2))
    names = {(kind, hit, limit): f"{kind}_{hit}_{limit}" for kind, hit, limit in keys}
    rules = {
        name: "define: {a: {keyword: {any: [甲]}}}\n"
        f"when: {{keyword: {{any: [乙]}}, scope: {{{k}: a, hit: {h}"
        f"{'' if n is None else f', turns: {n}'}}}}}"
        for (k, h, n), name in names.items()
    }
    judge = JUDGES.setdefault("plain", compiled(rules))
    got = judge.judge(table(rows, tags=False))[0].verdicts
    for key, name in names.items():
        assert got[name] == ("hit" if plainly(table(rows, tags=False), *key) else "pass"), key


def plainly(one: CallTable, kind: str, hit: str, limit: int | None) -> bool:
    roles = list(one.turn_role)
    talk = [sum(roles[i] != roles[i - 1] for i in range(1, row + 1)) for row in range(len(roles))]
    chars = [(row, at, c) for row in range(len(roles)) for at, c in enumerate(one.turn_text(row))]
    anchors = [(row, at) for row, at, c in chars if c == "甲"]
    words = [(row, at) for row, at, c in chars if c == "乙"]
    anchors = anchors[:1] if hit == "first" else anchors

    def found(a: tuple[int, int]) -> bool:
        later = [w for w in words if (w > a if kind == "after" else w < a)]
        return any(limit is None or abs(talk[w[0]] - talk[a[0]]) <= limit for w in later)

    answers = [found(a) for a in anchors]
    return bool(answers) and (all(answers) if hit == "each" else any(answers))


def test_evidence_is_the_true_path(compiled: Compiled) -> None:
    judge = compiled(
        {
            "r": """
when:
  all:
    - any:
        - {keyword: {any: [欠钱]}, role: agent, as: words}
        - {tag: {any: [t]}, role: agent, as: tagged}
      as: told
    - absent: {keyword: {any: [核实]}, role: agent, as: asked}
      scope: {before: told, hit: first}
      as: unasked
"""
        }
    )
    (judgement,) = judge.judge(call("C 0-1 喂 | A 2-6 你弟弟欠钱 | C 7-8 啊", tag_labels=("t",)))
    (finding,) = judgement.findings
    words, missing = finding.evidence
    assert (words.condition, words.operator, words.turn, words.role, words.words) == (
        "told/words",
        "keyword",
        1,
        "agent",
        "欠钱",
    )
    assert (words.char_start, words.char_end, words.start_ms, words.end_ms) == (3, 5, 4400, 6000)
    assert (missing.condition, missing.holds, missing.turn) == ("unasked/asked", False, None)
    assert (finding.turns, finding.start_ms, finding.end_ms) == ((1,), 4400, 6000)


def test_unknown_says_what_is_missing(compiled: Compiled) -> None:
    judge = compiled({"r": "when: {any: [{tag: {any: [t]}, as: told}, "
                           "{meta: {field: who, cmp: eq, value: x}}, "
                           "{keyword: {any: [a]}, count: {at_least: 2, within_ms: 1000}}]}"})  # fmt: skip
    (judgement,) = judge.judge(call("A a | C a"))
    (finding,) = judgement.findings
    assert finding.verdict == "unknown"
    assert finding.score == 0
    assert any(reason.startswith("told: the call has no tag") for reason in finding.reasons)
    assert any("who" in reason for reason in finding.reasons)
    assert "the call has no times" in finding.reasons


def test_items_and_score(compiled: Compiled) -> None:
    pack = ("id: t\ntitle: t\nversion: '1'\nitems:\n  x: {zh: 甲, class: prohibited, severity: fatal}\n"
            "  y: {zh: 乙, class: service, severity: minor}\n"
            "  z: {zh: 丙, class: service, severity: minor}\n")  # fmt: skip
    rules = {"a": "when: {keyword: {any: [甲]}}", "b": "when: {keyword: {any: [甲, 乙]}}"}
    judge = compiled(rules, pack=pack)
    (judgement,) = judge.judge(call("A 甲"))
    assert judgement.score == 90, "two rules of one item cost once"
    assert {name: item.verdict for name, item in judgement.items.items()} == {"x": "hit"}
    assert judge.judge(call("A 好"))[0].score == 100


def test_veto_takes_everything(compiled: Compiled) -> None:
    judge = compiled({"a": "veto: true\nwhen: {keyword: {any: [甲]}}"})
    assert judge.judge(call("A 甲"))[0].score == 0


def test_common_parts_are_computed_once(compiled: Compiled) -> None:
    part = "{keyword: {any: [甲]}, role: agent, count: {at_least: 2, distinct: turn}"
    judge = compiled({"a": f"when: {part}, as: one}}", "b": f"when: {part}, as: other}}"})
    assert len(judge._program.steps) == 2


def test_an_empty_table_and_a_call_without_turns(compiled: Compiled) -> None:
    judge = compiled(EVERY)
    (judgement,) = judge.judge(call("", tag_labels=TAGS))
    assert judgement.verdicts["w0"] == judgement.verdicts["a0"] == "pass"
    both = concat([call("", tag_labels=TAGS), call("A 甲乙", tag_labels=TAGS)])
    assert judge.verdicts(both).verdict.dtype == np.int8
