"""Lint and cases: a sound pack is clean, and each fault is found."""

from collections.abc import Callable
from pathlib import Path

from operators.rules import cases, lint
from operators.spec import Registry

WritePack = Callable[..., Path]
RULE = "when: {keyword: {any: [还钱]}, role: agent}"
CASES = """
- hit: "A 0-1 还钱 | C 2-3 好"
  marks: "x."
- hit: "C 0-1 喂 | A 2-3 赶紧还钱吧"
- ok: "A 0-1 您好"
- ok: "C 0-1 我还钱"
  near: 客户说的
"""


def pack(write_pack: WritePack, text: str = CASES, **rules: str) -> Path:
    folder = write_pack(rules or {"r": RULE})
    for name in rules or {"r": RULE}:
        (folder / f"{name}.cases.yaml").write_text(text, encoding="utf-8")
    return folder


def test_sound_pack(write_pack: WritePack, registry: Registry) -> None:
    folder = pack(write_pack)
    assert lint.check(folder, registry) == []
    report = cases.run(folder, registry)
    assert report.ok, str(report)
    assert "2 hit, 2 ok, 0 unknown, 0 na; 0 failed" in str(report)


def test_case_that_comes_out_otherwise(write_pack: WritePack, registry: Registry) -> None:
    report = cases.run(pack(write_pack, CASES.replace("赶紧还钱吧", "您好")), registry)
    assert not report.ok
    assert "the verdict is pass, not hit" in str(report)
    assert report.failures[0].line == 4


def test_marks_that_differ(write_pack: WritePack, registry: Registry) -> None:
    assert "marks x., not .x" in str(cases.run(pack(write_pack, CASES.replace('"x."', '".x"')), registry))


def test_missing_cases_are_found(write_pack: WritePack, registry: Registry) -> None:
    folder = pack(write_pack, '- hit: "A 0-1 还钱"\n')
    found = "\n".join(map(str, lint.check(folder, registry)))
    assert "1 hit cases" in found
    assert "0 ok cases" in found
    assert "no near miss" in found
    (folder / "r.cases.yaml").rename(folder / "gone.cases.yaml")
    found = "\n".join(map(str, lint.check(folder, registry)))
    assert "rule 'r' has no cases" in found
    assert "there is no such rule" in found


def test_twins_are_found(write_pack: WritePack, registry: Registry) -> None:
    word = "{keyword: {any: [还钱]}, role: agent"
    twice = f"when: {{any: [{word}, as: a}}, {word}, as: b}}]}}"
    found = "\n".join(map(str, lint.check(pack(write_pack, r=RULE, s=RULE, t=twice), registry)))
    assert "the same conditions as rule 'r'" in found
    assert "the same condition stands twice here" in found


def test_unused_lexicon_and_worthless_rule(write_pack: WritePack, registry: Registry) -> None:
    folder = pack(write_pack)
    (folder / "lexicons").mkdir()
    (folder / "lexicons" / "spare.txt").write_text("词\n", encoding="utf-8")
    (folder / "r.yaml").write_text((folder / "r.yaml").read_text().replace("score: -10\n", ""))
    found = "\n".join(map(str, lint.check(folder, registry)))
    assert "no rule uses lexicon 'spare'" in found
    assert "it costs nothing" in found


def test_no_pack_names_the_nearest(registry: Registry) -> None:
    (problem,) = lint.check("colections_zh", registry)
    assert "collections_zh" in problem.help
