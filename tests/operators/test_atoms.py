"""What a text must contain before a pattern can match."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.atoms import required


@pytest.mark.parametrize(
    ("pattern", "sets"),
    [
        ("法院", [{"法院"}]),
        ("我.{0,8}(法院|公安)", [{"法院", "公安"}, {"我"}]),
        ("(我|我们)(是|就是).{0,9}(公安|执行局)", [{"公安", "执行局"}, {"我"}]),
        ("[你您]好?", [{"你", "您"}]),
        ("[0-9]{4,}", [set("0123456789")]),
        ("(威胁)?我", [{"我"}]),
        ("(威胁|.)我", [{"我"}]),
        ("(威胁|.)", []),
        ("[^你]", []),
        ("(?i)abc", []),
        ("(?i:abc)d", [{"d"}]),
        ("[[:alpha:]]b", []),
        (r"\pN", []),
    ],
)
def test_required(pattern: str, sets: list[set[str]]) -> None:
    assert [set(atoms) for atoms in required(pattern)] == sets


nodes = st.recursive(
    st.sampled_from(["好", "不", "吗", ".", "[好不]", "[^吗]", "[a-c]"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2,3}", "{0,2}"])).map(lambda p: f"({p[0]}){p[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(nodes, st.text("好不吗abc", max_size=8))
def test_every_match_has_what_is_required(pattern: str, text: str) -> None:
    if re.search(pattern, text):
        for atoms in required(pattern):
            assert any(atom in text for atom in atoms)
