"""Character errors against cases counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.speech import compare, figures
from server.evaluation.wording import Wording

HAN = st.text("您好我是银行一二三", max_size=12)


@pytest.mark.parametrize(
    ("said", "heard", "counts"),
    [
        ("您好", "您好", (0, 0, 0)),
        ("我是银行", "我是很行", (1, 0, 0)),
        ("我是银行", "我银行", (0, 1, 0)),
        ("我是银行", "我是是银行", (0, 0, 1)),
        ("我是银行的", "你是银行", (1, 1, 0)),
        ("您好", "", (0, 2, 0)),
        ("", "您好", (0, 0, 2)),
        ("50块。", "五十 块", (0, 0, 0)),
    ],
)
def test_edits(said: str, heard: str, counts: tuple[int, int, int]) -> None:
    edit = compare("x:1", said, heard, Wording())
    assert (edit.substitutions, edit.deletions, edit.insertions) == counts


def test_rates_are_of_all_characters_not_of_recordings() -> None:
    edits = [
        compare("x", *pair, Wording())
        for pair in (("我是银行", "你是很行"), ("您好", "您好"), ("喂喂喂喂", "喂喂喂"))
    ]
    found = figures(edits, ["", "", ""])
    assert found.characters == 10
    assert found.rates["cer"].value == pytest.approx(3 / 10)
    assert found.rates["substitution_rate"].value == pytest.approx(2 / 10)
    assert found.rates["deletion_rate"].value == pytest.approx(1 / 10)
    assert found.rates["insertion_rate"].value == 0
    assert found.rates["sentence_error_rate"].value == pytest.approx(2 / 3)
    assert set(found.swaps) == {("我", "你", 1), ("银", "很", 1)}


def test_no_reference_has_no_rate() -> None:
    found = figures([compare("x", "", "喂", Wording())], [""])
    assert found.as_dict()["cer"]["value"] is None and found.insertions == 1


@given(st.lists(HAN.filter(bool), min_size=1, max_size=5))
def test_identical_wording_has_no_error(texts: list[str]) -> None:
    found = figures([compare("x", text, text, Wording()) for text in texts], [""] * len(texts))
    assert found.rates["cer"].value == found.rates["sentence_error_rate"].value == 0


@given(HAN, HAN)
def test_lengths_add_up(said: str, heard: str) -> None:
    edit = compare("x", said, heard, Wording())
    assert len(edit.reference) - edit.deletions + edit.insertions == len(edit.hypothesis)
    assert edit.errors <= max(len(edit.reference), len(edit.hypothesis))
    back = compare("x", heard, said, Wording())
    assert back.errors == edit.errors
