"""Context words: the file a setting names becomes two tensors; a bad one stops the start."""

from pathlib import Path

import pytest

from server.adapters.triton_context import read_words
from server.errors import BadSetting


def written(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf8")
    return path


def test_one_word_a_line_with_a_weight_if_not_1(tmp_path: Path) -> None:
    words, weights = read_words(written(tmp_path, "# products\n安心贷\n\n 随借宝 \t2.5\n"), 10)
    assert (words.name, words.datatype, words.shape, words.data) == (
        "CONTEXT_WORDS", "BYTES", (1, 2), ("安心贷", "随借宝"),
    )  # fmt: skip
    assert (weights.name, weights.datatype, weights.shape) == ("CONTEXT_WEIGHTS", "FP32", (1, 2))
    assert list(weights.data[0]) == [1.0, 2.5]


@pytest.mark.parametrize("text", ["", "# nothing yet\n\n"])
def test_no_words_are_no_tensors(tmp_path: Path, text: str) -> None:
    assert read_words(written(tmp_path, text), 10) == () == read_words(None, 0)


@pytest.mark.parametrize("text", ["安心贷\t", "安心贷\t0", "安心贷\t5"])
def test_weights_of_0_to_5_are_taken(tmp_path: Path, text: str) -> None:
    assert len(read_words(written(tmp_path, text), 1)) == 2


@pytest.mark.parametrize("text", ["安心贷\tx", "安心贷\t-1", "安心贷\t5.1", "安心贷\tnan"])
def test_a_bad_weight_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match=r"word 1 of words.txt has the weight"):
        read_words(written(tmp_path, text), 10)


def test_more_words_than_the_model_takes(tmp_path: Path) -> None:
    path = written(tmp_path, "安心贷\n随借宝\n")
    with pytest.raises(BadSetting, match="2 context words, this recogniser takes 1"):
        read_words(path, 1)
    with pytest.raises(BadSetting, match="takes no context words"):
        read_words(path, 0)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="FileNotFoundError"):
        read_words(tmp_path / "none.txt", 10)
    path = tmp_path / "gbk.txt"
    path.write_bytes("安心贷".encode("gbk"))
    with pytest.raises(BadSetting, match="UnicodeDecodeError"):
        read_words(path, 10)
