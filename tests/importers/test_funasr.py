"""FunASR folders: tiny models of FunASR's own code, model.pt and ONNX, held against FunASR itself."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import BadCheckpoint
from tests.importers.conftest import Bench, library, speech, squeezed
from tests.importers.funasr_models import HEADS, Made


@pytest.fixture(scope="module")
def funasr() -> Any:
    return library("funasr")


@pytest.fixture(scope="module")
def made(funasr: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    kinds: dict[str, Made] = {}

    def make(kind: str) -> Made:
        if kind not in kinds:
            kinds[kind] = Made(funasr, tmp_path_factory.mktemp(kind), kind)
        return kinds[kind]

    return make


SEGMENTS = [speech(16_000, seconds) for seconds in (1.5, 6.0, 2.3, 4.1)]


def test_sense_voice_is_funasrs_own(made: Callable[[str], Made], bench: Bench) -> None:
    model = made("SenseVoiceSmall")
    done = bench.install(model.folder, "asr")
    assert done.draft.spec.network is not None and done.draft.spec.network.padded_batch
    own = [answer["text"] for answer in model.own(SEGMENTS)]
    assert all(text.startswith("".join(HEADS)) for text in own), "the control: the heads are told"
    assert list(map(squeezed, bench.heard(SEGMENTS))) == list(map(squeezed, own))
    assert len(set(squeezed(own[1]))) >= 5, "the control: the network says different things"


def test_sense_voices_emotion_token_scores(made: Callable[[str], Made], bench: Bench) -> None:
    model = made("SenseVoiceSmall")
    assert bench.install(model.folder, "emotion", labels={"sad": "down"}).draft.labels == (
        "happy", "down", "angry", "neutral",
    )  # fmt: skip
    bench.lend_recogniser(16_000)
    with bench.served("asr", "emotion") as models:
        scores = models.emotions(SEGMENTS, deadline_s=60)
    assert (scores.argmax(1) == 1).all() and np.allclose(scores.sum(1), 1, atol=1e-3)


def test_paraformer_is_funasrs_own(
    made: Callable[[str], Made], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made("Paraformer")
    # FunASR 1.4.16 hands its weights and their sums to the clock in the wrong order
    module = importlib.import_module("funasr.models.paraformer.model")
    clock, told = module.ts_prediction_lfr6_standard, list[set[int]]()

    def right(sums: Any, weights: Any, *rest: Any, **more: Any) -> Any:
        answer = clock(weights, sums, *rest, **more)
        told.append({max(0, start) for start, _ in answer[1]})
        return answer

    monkeypatch.setattr(module, "ts_prediction_lfr6_standard", right)
    bench.install(model.folder, "asr")
    own = model.own(SEGMENTS)
    with bench.served("asr") as models:
        heard = models.transcribe(SEGMENTS, deadline_s=60)
    assert [squeezed("".join(units.characters)) for units in heard] == [
        squeezed(answer["text"]) for answer in own
    ]
    assert len(set(squeezed(own[1]["text"]))) >= 4, "the control: the network says different things"
    for units, starts in zip(heard, told, strict=True):
        mine = [ms for char, ms in zip(units.characters, units.start_ms, strict=True) if ord(char) > 127]
        assert max(min(abs(int(ms) - start) for start in starts) for ms in mine) <= 2, "FunASR's own times"


@pytest.mark.parametrize("kind", ["SenseVoiceSmall", "Paraformer"])
def test_its_own_onnx_export_gives_the_same(
    kind: str, made: Callable[[str], Made], bench: Bench, tmp_path: Path
) -> None:
    model = made(kind)
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("config.yaml", "am.mvn", "tokens.json"):
        shutil.copy(model.folder / name, folder)
    _exported(model, folder / "model.onnx")
    done = bench.install(folder, "asr")
    assert bool(done.draft.remarks) is (kind == "Paraformer"), (
        "FunASR's export of Paraformer tells no weights"
    )
    own = [answer["text"] for answer in model.own(SEGMENTS)]
    assert list(map(squeezed, bench.heard(SEGMENTS))) == list(map(squeezed, own))


def _exported(model: Made, path: Path) -> None:
    """FunASR's own export, by the tracing exporter (its default call takes torch's newer one)."""
    torch, auto = library("torch"), model.auto()
    about = {key: auto.kwargs[key] for key in ("encoder", "predictor", "decoder") if key in auto.kwargs}
    net = auto.model.export(max_seq_len=512, type="onnx", device="cpu", **about).eval()
    torch.onnx.export(
        net, net.export_dummy_inputs(), str(path), input_names=net.export_input_names(),
        output_names=net.export_output_names(), dynamic_axes=net.export_dynamic_axes(), opset_version=17,
        dynamo=False,
    )  # fmt: skip


def _spoilt(model: Made, folder: Path, spoil: Callable[[Path], object]) -> Path:
    shutil.copytree(model.folder, folder)
    spoil(folder)
    return folder


def test_damage_is_named_and_leaves_nothing(
    made: Callable[[str], Made], bench: Bench, tmp_path: Path
) -> None:
    model = made("Paraformer")

    def cut(name: str) -> Callable[[Path], object]:
        return lambda f: (f / name).write_bytes((f / name).read_bytes()[: (f / name).stat().st_size // 3])

    def swap(old: str, new: str) -> Callable[[Path], object]:
        return lambda f: (f / "config.yaml").write_text((f / "config.yaml").read_text().replace(old, new))

    cases: dict[str, tuple[Callable[[Path], object], str]] = {
        "weights cut off": (cut("model.pt"), "model.pt cannot be read"),
        "numbers cut off": (cut("am.mvn"), "am.mvn cannot be read"),
        "tokens cut off": (cut("tokens.json"), "tokens.json cannot be read"),
        "no tokens": (lambda f: (f / "tokens.json").unlink(), "tokens.json cannot be read"),
        "another model": (swap("model: Paraformer", "model: FsmnVADStreaming"), "is a FsmnVADStreaming"),
        "weights of a smaller one": (swap("num_blocks: 2", "num_blocks: 3"), "lacks"),
        "pickled code": (
            lambda f: (f / "model.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR."),
            "cannot be read",
        ),
    }
    for name, (spoil, message) in cases.items():
        folder = _spoilt(model, tmp_path / name.replace(" ", "_"), spoil)
        with pytest.raises(BadCheckpoint, match=message) as caught:
            bench.install(folder, "asr")
        assert "expected" in caught.value.help
    assert list(bench.settings.model_repository.iterdir()) == []
