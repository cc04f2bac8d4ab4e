"""Syllables: what sounds alike, what is confused, how a word may be spelled."""

import sys
from subprocess import run

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.sound import confused, sound_fold, spellings

WORDS = st.text("征信报告法院银行起诉还款律师函女绿aQ，", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("one", "other"),
    [("zhi", "zi"), ("cha", "ca"), ("shang", "san"), ("nan", "lang"), ("fei", "hui"), ("fan", "huang"),
     ("feng", "hun"), ("fu", "hu"), ("ying", "yin"), ("lian", "liang"), ("neng", "len"), ("nü", "lü")],
)  # fmt: skip
def test_confused_syllables_are_one(one: str, other: str) -> None:
    assert confused(one) == confused(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("zhi", "ji"), ("lu", "lü"), ("yu", "wu"), ("hei", "fei"), ("tong", "tun"), ("ri", "li")],
)
def test_others_are_not(one: str, other: str) -> None:
    assert confused(one.replace("ü", "u\u0308")) != confused(other.replace("ü", "u\u0308"))


def test_a_word_is_spelled_as_read_alone_and_as_a_word() -> None:
    fold = sound_fold("pinyin")
    yin, xing, hang = (int(fold[ord(c)]) for c in "因形航")
    assert spellings("银行", "pinyin") == [(yin, xing), (yin, hang)]
    assert spellings("因形", "pinyin") == [(yin, xing)]


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_the_first_spelling_is_how_the_text_is_folded(word: str) -> None:
    for match in ("pinyin", "fuzzy"):
        fold, spelled = sound_fold(match), spellings(word, match)
        assert spelled[0] == tuple(int(fold[ord(c)]) for c in word)
        assert len(spelled) == len(set(spelled)) and {len(s) for s in spelled} == {len(word)}


@settings(max_examples=60, deadline=None)
@given(WORDS)
def test_a_slip_changes_one_syllable_of_a_long_word(word: str) -> None:
    own = spellings(word, "fuzzy")[:2]
    syllables = sum(symbol >= 0x110000 for symbol in own[0])
    for spelling in spellings(word, "fuzzy")[2:]:
        assert syllables >= 3
        nearest = min(sum(a != b for a, b in zip(spelling, o, strict=True)) for o in own)
        assert nearest <= 1


def test_the_table_of_phrases_is_not_loaded_for_characters_with_one_reading() -> None:
    code = "import sys; from operators.sound import spellings; spellings({!r}, 'fuzzy');"
    code += "print('pypinyin.phrases_dict' in sys.modules)"
    for word, loaded in (("律师", "False"), ("银行", "True")):
        done = run([sys.executable, "-c", code.format(word)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == loaded


@pytest.mark.parametrize(
    ("word", "heard", "alike"),
    [
        ("征信报告", "趁信报告", True),
        ("征信报告", "征信抛告", True),
        ("征信报告", "征信报狗", True),
        ("还款管理", "还款感理", True),
        ("征信报告", "征信报到", False),
        ("征信报告", "征信报根", False),
        ("征信报告", "趁信抛告", False),
        ("征信", "趁信", False),
    ],
)
def test_one_close_syllable_is_forgiven_in_a_long_word(word: str, heard: str, alike: bool) -> None:
    fold = sound_fold("fuzzy")
    assert (tuple(int(fold[ord(c)]) for c in heard) in spellings(word, "fuzzy")) is alike
