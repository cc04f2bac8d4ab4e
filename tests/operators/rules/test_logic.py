"""What lint finds by thinking alone: contradictions, empty windows, rules that add nothing, lateness."""

from collections.abc import Callable
from pathlib import Path

import pytest

from operators.rules import lint, logic
from operators.rules.pack import load_pack
from operators.spec import Registry

WritePack = Callable[..., Path]
A, B, C = ("{keyword: {any: [甲]}}", "{keyword: {any: [乙]}}", "{keyword: {any: [丙]}}")


def found(write_pack: WritePack, registry: Registry, **rules: str) -> str:
    return "\n".join(map(str, logic.check(load_pack(write_pack(rules), registry))))


@pytest.mark.parametrize(
    ("faulty", "what", "sound"),
    [
        (f"when: {{all: [{A}, {{not: {A}}}]}}", "opposite stand together: never true",
         f"when: {{all: [{A}, {{not: {B}}}]}}"),
        (f"when: {{all: [{A}, {{all: [{B}, {{not: {A}}}]}}]}}", "never true",
         f"when: {{all: [{A}, {{any: [{B}, {{not: {A}}}]}}]}}"),
        (f"when: {A}\nunless: {A}", "never true", f"when: {A}\nunless: {B}"),
        (f"gate: {{not: {A}}}\nwhen: {A}", "never true", f"gate: {{not: {B}}}\nwhen: {A}"),
        (f"when: {{any: [{A}, {{not: {A}}}]}}", "always true", f"when: {{any: [{A}, {{not: {B}}}]}}"),
        ("when: {keyword: {any: [甲], not_in: [甲, 甲乙]}}", "every word stands in not_in",
         "when: {keyword: {any: [甲], not_in: [甲乙]}}"),
        ("when: {keyword: {any: [甲]}, count: {at_least: 3, at_most: 2}}", "at least 3 and at most 2",
         "when: {keyword: {any: [甲]}, count: {at_least: 2, at_most: 2}}"),
        ("when: {keyword: {any: [甲]}, scope: {first_turns: 0}}", "an empty window",
         "when: {keyword: {any: [甲]}, scope: {first_turns: 1}}"),
    ],
)  # fmt: skip
def test_conditions_that_say_nothing(
    faulty: str, what: str, sound: str, write_pack: WritePack, registry: Registry
) -> None:
    assert what in found(write_pack, registry, r=faulty)
    assert found(write_pack, registry, r=sound) == "", "the control"


def test_a_rule_that_another_one_holds(write_pack: WritePack, registry: Registry) -> None:
    wide, narrow = f"when: {{any: [{A}, {B}]}}", f"when: {A}\nunless: {C}"
    assert "every hit of 's' is one of 'r'" in found(write_pack, registry, r=wide, s=narrow)
    assert found(write_pack, registry, r=f"when: {{any: [{C}, {B}]}}", s=narrow) == "", "the control"


def test_a_narrower_rule_may_cost_more(write_pack: WritePack, registry: Registry) -> None:
    folder = write_pack({"r": f"when: {{any: [{A}, {B}]}}", "s": f"when: {A}"})
    text = (folder / "s.yaml").read_text(encoding="utf-8")
    assert list(logic.check(load_pack(folder, registry)))
    (folder / "s.yaml").write_text(text.replace("score: -10", "score: -20"), encoding="utf-8")
    assert not list(logic.check(load_pack(folder, registry)))


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("{keyword: {any: [甲]}, scope: {last_turns: 1}}", "last_turns is known at the end"),
        ("{call_shape: {measure: duration_ms, gt: 1}}", "call_shape measures the whole call"),
        ("{not: {keyword: {any: [甲]}}}", "what must not be there may still come"),
        ("{keyword: {any: [甲]}, scope: {after: b, hit: -1}}", "another hit of b may still come"),
        ("{keyword: {any: [甲]}, count: {at_most: 2}}", "at_most counts the whole call"),
    ],
)
def test_what_waits_for_the_end_is_a_note(
    when: str, why: str, write_pack: WritePack, registry: Registry
) -> None:
    folder = write_pack({"r": f"when: {when}\ndefine: {{b: {B}}}", "live": f"when: {A}"})
    (note,) = lint.notes(folder, registry)
    assert note.file == "r.yaml" and why in note.what
    assert why not in "".join(problem.what for problem in lint.check(folder, registry))
