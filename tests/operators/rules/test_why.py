"""Why a rule hit, or how near it came: what each condition says of itself."""

from collections.abc import Callable, Iterable

import pytest

from operators.rules import why
from operators.rules.judge import Judge
from operators.rules.why import Reason
from operators.testing import call

Compiled = Callable[..., Judge]
RULE = """
when:
  all:
    - {regex: {pattern: '还.{0,3}钱'}, role: agent, as: asked}
    - {tag: {any: [a_insult], at_least: 0.5}, role: agent, as: rude}
unless: {keyword: {any: [抱歉]}, role: agent}
"""


def flat(reasons: Iterable[Reason]) -> list[Reason]:
    return [found for reason in reasons for found in (reason, *flat(reason.parts))]


def named(reasons: Iterable[Reason], name: str) -> Reason:
    return next(reason for reason in flat(reasons) if reason.name == name)


def test_a_hit_shows_what_made_it(compiled: Compiled) -> None:
    reasons = compiled({"r": RULE}).explain(call("A 还我钱 {a_insult:0.8} | C 嗯 {}"), "r")
    assert [(reason.condition, reason.truth) for reason in reasons] == [
        ("hits if", "true"),
        ("unless", "false"),
    ]
    assert [(found.turn, found.words) for found in named(reasons, "asked").found] == [(0, "还我钱")]
    assert named(reasons, "rude").found[0].value == pytest.approx(0.8)


def test_a_miss_says_how_near_it_came(compiled: Compiled) -> None:
    judge = compiled({"r": RULE})
    reasons = judge.explain(
        call("A 您好 {a_insult:0.1} | A 你可真行 {a_insult:0.44} | C 还你钱 {a_insult:0.9}"), "r"
    )
    assert reasons[0].truth == "false"
    assert named(reasons, "rude").note == "nearest: turn 1 agent: 你可真行 = 0.44; at_least is 0.5"
    assert named(reasons, "asked").note == "nearest: turn 2 customer: 还你钱; another speaker"
    far = judge.explain(call("A 您好 {} | C 嗯 {}", tag_labels=("a_insult",)), "r")
    assert named(far, "rude").note == "", "the control: a score of nothing is no near miss"


def test_a_hit_outside_the_window_is_named(compiled: Compiled) -> None:
    rule = """
when: {keyword: {any: [工号]}, role: agent, as: number, scope: {first_turns: 1, of: agent}}
"""
    reasons = compiled({"r": rule}).explain(call("A 您好 | C 嗯 | A 工号三零七"), "r")
    inside = [reason for reason in flat(reasons) if reason.condition.startswith("keyword")]
    assert [reason.note for reason in inside] == ["only outside the window: turn 2 agent: 工号"]


def test_an_anchor_that_never_came_and_a_call_without_tags(compiled: Compiled) -> None:
    rule = """
when:
  absent: {keyword: {any: [热线]}, role: agent}
  scope: {after: complaint, turns: 2, of: agent}
  as: silent
define: {complaint: {keyword: {any: [投诉]}, role: customer}}
"""
    judge = compiled({"r": rule, "t": RULE})
    silent = named(judge.explain(call("A 您好 | C 嗯"), "r"), "silent")
    assert (silent.truth, silent.note) == ("false", "nothing opened the window")
    assert silent.parts[0].name == "complaint" and silent.parts[0].truth == "false"
    rude = named(judge.explain(call("A 还钱"), "t"), "rude")
    assert (rude.truth, rude.note) == ("unknown", "the call has no tag scores")


def test_counts_say_how_many_there_were(compiled: Compiled) -> None:
    rule = "when: {keyword: {any: [喂]}, count: 3, as: calls}"
    reason = named(compiled({"r": rule}).explain(call("A 喂 | C 喂"), "r"), "calls")
    assert (reason.condition, reason.note) == ("found at least 3 times", "found 2")
    assert why.as_dict(reason)["parts"][0]["found"][0]["words"] == "喂"


def test_a_rule_that_is_not_there(compiled: Compiled) -> None:
    with pytest.raises(KeyError):
        compiled({"r": RULE}).explain(call("A 您好"), "s")


def test_a_rule_out_of_force_says_so(compiled: Compiled) -> None:
    judge = compiled({"r": "effective_to: 2026-01-31\nwhen: {keyword: {any: [喂]}}"})
    late = judge.explain(call("A 喂", {"call_start_local": "2026-02-01T09:00:00+08:00"}), "r")
    assert late[0].truth == "false" and late[0].parts[0].condition == "in force to 2026-01-31"
    assert judge.explain(call("A 喂"), "r")[0].truth == "true", "the control: the day is not known"
