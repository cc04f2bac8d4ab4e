"""What a rule file may not hold, and that every problem is told with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from operators.rules.judge import Judge
from operators.rules.pack import load_pack
from operators.rules.parse import RulesError
from operators.spec import Registry
from operators.testing import call

WritePack = Callable[..., Path]


def problems(write_pack: WritePack, registry: Registry, **rules: str) -> str:
    with pytest.raises(RulesError) as caught:
        load_pack(write_pack(rules), registry)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("when: {keywod: {any: [a]}}", "did you mean 'keyword'?"),
        ("when: {keyword: {anny: [a]}}", "did you mean 'any'?"),
        ("when: {keyword: {any: [a]}, rolle: agent}", "did you mean 'role'?"),
        ("when: {keyword: {any: [a]}, role: agnet}", "did you mean 'agent'?"),
        ("when: {keyword: {any: [a]}, tag: {any: [b]}}", "one operator or combinator, here: keyword, tag"),
        ("when: {role: agent}", "exactly one operator or combinator, here: none"),
        ("when: {ref: b, role: agent}\ndefine: {b: {keyword: {any: [b]}}}", "`role` has no effect on `ref`"),
        ("when: {keyword: {any: [a]}, scope: {first_percent: 101}}", "more than the whole"),
        ("when: {keyword: {any: [a]}, scope: {after: b, hit: 0}}\ndefine: {b: {keyword: {any: [b]}}}",
         "2 is the second, -1 the last"),
        ("effective_from: 2026-13-01\nwhen: {keyword: {any: [a]}}", "'2026-13-01' is no date"),
        ("effective_from: 2026-02-01\neffective_to: 2026-01-01\nwhen: {keyword: {any: [a]}}", "swap the two"),
        ("score_per_hit: -1\nwhen: {keyword: {any: [a]}}", "both score and score_per_hit"),
        ("cap: 3\nwhen: {keyword: {any: [a]}}", "cap without score_per_hit"),
        ("score_per_hit: -1\ncap: -3\nwhen: {keyword: {any: [a]}}", "give a number from 0 up"),
        ("when: {ref: nobody}", "no condition is called 'nobody'"),
        ("when: {block: nobody}", "no rule 'nobody' in this pack"),
        ("when: {block: r}", "break the circle of blocks"),
        ("when: {ref: a}\ndefine: {a: {not: {ref: a}}}", "'a' leads back to itself"),
        ("when: {all: []}", "an empty list of conditions"),
        ("when: {at_least: {n: 3, of: [{keyword: {any: [a]}}]}}", "at_least 3 of 1"),
        ("when: {seq: [{keyword: {any: [a]}}, {not: {keyword: {any: [b]}}}]}", "has no hits for seq"),
        ("when: {tag: {any: [a], at_least: 2}}", "out of range"),
        ("when: {tag: {}}", "parameter any"),
        ("when: {keyword: {any: [a]}, scope: {first_turns: 1, last_turns: 1}}", "a scope with 2 kinds"),
        ("when: {keyword: {any: [a]}, scope: {first_ms: -1}}", "not a whole number from 0"),
        ("when: {keyword: {any: [a]}, scope: {after: b, turns: 1, ms: 1}}\n"
         "define: {b: {keyword: {any: [b]}}}",
         "limited by turns and by ms"),
        ("when: {keyword: {any: [a]}, scope: {before: b, until: b}}\ndefine: {b: {keyword: {any: [b]}}}",
         "'until' does not go with 'before'"),
        ("when: {regex: {pattern: '(?=a)b'}}", "look-around"),
        ("when: {keyword: {lexicon: [nowhere]}}", "no lexicon 'nowhere'"),
        ("when: {tag: {any: [a], at_least: $nope}}", "unknown parameter $nope"),
        ("when: &a {keyword: {any: [a]}}", "anchors and aliases are refused"),
        ("when: {keyword: {any: [a]}}\nwhen: {keyword: {any: [b]}}", "'when' stands twice"),
        ("evidence: [zz]\nwhen: {keyword: {any: [a]}}", "no condition is called 'zz'"),
        ("when: {keyword: {any: [a]", "not YAML"),
        ("when: " + "[" * 30 + "]" * 30, "nested deeper than 20"),
        ("when: {keyword: {any: [" + "a," * 60_000 + "]}}", "more than 50000 values"),
        ("why2: x\nwhen: {keyword: {any: [a]}}", "unknown key 'why2'"),
    ],
)  # fmt: skip
def test_problem_is_named(body: str, what: str, write_pack: WritePack, registry: Registry) -> None:
    message = problems(write_pack, registry, r=body)
    assert what in message
    assert message.startswith("r.yaml:")
    assert "help: " in message


def test_all_problems_of_all_files_at_once(write_pack: WritePack, registry: Registry) -> None:
    message = problems(
        write_pack,
        registry,
        a="when: {keywod: {any: [a]}}",
        b="when:\n  all:\n    - {tagg: {any: [a]}}\n    - {ref: q}",
    )
    assert "a.yaml:8:8" in message
    assert "b.yaml:10:8" in message
    assert "b.yaml:11:13" in message


def test_too_large_a_file_is_refused_unread(write_pack: WritePack, registry: Registry) -> None:
    assert "more than 1000000" in problems(write_pack, registry, r="# " + "x" * 1_000_000)


def test_scalars_stay_text(compiled: Callable[..., Judge]) -> None:
    judge = compiled({"r": "when: {meta: {field: at, cmp: time_in, value: [22:00, 08:00]}}",
                      "s": "when: {keyword: {any: [no, 2026-01-01]}}"})  # fmt: skip
    (judgement,) = judge.judge(call("A say no", {"at": "23:00"}))
    assert judgement.verdicts == {"r": "hit", "s": "hit"}


def test_params_are_filled_in(compiled: Callable[..., Judge]) -> None:
    judge = compiled({"r": "params: {low: 0.9, who: 法院}\nwhen: {all: [{tag: {any: [t], at_least: $low}}, "
                           "{regex: {pattern: '我是${who}'}}]}"})  # fmt: skip
    scripts = ("A 我是法院 {t:0.95}", "A 我是法院 {t:0.8}")
    assert [j.verdicts["r"] for s in scripts for j in judge.judge(call(s))] == [
        "hit", "pass"]  # fmt: skip


def test_lexicons(write_pack: WritePack, registry: Registry) -> None:
    folder = write_pack(
        {"r": "when: {keyword: {lexicon: [sound, plain]}}", "s": "when: {regex: {lexicon: [plain]}}"}
    )
    (folder / "lexicons").mkdir()
    (folder / "lexicons" / "sound.txt").write_text(
        "match: pinyin\n傻逼  # a comment\n!傻笔画\n", encoding="utf-8"
    )
    text = "words: [老赖]\nnot_in: [老赖账]\npatterns: ['脸皮.{0,2}厚']\nexclude: ['不是']"
    (folder / "lexicons" / "plain.yaml").write_text(text, encoding="utf-8")
    judge = Judge(load_pack(folder, registry))
    found = [tuple(judge.judge(call(s))[0].verdicts.values())
             for s in ("A 傻比", "A 老赖", "A 脸皮真厚", "A 不是脸皮厚", "A 傻笔画", "A 老赖账")]  # fmt: skip
    assert found == [("hit", "pass"), ("hit", "pass"), ("pass", "hit"), *[("pass", "pass")] * 3]


def test_version_follows_what_changes_a_verdict(write_pack: WritePack, registry: Registry) -> None:
    folder = write_pack({"r": "when: {keyword: {any: [a]}}"})
    first = load_pack(folder, registry).version
    (folder / "r.cases.yaml").write_text("[]")
    assert load_pack(folder, registry).version == first
    (folder / "r.yaml").write_text((folder / "r.yaml").read_text().replace("[a]", "[b]"))
    assert load_pack(folder, registry).version != first
    assert first.startswith("1.0.0+")
