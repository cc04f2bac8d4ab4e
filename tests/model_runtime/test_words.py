"""Tokens become characters: spaces, byte pieces, glue and times."""

import numpy as np

from model_runtime.words import Token, spread


def _texts(*texts: str, glue: str = "") -> list[str]:
    tokens = [Token(text, 100.0 * place, 100.0 * place + 100.0, 0.5) for place, text in enumerate(texts)]
    return list(spread(tokens, 10_000, glue).characters)


def test_a_tokens_time_is_shared_among_its_characters() -> None:
    units = spread([Token(" 你好", 100.0, 300.0, 0.7), Token("吗", 300.0, 400.0, 0.9)], 1000)
    assert units.characters == ("你", "好", "吗")
    assert units.start_ms.tolist() == [167, 233, 300] and units.end_ms.tolist() == [233, 300, 400]
    np.testing.assert_allclose(units.confidence, [0.7, 0.7, 0.9])


def test_spaces_stay_between_words_only() -> None:
    assert "".join(_texts(" hello", " world", " 你", " 好", " ok", " ")) == "hello world你好ok"
    assert _texts(" ", " ") == []


def test_byte_pieces_make_one_character_with_the_time_of_all() -> None:
    pieces = [chr(0xDC00 + byte) for byte in "好".encode()]
    units = spread([Token(piece, 100.0 * i, 100.0 * i + 100, 0.5) for i, piece in enumerate(pieces)], 1000)
    assert units.characters == ("好",)
    assert (units.start_ms.tolist(), units.end_ms.tolist()) == ([0], [300])


def test_bytes_that_make_nothing_are_dropped() -> None:
    assert _texts(chr(0xDCE5), "好", chr(0xDCFF), "a") == ["好", "a"]
    assert _texts(chr(0xDCE2), *(chr(0xDC00 + byte) for byte in "好".encode()), chr(0xDC98)) == ["好"]


def test_glued_pieces_are_one_word() -> None:
    assert "".join(_texts(" he@@", " llo", " world", glue="@@")) == "hello world"


def test_times_run_forward_inside_the_segment() -> None:
    units = spread([Token("a", 500.0, 900.0, 1.0), Token("b", 400.0, 2000.0, 2.0)], 1000)
    assert (np.diff(units.start_ms) >= 0).all() and units.end_ms.max() <= 1000
    assert (units.end_ms >= units.start_ms).all() and units.confidence.max() <= 1.0
