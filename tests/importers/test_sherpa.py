"""sherpa-onnx exports: the served answer is the one that the sherpa_onnx package gives on the same sound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_runtime.audio import Pcm
from model_runtime.recogniser import prepared
from server.errors import BadCheckpoint, BadInput
from tests.importers import exports
from tests.importers.conftest import Bench, library, speech, squeezed

KINDS: dict[str, tuple[Callable[..., None], str, dict[str, Any]]] = {
    "zipformer": (exports.zipformer, "from_zipformer_ctc", {}),
    "nemo_ctc": (exports.nemo_ctc, "from_nemo_ctc", {}),
    "sense_voice": (exports.sense_voice, "from_sense_voice", {"language": "zh"}),
    "paraformer": (exports.paraformer, "from_paraformer", {}),
}


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    torch, onnx = library("torch"), library("onnx")

    def make(kind: str, **how: Any) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        KINDS[kind][0](torch, onnx, folder, **how)
        return folder

    return make


def its_own(kind: str, folder: Path) -> Callable[[Pcm], Any]:
    """The toolkit's own recogniser of an export."""
    _, door, options = KINDS[kind]
    make = getattr(library("sherpa_onnx").OfflineRecognizer, door)
    network = {"paraformer" if kind == "paraformer" else "model": str(folder / "model.onnx")}
    recogniser = make(**network, tokens=str(folder / "tokens.txt"), **options)

    def recognise(pcm: Pcm) -> Any:
        stream = recogniser.create_stream()
        stream.accept_waveform(16_000, pcm.astype(np.float32) / 32768)
        recogniser.decode_stream(stream)
        return stream.result

    return recognise


@pytest.mark.parametrize("kind", KINDS)
def test_served_answers_are_the_toolkits_own(kind: str, export: Callable[..., Path], bench: Bench) -> None:
    folder = export(kind)
    own = its_own(kind, folder)
    done = bench.install(folder, "asr")
    assert done.sample_rate_hz == 16_000
    assert done.draft.spec.network is not None and done.draft.spec.network.padded_batch
    segments = [speech(16_000, seconds) for seconds in (1.5, 4.0, 2.3, 3.1)]
    heard = bench.heard(segments)
    expected = [squeezed(own(pcm).text) for pcm in segments]
    assert [squeezed(text) for text in heard] == expected
    assert min(map(len, expected)) >= 8, "the control: the network says something that can differ"


@pytest.mark.parametrize("kind", ["zipformer", "nemo_ctc", "sense_voice"])
def test_starts_are_the_toolkits_own(kind: str, export: Callable[..., Path], bench: Bench) -> None:
    folder, pcm = export(kind), speech(16_000, 2.0)
    result = its_own(kind, folder)(pcm)
    bench.install(folder, "asr")
    with bench.served("asr") as models:
        (units,) = models.transcribe([pcm], deadline_s=60)
    starts = [
        round(1000 * start)
        for token, start in zip(result.tokens, result.timestamps, strict=True)
        for _ in squeezed(token.replace("▁", ""))[:1]
    ]
    firsts = [
        int(ms) for char, ms in zip(units.characters, units.start_ms, strict=True) if char in exports.HANZI
    ]
    assert firsts and set(firsts) <= set(starts)
    assert (np.diff(units.start_ms) >= 0).all() and (units.end_ms > units.start_ms).mean() > 0.9
    assert ((units.confidence > 0) & (units.confidence <= 1)).all()


def test_a_network_that_mixes_its_batch_is_asked_alone(export: Callable[..., Path], bench: Bench) -> None:
    folder = export("zipformer", leaky=True)
    own = its_own("zipformer", folder)
    done = bench.install(folder, "asr")
    assert done.draft.spec.network is not None and not done.draft.spec.network.padded_batch
    segments = [speech(16_000, seconds) for seconds in (1.5, 4.0)]
    assert [squeezed(text) for text in bench.heard(segments)] == [squeezed(own(pcm).text) for pcm in segments]


def test_sense_voice_tells_its_heads_and_scores_emotion(export: Callable[..., Path], bench: Bench) -> None:
    folder = export("sense_voice")
    assert bench.install(folder, "asr").draft.heads == ("LANGUAGE", "EMOTION", "EVENT")
    done = bench.install(folder, "emotion")
    assert done.draft.labels == ("happy", "sad", "angry", "neutral")
    result = its_own("sense_voice", folder)(speech(16_000))
    with bench.served("asr", "emotion") as models:
        assert models.emotion.labels == done.draft.labels
        scores = models.emotions([speech(16_000), speech(16_000, 3.0)], deadline_s=60)
    assert scores.shape == (2, 4) and np.allclose(scores.sum(1), 1, atol=1e-3)
    assert result.emotion == "<|HAPPY|>" and (scores.argmax(1) == 0).all()


def test_telephone_sound_is_resampled(export: Callable[..., Path], bench: Bench) -> None:
    folder = export("zipformer")
    done = bench.install(folder, "asr", sample_rate_hz=8000)
    assert done.sample_rate_hz == 8000 and done.draft.rate_hz == 16_000
    pcm = speech(8000, 3.0)
    (heard,) = bench.heard([pcm])
    own = its_own("zipformer", folder)(prepared(pcm, 8000, 16_000) * 32768)
    assert squeezed(heard) == squeezed(own.text) and len(heard) >= 8


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _foreign(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"PK\x03\x04 no network")


def _split(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "decoder.onnx")
    (folder / "encoder.onnx").write_bytes(b"")


SPOILS: dict[str, tuple[Callable[[Path], object], str]] = {
    "network cut off": (lambda f: _cut(f / "model.onnx"), "cannot be read"),
    "network of another kind": (_foreign, "cannot be read"),
    "tokens cut off": (lambda f: _cut(f / "tokens.txt"), "tokens"),
    "tokens of another model": (lambda f: (f / "tokens.txt").write_text("<blk> 0\na 1\n"), "tells"),
    "tokens without numbers": (lambda f: (f / "tokens.txt").write_text("<blk>\na\n"), "line 1"),
    "two networks": (_split, "2 networks"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
def test_damage_is_named_and_leaves_nothing(spoil: str, export: Callable[..., Path], bench: Bench) -> None:
    folder = export("zipformer")
    SPOILS[spoil][0](folder)
    with pytest.raises(BadCheckpoint, match=SPOILS[spoil][1]) as caught:
        bench.install(folder, "asr")
    assert "expected" in caught.value.help
    assert list(bench.settings.model_repository.iterdir()) == []


@pytest.mark.parametrize(
    "change, message", [("model_type", "model_type"), ("subsampling_factor", "subsampling_factor")]
)
def test_missing_metadata_is_named(
    change: str, message: str, export: Callable[..., Path], bench: Bench
) -> None:
    folder, onnx = export("nemo_ctc"), library("onnx")
    model = onnx.load(str(folder / "model.onnx"))
    kept = [entry for entry in model.metadata_props if entry.key != change]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, str(folder / "model.onnx"))
    with pytest.raises(BadCheckpoint, match=message):
        bench.install(folder, "asr")


def test_a_recogniser_takes_no_other_place(export: Callable[..., Path], bench: Bench) -> None:
    folder = export("zipformer")
    with pytest.raises(BadCheckpoint, match="cannot serve as 'semantic_tags'"):
        bench.install(folder, "semantic_tags")
    bench.install(folder, "asr")
    with pytest.raises(BadInput, match="holds a model already"):
        bench.install(folder, "asr")
