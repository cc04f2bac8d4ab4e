"""Labelled recordings: every shape of file, and what is said of lines that cannot be used."""

import gzip
import json
from pathlib import Path

import pytest

from server.errors import BadInput
from server.evaluation import recordings
from server.evaluation.recordings import Recording


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.tsv", "a.wav\t您好\nsub/b.wav\t喂, 谁\n"),
        ("labels.tsv", "path\ttext\na.wav\t您好\r\nsub/b.wav\t喂, 谁\r\n\r\n"),
        ("labels.tsv", "\ufeffid\tText\tPATH\n1\t您好\ta.wav\n2\t喂, 谁\tsub/b.wav\n"),
        ("labels.csv", 'path,text\na.wav,您好\nsub/b.wav,"喂, 谁"\n'),
        ("labels.tsv.gz", "a.wav\t您好\nsub/b.wav\t喂, 谁\n"),
        (
            "labels.jsonl",
            '{"path": "a.wav", "text": "您好"}\n{"audio_filepath": "sub/b.wav", "text": "喂, 谁"}',
        ),
        ("labels.jsonl.gz", '{"path": "a.wav", "text": "您好"}\n\n{"wav": "sub/b.wav", "text": "喂, 谁"}\n'),
    ],
)
@pytest.mark.parametrize("by_folder", [False, True])
def test_shapes(tmp_path: Path, name: str, text: str, by_folder: bool) -> None:
    path = _write(tmp_path, name, text)
    found, faults = recordings.read([tmp_path if by_folder else path], "text")
    assert [(r.path, r.label) for r in found] == [
        (tmp_path / "a.wav", "您好"),
        (tmp_path / "sub/b.wav", "喂, 谁"),
    ]
    assert faults == []


def test_bad_lines_cost_themselves_and_say_where(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_bytes(
        "path\ttext\trole\na.wav\t您好\t\nb.wav\t好\nc.wav\t喂\tboss\n".encode() + b"d.wav\t\xff\t\n"
    )
    found, faults = recordings.read([path], "text")
    assert [r.where for r in found] == [f"{path}:2"]
    assert {f.where.rpartition(":")[2]: f.what.split()[0] for f in faults} == {
        "3": "2",
        "5": "not",
        "4": "role",
    }
    assert all(f.help for f in faults)


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', '{"path": "a.wav"}', '{"text": "x"}', "[" * 100_000])
def test_bad_json_lines(tmp_path: Path, line: str) -> None:
    good = json.dumps({"path": "a.wav", "text": "好"})
    path = _write(tmp_path, "x.jsonl", f"{good}\n{line}\n{good}\n")
    found, faults = recordings.read([path], "text")
    assert len(found) == 2 and [f.where for f in faults] == [f"{path}:2"]


def test_silence_may_be_labelled_but_a_feeling_is_asked_for(tmp_path: Path) -> None:
    path = _write(tmp_path, "labels.tsv", "path\ttext\temotion\na.wav\t\tangry\nb.wav\t您好\t\n")
    assert [r.label for r in recordings.read([path], "text")[0]] == ["", "您好"]
    felt, faults = recordings.read([path], "emotion")
    assert [r.label for r in felt] == ["angry"] and len(faults) == 1


def test_groups(tmp_path: Path) -> None:
    path = _write(
        tmp_path, "labels.tsv", "path\ttext\tspeaker\tcity\na.wav\t好\tzhang\t杞县\nb.wav\t好\t\t\n"
    )

    def groups(found: list[Recording]) -> list[str]:
        return [r.group for r in found]

    assert groups(recordings.read([path], "text")[0]) == ["zhang", ""]
    assert groups(recordings.read([path], "text", "city")[0]) == ["杞县", ""]
    with pytest.raises(BadInput, match="no line has a column 'town'\nhelp: the columns are city"):
        recordings.read([path], "text", "town")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("labels.tsv", "", "empty"),
        ("labels.tsv", "only one column\n", "no usable line of 1"),
        ("labels.xlsx", "x", "no kind of labelled file"),
        ("nothing.md", "x", "no kind of labelled file"),
    ],
)
def test_nothing_usable_is_an_error(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        recordings.read([_write(tmp_path, name, text)], "text")


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        recordings.read([tmp_path / "nowhere.tsv"], "text")
    with pytest.raises(BadInput, match="holds none of"):
        recordings.read([tmp_path], "text")
    (tmp_path / "labels.tsv.gz").write_bytes(gzip.compress(b"a.wav\tx\n" * 100)[:-20])
    with pytest.raises(BadInput, match=r"labels\.tsv\.gz"):
        recordings.read([tmp_path], "text")
