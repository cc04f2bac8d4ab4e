"""`models pull`: the hub's own client against a hub on this machine, whole, cut off, and gone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.errors import BadCheckpoint
from server.importers import hub
from tests.importers import exports
from tests.importers.conftest import Bench, library, speech
from tests.importers.hub_server import COMMIT, Hub, serving

NAME = "paraformer-zh"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hub]:
    """A hub that has the known repository, filled with a tiny export."""
    library("huggingface_hub")
    folder = tmp_path / "hub"
    folder.mkdir()
    exports.paraformer(library("torch"), library("onnx"), folder)
    (folder / "model.onnx").rename(folder / "model.int8.onnx")
    (folder / "test.wav").write_bytes(b"not wanted")
    with serving(hub.KNOWN[NAME].repository, folder) as running:
        yield running


def pull(tmp_path: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: the client reads its environment when it is imported."""
    repository = tmp_path / "repository"
    repository.mkdir(exist_ok=True)
    environment = os.environ | {
        "HF_ENDPOINT": url, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hf"),
        "EARSHOT_MODEL_REPOSITORY": str(repository), "HF_HUB_DOWNLOAD_TIMEOUT": "3", "COLUMNS": "500",
    }  # fmt: skip
    command = [sys.executable, "-m", "server", "models", "pull", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)


def test_fetches_imports_and_serves(served: Hub, tmp_path: Path, bench: Bench) -> None:
    done = pull(tmp_path, served.url, NAME)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "proved in Triton" in done.stdout and "licence MIT" in done.stderr
    card = (tmp_path / "repository" / "asr" / "MODEL_CARD.md").read_text()
    assert COMMIT in card or hub.KNOWN[NAME].revision in card
    assert set(served.sent) == {"model.int8.onnx", "tokens.txt"}, "only what is needed is fetched"
    assert len(bench.heard([speech(16_000, 3.0)])[0]) > 5
    again = pull(tmp_path, served.url, NAME)
    assert again.returncode == 2 and "holds a model already" in again.stderr


def test_goes_on_where_it_broke_off(served: Hub, tmp_path: Path) -> None:
    path = served.folder / "model.int8.onnx"
    model = library("onnx").load(str(path))
    # the client writes pieces of 10 MB
    model.doc_string = "x" * (25 << 20)
    library("onnx").save(model, str(path))
    size = path.stat().st_size
    served.cut_after = size // 2
    broken = pull(tmp_path, served.url, NAME)
    assert broken.returncode == 2 and "what was fetched is kept" in broken.stderr
    assert not (tmp_path / "repository" / "asr").exists()
    sent = dict(served.sent)
    served.cut_after, served.dead = None, False
    done = pull(tmp_path, served.url, NAME)
    assert done.returncode == 0, done.stderr[-2000:]
    assert served.ranges, "the control: the client asks for the rest only"
    assert served.sent["model.int8.onnx"] < 1.2 * size, f"{sent} of {size} bytes, then {served.sent}"


def test_another_content_than_listed_is_not_taken(served: Hub, tmp_path: Path) -> None:
    served.falsify = True
    done = pull(tmp_path, served.url, NAME)
    assert done.returncode == 2 and "another content than the hub lists" in done.stderr
    served.falsify = False
    assert pull(tmp_path, served.url, NAME).returncode == 0, "the control: the true content is"


def test_a_hub_that_does_not_answer_is_named(tmp_path: Path) -> None:
    library("huggingface_hub")
    done = pull(tmp_path, "http://127.0.0.1:9", NAME)
    assert done.returncode == 2
    assert "could not be fetched" in done.stderr and "HF_ENDPOINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_that_is_gone_is_named(served: Hub, tmp_path: Path) -> None:
    done = pull(tmp_path, served.url, "sense-voice-small")
    assert done.returncode == 2 and "the hub has no csukuangfj/sherpa-onnx-sense-voice" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_is_shown_and_unknown_names_are_refused(tmp_path: Path) -> None:
    done = pull(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 0 and all(name in done.stdout for name in hub.KNOWN)
    with pytest.raises(BadCheckpoint, match="known are"):
        hub.known("no-such-model")
