"""NeMo files: tiny checkpoints made by NeMo itself, and a trained one where the machine has it."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_runtime.audio import Pcm
from server.errors import BadCheckpoint
from tests.importers.conftest import Bench, library, speech, squeezed

TEXT = "您好请问是王先生吗 我们的账单逾期了 hello world this is a call 请您尽快处理一下 好的谢谢 goodbye"
KINDS = ("conformer_char", "fastconformer_bpe", "hybrid_bpe")
TRAINED = os.environ.get("EARSHOT_TRAINED_NEMO", "")


@pytest.fixture(scope="module")
def nemo() -> Any:
    return library("nemo.collections.asr")


def _mel(rate_hz: int, normalize: str = "per_feature") -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "sample_rate": rate_hz, "normalize": normalize, "window_size": 0.025, "window_stride": 0.01,
        "window": "hann", "features": 80, "n_fft": 512, "dither": 1e-5, "pad_to": 16,
    }  # fmt: skip


def _encoder(kind: str) -> dict[str, Any]:
    fast = kind != "conformer_char"
    return {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": 80, "n_layers": 2, "d_model": 32, "n_heads": 2, "conv_kernel_size": 9,
        "subsampling": "dw_striding" if fast else "striding", "subsampling_factor": 8 if fast else 4,
        "subsampling_conv_channels": 16, "self_attention_model": "rel_pos", "xscaling": False,
        "pos_emb_max_len": 500,
    }  # fmt: skip


def _tokenizer(folder: Path) -> dict[str, str]:
    folder.mkdir()
    (folder / "text.txt").write_text("\n".join(TEXT.split()) + f"\n{TEXT}\n", encoding="utf-8")
    library("sentencepiece").SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "tokenizer"), vocab_size=60,
        model_type="bpe", character_coverage=1.0, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    pieces = [line.split("\t")[0] for line in (folder / "tokenizer.vocab").read_text("utf-8").splitlines()]
    (folder / "vocab.txt").write_text("\n".join(pieces[1:]) + "\n", encoding="utf-8")
    return {"dir": str(folder), "type": "bpe"}


def _hybrid() -> dict[str, Any]:
    decoder = {
        "_target_": "nemo.collections.asr.modules.RNNTDecoder",
        "prednet": {"pred_hidden": 16, "pred_rnn_layers": 1},
    }
    joint = {
        "_target_": "nemo.collections.asr.modules.RNNTJoint",
        "log_softmax": None, "fuse_loss_wer": False,
        "jointnet": {"joint_hidden": 16, "activation": "relu", "dropout": 0.0},
    }  # fmt: skip
    ctc = {
        "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
        "feat_in": 32, "num_classes": -1, "vocabulary": [],
    }  # fmt: skip
    return {
        "decoder": decoder,
        "joint": joint,
        "aux_ctc": {
            "decoder": ctc, "decoding": {"strategy": "greedy"}, "ctc_loss_weight": 0.3,
            "ctc_reduction": "mean_batch",
        },
        "model_defaults": {"enc_hidden": 32, "pred_hidden": 16},
        "decoding": {"strategy": "greedy", "greedy": {"max_symbols": 5}},
        "loss": {"loss_name": "default"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(nemo: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any]]:
    """Makes a tiny checkpoint of a kind; returns its file and the model."""
    torch, conf = library("torch"), library("omegaconf").OmegaConf
    made: dict[str, tuple[Path, Any]] = {}

    def make(kind: str) -> tuple[Path, Any]:
        if kind in made:
            return made[kind]
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(7)
        rate_hz = 8000 if kind == "conformer_char" else 16_000
        config: dict[str, Any] = {
            "sample_rate": rate_hz,
            "preprocessor": _mel(rate_hz),
            "encoder": _encoder(kind),
        }
        ctc = {"_target_": "nemo.collections.asr.modules.ConvASRDecoder", "feat_in": 32, "num_classes": -1}
        if kind == "conformer_char":
            labels = sorted(set(TEXT))
            config |= {"labels": labels, "decoder": ctc | {"num_classes": len(labels), "vocabulary": labels}}
            model = nemo.models.EncDecCTCModel(conf.create(config))
        elif kind == "fastconformer_bpe":
            config |= {"tokenizer": _tokenizer(folder / "tokenizer"), "decoder": ctc | {"vocabulary": []}}
            model = nemo.models.EncDecCTCModelBPE(conf.create(config))
        else:
            config |= {"tokenizer": _tokenizer(folder / "tokenizer")} | _hybrid()
            model = nemo.models.EncDecHybridRNNTCTCBPEModel(conf.create(config))
            model.change_decoding_strategy(decoder_type="ctc", verbose=False)
        _loosen(torch, model, rate_hz)
        path = folder / f"{kind}.nemo"
        model.save_to(str(path))
        made[kind] = path, model.eval()
        return made[kind]

    return make


def _loosen(torch: Any, model: Any, rate_hz: int) -> None:
    """Take the mean out of what the random decoder sees, so that it says many different things."""
    sound = torch.tensor(speech(rate_hz, 6.0).astype(np.float32) / 32768)[None]
    model.eval()
    with torch.no_grad():
        features, lengths = model.preprocessor(input_signal=sound, length=torch.tensor([sound.shape[1]]))
        encoded, _ = model.encoder(audio_signal=features, length=lengths)
        layer = (getattr(model, "ctc_decoder", None) or model.decoder).decoder_layers[0]
        layer.weight.mul_(30.0)
        layer.bias.copy_(-(layer.weight[:, :, 0] @ encoded[0].mean(1)))


def own_texts(model: Any, segments: list[Pcm]) -> list[str]:
    """What NeMo itself hears, one segment at a time."""
    sounds = [pcm.astype(np.float32) / 32768 for pcm in segments]
    model.preprocessor.featurizer.dither = 0.0
    return [answer.text for answer in model.transcribe(sounds, batch_size=1, verbose=False)]


@pytest.mark.parametrize("kind", KINDS)
def test_served_answers_are_nemos_own(
    kind: str, checkpoint: Callable[[str], tuple[Path, Any]], bench: Bench
) -> None:
    path, model = checkpoint(kind)
    done = bench.install(path, "asr")
    rate_hz = done.sample_rate_hz
    assert rate_hz == (8000 if kind == "conformer_char" else 16_000)
    assert done.draft.spec.network is not None and done.draft.spec.network.padded_batch
    assert done.draft.spec.reading is not None
    assert done.draft.spec.reading.step_ms == (40 if kind == "conformer_char" else 80)
    segments = [speech(rate_hz, seconds) for seconds in (1.5, 6.0, 2.3, 4.1)]
    heard, own = bench.heard(segments), own_texts(model, segments)
    assert list(map(squeezed, heard)) == list(map(squeezed, own))
    assert len(set(own[1])) >= 5, "the control: the network says different things"


@pytest.mark.skipif(not TRAINED, reason="EARSHOT_TRAINED_NEMO names no file")
def test_a_trained_model_hears_the_canary(nemo: Any, bench: Bench) -> None:
    done = bench.install(Path(TRAINED), "asr")
    assert done.heard.startswith("您好请问是")
    segments = [speech(done.sample_rate_hz, seconds) for seconds in (1.5, 12.0, 3.1)]
    model = nemo.models.ASRModel.restore_from(TRAINED, map_location="cpu").eval()
    assert bench.heard(segments) == own_texts(model, segments)


def _renamed(source: Path, path: Path, drop: str) -> Path:
    with tarfile.open(source) as old, tarfile.open(path, "w") as new:
        for member in old:
            if not member.name.endswith(drop):
                new.addfile(member, old.extractfile(member))
    return path


def test_damage_is_named_and_leaves_nothing(
    checkpoint: Callable[[str], tuple[Path, Any]], bench: Bench, tmp_path: Path
) -> None:
    path, _ = checkpoint("conformer_char")
    half = tmp_path / "half.nemo"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    foreign = tmp_path / "foreign.nemo"
    foreign.write_bytes(b"RIFF....WAVEfmt ")
    cases = {
        half: "half.nemo",
        foreign: "cannot be read",
        _renamed(path, tmp_path / "weightless.nemo", ".ckpt"): "no model_weights.ckpt",
        tmp_path / "absent.nemo": "does not exist",
    }
    for source, message in cases.items():
        with pytest.raises(BadCheckpoint, match=message) as caught:
            bench.install(source, "asr")
        assert "expected a NeMo file" in caught.value.help
    assert list(bench.settings.model_repository.iterdir()) == []


def test_a_model_without_ctc_is_named(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "model_config.yaml").write_text(
        "target: nemo.collections.asr.models.label_models.EncDecSpeakerLabelModel\n"
    )
    (tmp_path / "model_weights.ckpt").write_bytes(b"")
    path = tmp_path / "speaker.nemo"
    with tarfile.open(path, "w") as archive:
        for name in ("model_config.yaml", "model_weights.ckpt"):
            archive.add(tmp_path / name, arcname=f"./{name}")
    with pytest.raises(BadCheckpoint, match="is a EncDecSpeakerLabelModel"):
        bench.install(path, "asr")
