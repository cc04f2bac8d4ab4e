"""NeMo checkpoints in our own Conformer: NeMo's answers, alone, in batches and behind Triton."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.errors import BadCheckpoint, BadInput, BadModel, BadSetting
from server.gpu_app import put_on
from server.importers import nemo_weights
from server.importers.gpu import Serving
from tests.importers.conftest import Bench, library, speech, squeezed
from tests.importers.test_nemo import KINDS, TRAINED, checkpoint, nemo, own_texts  # noqa: F401

Checkpoint = Callable[[str], tuple[Path, Any]]
ON_CPU = Serving("CPU", "fp32", 1)
TOLERANCE = 1e-3
"""Largest difference of log probabilities between NeMo and ours, both fp32 on a CPU."""


@pytest.fixture
def torch() -> Any:
    return library("torch")


def _ours(torch: Any, path: Path) -> Any:
    from model_runtime.gpu.conformer import Conformer, Shape

    shape, state = nemo_weights.read(path)
    network = Conformer(Shape(**shape))
    network.load_state_dict(state)
    return network.eval()


def _differences(torch: Any, model: Any, network: Any) -> list[float]:
    """Largest difference of the log probabilities of rows of 203, 150 and 81 frames in one batch."""
    frames = torch.tensor([203, 150, 81])
    mel = torch.randn(3, network.shape.bins, 203, generator=torch.Generator().manual_seed(0))
    decoder = getattr(model, "ctc_decoder", None) or model.decoder
    with torch.inference_mode():
        encoded, lengths = model.encoder(audio_signal=mel, length=frames)
        theirs = decoder(encoder_output=encoded)
        ours, steps = network(mel.transpose(1, 2), frames)
    assert steps.tolist() == lengths.tolist()
    pairs = zip(theirs, ours.log_softmax(-1), steps.tolist(), strict=True)
    return [float((one[:count] - other[:count]).abs().max()) for one, other, count in pairs]


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_is_nemos(kind: str, checkpoint: Checkpoint, torch: Any) -> None:  # noqa: F811
    path, model = checkpoint(kind)
    network = _ours(torch, path)
    assert max(_differences(torch, model, network)) < TOLERANCE
    with torch.no_grad():
        network.layers[0].attention.position_bias += 0.5
    assert max(_differences(torch, model, network)) > TOLERANCE, "the control: another network is noticed"


@pytest.mark.parametrize(
    "wish",
    [{"xscaling": True}, {"conv_norm_type": "layer_norm"}, {"use_bias": False}, {"untie_biases": False}],
    ids=str,
)
def test_variants_of_the_encoder_are_nemos(wish: dict[str, Any], nemo: Any, torch: Any) -> None:  # noqa: F811
    from model_runtime.gpu.conformer import Conformer, Shape

    torch.manual_seed(3)
    told = {"feat_in": 80, "n_layers": 2, "d_model": 32, "n_heads": 2, "conv_kernel_size": 9} | {
        "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": 16
    }  # fmt: skip
    model = nemo.modules.ConformerEncoder(**told, **wish).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith(("pos_bias_u", "pos_bias_v", "running_mean")):
            tensor.normal_()
    state = {f"encoder.{name}": tensor for name, tensor in model.state_dict().items()}
    state |= {"decoder.decoder_layers.0.weight": torch.eye(32)[:, :, None]}
    state |= {
        "decoder.decoder_layers.0.bias": torch.zeros(32),
        "preprocessor.featurizer.fb": torch.zeros(1, 80, 1),
    }
    shape = nemo_weights._with_sizes(
        nemo_weights._shape({"_target_": "ConformerEncoder", **told, **wish}), state
    )
    network = Conformer(Shape(**shape)).eval()
    network.load_state_dict(nemo_weights._renamed(state, shape))
    mel, frames = torch.randn(2, 203, 80), torch.tensor([203, 97])
    with torch.inference_mode():
        theirs, _ = model(audio_signal=mel.transpose(1, 2), length=frames)
        ours, steps = network(mel, frames)
    for one, other, count in zip(theirs.transpose(1, 2), ours, steps.tolist(), strict=True):
        assert float((one[:count] - other[:count]).abs().max()) < TOLERANCE


@pytest.mark.skipif(not TRAINED, reason="EARSHOT_TRAINED_NEMO names no file")
def test_the_encoder_of_a_trained_model_is_nemos(nemo: Any, torch: Any) -> None:  # noqa: F811
    model = nemo.models.ASRModel.restore_from(TRAINED, map_location="cpu").eval()
    assert max(_differences(torch, model, _ours(torch, Path(TRAINED)))) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_a_converted_folder_answers_as_before(kind: str, checkpoint: Checkpoint, bench: Bench) -> None:  # noqa: F811
    path, model = checkpoint(kind)
    done = bench.install(path, "asr")
    put_on(done.folder, path, ON_CPU, bench.settings)
    segments = [speech(done.sample_rate_hz, seconds) for seconds in (1.5, 6.0, 2.3, 4.1)]
    heard, own = bench.heard(segments), own_texts(model, segments)
    assert list(map(squeezed, heard)) == list(map(squeezed, own))
    assert len(set(own[1])) >= 5, "the control: the network says different things"
    written = (done.folder / "config.pbtxt").read_text()
    assert "max_batch_size: 256" in written and "KIND_CPU" in written and '"1/encoder.pt"' in written
    assert '"precision" value: { string_value: "fp32" }' in written
    assert not (done.folder / "1" / "model.onnx").exists()


@pytest.mark.skipif(not TRAINED, reason="EARSHOT_TRAINED_NEMO names no file")
def test_a_trained_model_hears_the_canary(nemo: Any, bench: Bench) -> None:  # noqa: F811
    done = bench.install(Path(TRAINED), "asr")
    put_on(done.folder, Path(TRAINED), ON_CPU, bench.settings)
    segments = [speech(done.sample_rate_hz, seconds) for seconds in (1.5, 12.0, 3.1)]
    model = nemo.models.ASRModel.restore_from(TRAINED, map_location="cpu").eval()
    assert bench.heard(segments) == own_texts(model, segments)


def test_what_does_not_fit_is_named_and_changes_nothing(
    checkpoint: Checkpoint,  # noqa: F811
    bench: Bench,
    tmp_path: Path,
) -> None:
    path, _ = checkpoint("fastconformer_bpe")
    other, _ = checkpoint("hybrid_bpe")
    done = bench.install(path, "asr")
    before = {file.name: file.read_bytes() for file in done.folder.rglob("*") if file.is_file()}
    with pytest.raises(BadCheckpoint, match=r"answers otherwise than model\.onnx"):
        put_on(done.folder, other, ON_CPU, bench.settings)
    with pytest.raises(BadInput, match="no folder named asr"):
        put_on(tmp_path, path, ON_CPU, bench.settings)
    after = {file.name: file.read_bytes() for file in done.folder.rglob("*") if file.is_file()}
    assert after == before
    assert [place.name for place in done.folder.parent.iterdir()] == ["asr"]


def test_a_starter_model_is_refused(torch: Any, bench: Bench) -> None:
    place = bench.settings.model_repository / "asr"
    (place / "1").mkdir(parents=True)
    with pytest.raises(BadCheckpoint, match=r"lacks model\.json"):
        put_on(place, Path("absent.nemo"), ON_CPU, bench.settings)


@pytest.mark.skipif(bool(os.environ.get("CUDA_VISIBLE_DEVICES")), reason="there may be a GPU")
def test_without_a_gpu_the_help_says_what_to_do(checkpoint: Checkpoint, bench: Bench, torch: Any) -> None:  # noqa: F811
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    path, _ = checkpoint("fastconformer_bpe")
    done = bench.install(path, "asr")
    with pytest.raises(BadSetting, match="no CUDA device") as caught:
        put_on(done.folder, path, Serving(), bench.settings)
    assert "--unproved" in caught.value.help
    put_on(done.folder, path, Serving(), bench.settings, proved=False)
    with pytest.raises(BadModel, match="GPU"), bench.served("asr"):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [("att_context_size", [70, 13]), ("self_attention_model", "abs_pos"), ("causal_downsampling", True)],
)
def test_another_kind_of_encoder_is_refused_by_name(name: str, value: Any) -> None:
    encoder = {"_target_": "nemo.ConformerEncoder", "d_model": 32, "n_layers": 1, "n_heads": 2, name: value}
    with pytest.raises(BadCheckpoint, match=name):
        nemo_weights._shape(encoder)
