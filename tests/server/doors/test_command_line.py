"""`earshot inspect` as a person or a script runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sounds import CALLS, demo_call, silence

ROOT = Path(__file__).resolve().parents[3]
KEYS = {"call_id", "score", "items", "findings", "turns", "measures", "versions", "error"}


def earshot(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with good and bad input, inspected once."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "good.opus").write_bytes(demo_call("third_party"))
    (folder / "good.meta.json").write_text((CALLS / "third_party.meta.json").read_text())
    (folder / "quiet.wav").write_bytes(silence(2))
    (folder / "broken.wav").write_bytes(b"RIFF\x00\x00")
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "chats.jsonl").write_text(
        (CALLS / "chat.json").read_text().replace("\n", " ") + "\n{not json}\n"
    )
    return folder, earshot("inspect", folder, "--json", "--html", folder / "page.html")


def test_json_has_one_object_per_call_in_order(mixed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = mixed
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["call_id"] for r in results] == ["broken", "chat", "chats:2", "empty", "good", "quiet"]
    assert all(set(r) >= KEYS for r in results)


def test_bad_files_cost_only_themselves(mixed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = mixed
    errors = {r["call_id"]: r["error"] for r in map(json.loads, done.stdout.splitlines())}
    assert {k: v and v["code"] for k, v in errors.items()} == {
        "broken": errors["broken"]["code"],
        "chat": None,
        "chats:2": "bad_transcript",
        "empty": "empty",
        "good": None,
        "quiet": None,
    }
    assert all(e["message"] and e["help"] for e in errors.values() if e)
    assert done.returncode == 1, "the exit status tells that some calls were not inspected"


def test_metadata_beside_a_recording_is_read(mixed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = mixed
    good = next(r for r in map(json.loads, done.stdout.splitlines()) if r["call_id"] == "good")
    assert "third_party_disclosure" in {f["item"] for f in good["findings"]}


def test_the_page_is_written(mixed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = mixed
    assert "<html" in (folder / "page.html").read_text()[:500]


def test_the_table_names_findings_and_words() -> None:
    done = earshot("inspect", CALLS / "chat.json")
    assert done.returncode == 0 and "chat" in done.stdout and "score" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inspect", "nowhere.wav", "--meta", "novalue"], "is not k=v"),
        (["inspect", "x", "--pack", "no_such_pack"], "no_such_pack"),
        (["inspect"], "Missing argument"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(words: list[str], said: str) -> None:
    done = earshot(*words)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_rules_test_and_check_pass_on_the_shipped_pack() -> None:
    assert earshot("rules", "check", "collections_zh").returncode == 0
    assert earshot("rules", "test", "collections_zh").returncode == 0


def test_a_verdict_is_explained(tmp_path: Path) -> None:
    done = earshot("rules", "explain", "private_payment", CALLS / "chat.json", "--json")
    told = json.loads(done.stdout)
    assert (told["rule"], told["verdict"]) == ("private_payment", "hit")
    assert told["reasons"][0]["truth"] == "true"
    shown = earshot("rules", "explain", "private_payment", CALLS / "chat.json").stdout
    assert "✓" in shown and "turn " in shown
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00")
    done = earshot("rules", "explain", "threat", broken)
    assert done.returncode == 2 and "help:" in done.stderr and "Traceback" not in done.stderr
