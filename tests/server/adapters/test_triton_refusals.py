"""What ``connect`` refuses to run on: wrong interpreters, spoilt models, machines without Triton."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from server.adapters import triton_probe, triton_process
from server.adapters.triton import connect
from server.errors import BadModel, BadSetting, EarshotError
from tests.fakes.repository import NOTHING, Leftovers, copy_models, edit, edit_canary
from tests.server.adapters.conftest import settings


def refusal(**overrides: object) -> EarshotError:
    """The error with which ``connect`` refuses."""
    with pytest.raises(EarshotError) as raised:
        connect(settings(**overrides)).close()
    assert "\nhelp: " in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ("import numpy; numpy.__version__ = '2.1.0'", "numpy 2.1.0"),
        ("sys.version = '3.12.1 (x)'", "Python 3.12.1"),
    ],
)
def test_a_wrong_interpreter_is_refused(
    base: Path, leftovers: Leftovers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str, words: str
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", tmp_path / "v"], check=True)
    packages = tmp_path / "v" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({sysconfig.get_path('purelib')!r})\n{lie}\n"
    )
    monkeypatch.setattr(triton_process, "INTERPRETER_BIN", tmp_path / "v" / "bin")
    error = refusal()
    assert isinstance(error, BadSetting) and words in error.what
    assert leftovers.look() == NOTHING


@pytest.mark.parametrize("spoilt", ["numpy.full_like(x, x.flat[1])", "x[:0].copy()"])
def test_spoilt_tensors_are_refused(base: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str) -> None:
    model = triton_probe._MODEL.replace("import sys\n", "import sys\nimport numpy\n").replace(
        "x.copy()", spoilt
    )
    monkeypatch.setattr(triton_probe, "_MODEL", model)
    error = refusal()
    assert isinstance(error, BadModel) and "spoils tensors" in error.what


def wrong_answer(models: Path) -> None:
    edit_canary(models / "asr", lambda canary: canary["outputs"]["UNITS"].update(data=["3", "8"]))


def wrong_scores(models: Path) -> None:
    edit(models / "emotion" / "1" / "model.py", "loud, 1 - loud", "loud, 0.9 - loud")


def empty_output(models: Path) -> None:
    edit(
        models / "emotion" / "1" / "model.py",
        "np.array([scores], np.float32)",
        "np.zeros((1, 0), np.float32)",
    )


def wrong_datatype(models: Path) -> None:
    edit(
        models / "semantic_tags" / "config.pbtxt",
        '"SCORES", data_type: TYPE_FP32',
        '"SCORES", data_type: TYPE_FP64',
    )
    edit(
        models / "semantic_tags" / "1" / "model.py",
        "np.array(scores, np.float32)",
        "np.array(scores, np.float64)",
    )


def unchecked_shape(models: Path) -> None:
    (models / "emotion" / "canary.json").unlink()
    edit(models / "emotion" / "config.pbtxt", '"loud, quiet"', '"loud, quiet, silent"')


def no_model(models: Path) -> None:
    (models / "asr").rename(models / "asr_old")


def broken_code(models: Path) -> None:
    edit(models / "asr" / "1" / "model.py", "import numpy as np", "import numpy as np\nimport no_such_module")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_answer, "'asr' fails its canary: it gives a wrong canary answer: UNITS"),
        (wrong_scores, "'emotion' fails its canary: it gives a wrong canary answer: SCORES is 0.1 off"),
        (empty_output, "'emotion' fails its canary"),
        (wrong_datatype, "output SCORES is FP64, expected FP32"),
        (unchecked_shape, "SCORES of shape [1, 1, 2], expected [1, 1, 3]"),
        (no_model, "has no model 'asr'"),
        (broken_code, "no_such_module"),
    ],
)
def test_a_spoilt_model_is_refused(
    base: Path, leftovers: Leftovers, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    models = copy_models(tmp_path)
    spoil(models)
    error = refusal(model_repository=models)
    assert isinstance(error, BadModel) and words in error.what
    assert str(tmp_path) not in str(error)
    assert leftovers.look() == NOTHING


def test_places_without_triton_are_refused(base: Path, tmp_path: Path) -> None:
    assert "is not a folder" in refusal(model_repository=tmp_path / "none").what
    assert "missing" in refusal(triton_bin=str(tmp_path / "bin" / "tritonserver")).what
    assert list(base.iterdir()) == []


def test_an_address_where_nobody_answers_is_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("server.adapters.triton_supervisor.LIVE_S", 0.5)
    assert "does not answer" in refusal(triton_url=f"unix:{tmp_path}/none").what
