"""`earshot evaluate` as a person or a script runs it, over the real Triton."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server import config, evaluate_app
from server.errors import EarshotError
from server.pipeline.models import Models, also_said
from server.pipeline.session import Road
from tests.sounds import silence

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "demo" / "calls"


class Earshot:
    """Runs commands in this process on the test run's Triton."""

    def __call__(self, *words: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(evaluate_app.app, [*map(str, words)])
        if isinstance(done.exception, EarshotError):
            raise done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    def json(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        code, out = self(*words, "--json")
        return code, json.loads(out)


@pytest.fixture
def earshot(road: Road, monkeypatch: pytest.MonkeyPatch) -> Earshot:
    @contextmanager
    def models(settings: config.Settings) -> Iterator[Models]:
        yield road.models

    monkeypatch.setattr(evaluate_app, "open_models", models)
    return Earshot()


@pytest.fixture(scope="module")
def spoken(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demonstration calls, the one labelled with what the road itself hears, the other with more."""
    folder = tmp_path_factory.mktemp("spoken")
    rows = []
    for call in (_call("mono"), _call("abusive")):
        (folder / call.name).write_bytes(call.read_bytes())
        heard = road.inspect_audio(call.read_bytes(), call_id="x", meta={}).result["turns"]
        rows.append(f"{call.name}\t{'，'.join(turn['text'] for turn in heard)}")
    rows[1] += "多了三"
    (folder / "labels.tsv").write_text("\n".join(rows))
    return folder


def _call(name: str) -> Path:
    return next(path for path in sorted(CALLS.glob(f"{name}.*")) if not path.name.endswith(".json"))


def test_asr_hears_what_the_road_hears(earshot: Earshot, spoken: Path) -> None:
    code, said = earshot.json("asr", spoken)
    figures = said["figures"]
    assert code == 0 and said["items"] == 2 and said["model"] == "asr"
    assert (figures["substitutions"], figures["deletions"], figures["insertions"]) == (0, 3, 0)
    assert figures["cer"]["value"] == pytest.approx(3 / figures["characters"])
    assert figures["cer"]["ci95"][0] <= figures["cer"]["value"] <= figures["cer"]["ci95"][1]
    assert figures["sentence_error_rate"]["value"] == 0.5
    assert "road" in said["settings"]["segments"]


def test_asr_in_a_terminal_and_in_one_piece(earshot: Earshot, spoken: Path) -> None:
    code, out = earshot("asr", spoken / "labels.tsv", "--worst", "1")
    assert (
        code == 0 and "0 substitutions, 3 deletions, 0 insertions" in out and "labels.tsv:2: 3 errors" in out
    )
    (spoken / "mono.tsv").write_text((spoken / "labels.tsv").read_text().splitlines()[0])
    code, said = earshot.json("asr", spoken / "mono.tsv", "--whole")
    assert code == 0 and said["settings"]["segments"] == "whole" and said["figures"]["characters"] > 20
    assert said["figures"]["cer"]["value"] < 0.5


def test_a_bad_recording_costs_only_itself(earshot: Earshot, spoken: Path) -> None:
    (spoken / "broken.wav").write_bytes(b"RIFF\x00\x00")
    (spoken / "quiet.wav").write_bytes(silence(2, channels=1))
    mono = (spoken / "labels.tsv").read_text().splitlines()[0]
    rows = [f"{mono}\t", "broken.wav\t您好\t", "gone.wav\t您好\t", "quiet.wav\t\t", "quiet.wav\t\tagent", "x"]
    (spoken / "mixed.tsv").write_text("\n".join(["path\ttext\trole", *rows]))
    code, said = earshot.json("asr", spoken / "mixed.tsv")
    assert code == 1 and said["items"] == 2 and said["figures"]["cer"]["value"] == 0
    assert sorted(f["where"].rpartition(":")[2] for f in said["faults"]) == ["3", "4", "6", "7"]
    assert all(f["message"] and f["help"] for f in said["faults"])
    code, out = earshot("asr", spoken / "mixed.tsv")
    assert code == 1 and "4 lines could not be evaluated" in out and "mixed.tsv:4" in out


def test_nothing_but_bad_recordings_is_an_error(earshot: Earshot, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("gone.wav\t您好\n")
    with pytest.raises(EarshotError, match=r"gone\.wav: No such file"):
        earshot("asr", tmp_path)


def test_one_side_of_a_call(earshot: Earshot, road: Road, spoken: Path) -> None:
    call = _call("abusive")
    heard = road.inspect_audio(call.read_bytes(), call_id="x", meta={}).result["turns"]
    agent = "".join(turn["text"] for turn in heard if turn["role"] == "agent")
    (spoken / "side.jsonl").write_text(json.dumps({"path": call.name, "text": agent, "role": "agent"}))
    code, said = earshot.json("asr", spoken / "side.jsonl")
    assert code == 0 and said["figures"]["cer"]["value"] == 0
    assert said["figures"]["characters"] < sum(len(turn["text"]) for turn in heard)


def test_emotion(earshot: Earshot, road: Road, spoken: Path) -> None:
    rows = [
        f"{_call('mono').name}\t{label}\tspeaker {n}" for n, label in enumerate(("wut", "sad", "boredom"))
    ]
    (spoken / "feelings.tsv").write_text("\n".join(["path\temotion\tspeaker", *rows]))
    code, said = earshot.json("emotion", spoken / "feelings.tsv", "--map", "wut=angry")
    figures = said["figures"]
    assert code == 0 and said["items"] == 2 and said["left_out"] == {"boredom": 1}
    assert sum(map(sum, figures["confusion"]["rows"])) == 2
    assert figures["confusion"]["labels"] == list(road.models.emotion.labels)
    assert figures["accuracy"]["value"] in (0, 0.5), "one sound cannot be both"
    assert figures["uar"]["ci95_groups"] is not None and said["groups"] == 2
    code, out = earshot("emotion", spoken / "feelings.tsv", "--map", "wut=angry")
    assert (
        code == 0 and "unweighted average recall" in out and "over 2 groups" in out and "boredom (1)" in out
    )


def test_tags(earshot: Earshot, road: Road, tmp_path: Path) -> None:
    texts, roles = (
        ["您好我是银行的客服请问是王芳女士吗", "我是", "今天不还就去你家"],
        ["agent", "customer", "agent"],
    )
    told = accumulate(
        zip(roles, texts, strict=True), lambda before, turn: also_said(before, *turn), initial=""
    )
    scores = road.models.tag_turns(texts, roles, list(told)[:-1], deadline_s=30)
    labels = road.models.tags.labels
    lines = ["#call id=c1"]
    for text, role, row in zip(texts, roles, scores, strict=True):
        lines.append(f"{role[0]}|{text}|{','.join(t for t, s in zip(labels, row, strict=True) if s >= 0.5)}")
    assert any(line[-1] != "|" for line in lines[1:]), "the shipped model knows none of these turns"
    (tmp_path / "calls.txt").write_text("\n".join([*lines, "a|好|no_such_tag"]))
    code, said = earshot.json("tags", tmp_path / "calls.txt")
    assert code == 0 and said["items"] == 4 and said["left_out"] == {"no_such_tag": 1}
    flagged = said["figures"]["tags"]
    given = sum(tag["flagged"] for tag in flagged.values())
    assert given >= sum(tag["carried"] for tag in flagged.values()) > 0
    assert all(t["recall"]["value"] == 1 for t in flagged.values() if t["carried"])
    code, said = earshot.json("tags", tmp_path / "calls.txt", "--threshold", "1")
    assert said["figures"]["micro_recall"]["value"] < 1
    code, out = earshot(
        "tags", tmp_path / "calls.txt", "--threshold", "0.4", "--threshold", f"{labels[0]}=0.7"
    )
    assert code == 0 and labels[0] in out and "expected calibration error" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tags", "--threshold", "2"], "threshold '2'"),
        (["tags", "--threshold", "x=y"], "threshold 'x=y'"),
        (["tags", "--threshold", "no_tag=0.5"], "no tag 'no_tag'"),
        (["emotion", "--map", "angry"], "not theirs=ours"),
        (["emotion"], "has none of the labels wut"),
        (["asr", "--group", "city"], "no line has a column 'city'"),
    ],
)
def test_mistakes_are_explained(earshot: Earshot, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "labels.tsv").write_text("path\ttext\temotion\trole\ttags\na.wav\t您好\twut\tagent\t\n")
    with pytest.raises(EarshotError, match=said) as error:
        earshot(*words, tmp_path)
    assert error.value.help
