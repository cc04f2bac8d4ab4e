"""What the default install alone can do: import an export that needs no toolkit, serve it, refuse others."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.errors import BadCheckpoint, BadInput, BadModel, BadSetting
from server.importers import detect, folder
from tests.fakes.repository import FAKE_MODELS
from tests.importers.conftest import Bench, speech, squeezed

EXPORT = Path(__file__).parent / "zipformer"
"""A tiny random network with sherpa-onnx's metadata (`exports.zipformer`)."""
HEARD = {
    1.5: "王问这我是王问王是您我这王是我好请是好王这",
    3.0: "王问这我是王问王是您我这王是我好请是好王这王问这我是王问您王是您我这王好我好王是好王这",
}
"""What sherpa_onnx 2.0.1 hears in so many seconds of the canary sound."""


def test_an_export_is_imported_and_served(bench: Bench) -> None:
    done = bench.install(EXPORT, "asr")
    assert done.draft.format == "sherpa-onnx Zipformer CTC" and done.heard
    assert [squeezed(text) for text in bench.heard([speech(16_000, s) for s in HEARD])] == list(
        HEARD.values()
    )


def test_companions_change_no_answer(bench: Bench) -> None:
    bench.install(EXPORT, "asr")
    segments = [speech(16_000, seconds) for seconds in (1.5, 3.0, 0.3, 2.9, 1.4, 3.0, 1.5)]
    with bench.served("asr") as models:
        together = models.transcribe(segments, deadline_s=60)
        alone = [models.transcribe([segment], deadline_s=60)[0] for segment in segments]
    for one, other in zip(together, alone, strict=True):
        assert one.characters == other.characters and one.start_ms.tolist() == other.start_ms.tolist()


def test_the_command_puts_it_beside_the_other_models(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(FAKE_MODELS, repository, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"EARSHOT_MODEL_REPOSITORY": str(repository), "COLUMNS": "300"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "server", "models", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=200
        )

    taken = run("import", str(EXPORT), "--name", "asr")
    assert taken.returncode == 2 and "holds a model already" in taken.stderr and "--replace" in taken.stderr
    before = (repository / "asr" / "config.pbtxt").read_text()
    broken = run("import", str(tmp_path), "--name", "asr", "--replace")
    assert broken.returncode == 2 and "expected one of" in broken.stderr
    assert (repository / "asr" / "config.pbtxt").read_text() == before, "a failed import changes nothing"
    done = run("import", str(EXPORT), "--name", "asr", "--replace", "--sample-rate", "8000")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "resampled to 16000 Hz" in done.stdout and "proved in Triton" in done.stdout
    assert sorted(path.name for path in repository.iterdir()) == ["asr", "emotion", "semantic_tags"]
    checked = run("check")
    assert checked.returncode == 0, checked.stderr[-2000:]


def test_a_canary_that_is_not_answered_keeps_the_folder_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_canary", _wrong(folder._canary))
    with pytest.raises(BadModel, match="canary"):
        bench.install(EXPORT, "asr")
    assert list(bench.settings.model_repository.iterdir()) == []


def _wrong(canary: Callable[..., Any]) -> Callable[..., Any]:
    def changed(*words: Any) -> Any:
        inputs, outputs, heard = canary(*words)
        outputs["UNITS"] = outputs["UNITS"].copy()
        outputs["UNITS"][0, 0] = "错"
        return inputs, outputs, heard

    return changed


def test_a_missing_toolkit_is_named(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nemo", None)
    monkeypatch.delitem(sys.modules, "nemo.collections.asr.models", raising=False)
    (tmp_path / "model_config.yaml").write_text(
        "target: nemo.collections.asr.models.ctc_models.EncDecCTCModel\n"
    )
    (tmp_path / "model_weights.ckpt").write_bytes(b"")
    path = tmp_path / "tiny.nemo"
    with tarfile.open(path, "w") as archive:
        for name in ("model_config.yaml", "model_weights.ckpt"):
            archive.add(tmp_path / name, arcname=name)
    with pytest.raises(BadSetting, match="needs nemo") as caught:
        bench.install(path, "asr")
    assert "earshot[nemo]" in caught.value.help


def test_odd_sources_and_places_are_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    for source in (tmp_path / "absent", tmp_path / "song.mp3", tmp_path):
        with pytest.raises(BadCheckpoint) as caught:
            detect.importer(source)
        assert "sherpa-onnx folder" in caught.value.help
    with pytest.raises(BadInput, match="no place 'tts'"):
        bench.install(EXPORT, "tts")
