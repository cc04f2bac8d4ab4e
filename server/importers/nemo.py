"""NeMo ``.nemo`` files: CTC and hybrid transducer-CTC models, of which the CTC part is served.

NeMo itself reads the file; its encoder and CTC decoder become one ONNX network, its filter bank and window
are written as they are.
"""

import logging
import math
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from model_runtime.recogniser import NETWORK_FILE
from model_runtime.spec import FrontEnd, Network, Reading, Spec
from server.errors import BadCheckpoint
from server.importers import filters
from server.importers.draft import (
    ASR,
    Draft,
    Wishes,
    library,
    reading,
    token_text,
    wanted,
    write_tokens,
)

EXPECTED = "a NeMo file (tar) with model_config.yaml and model_weights.ckpt of a CTC or hybrid CTC model"
MODELS = (
    "EncDecCTCModel",
    "EncDecCTCModelBPE",
    "EncDecHybridRNNTCTCModel",
    "EncDecHybridRNNTCTCBPEModel",
)
_NORMALISE = {"per_feature": "bins_sample", "all_features": "all_sample", "": "none"}
_OPSET = 17
_PROBE_FRAMES = 400


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of a model folder.

    Raises:
        BadCheckpoint: not a NeMo file, cut off, or of a class without CTC.
        BadSetting: NeMo cannot be imported here.
    """
    wanted(wishes, (ASR,), "a NeMo recogniser")
    kind = _described(source)
    model = _restored(source)
    decoder = getattr(model, "ctc_decoder", None) or model.decoder
    front_end = _front_end(model.preprocessor.featurizer, folder)
    factor = _export(model.encoder, decoder, model.preprocessor.featurizer.nfilt, folder / NETWORK_FILE)
    texts = [*_texts(model, list(decoder.vocabulary)), ""]
    write_tokens(texts, folder)
    network = Network("features", "lengths", "scores", bins_first=True, lengths_out="steps")
    silent = tuple(index for index, text in enumerate(texts) if not text)
    step_ms = factor * front_end.hop * 1000 / front_end.rate_hz
    spec = Spec(front_end=front_end, network=network, reading=Reading("ctc", step_ms, silent))
    return Draft(spec, f"NeMo {kind}", front_end.rate_hz)


def _described(source: Path) -> str:
    """The model's class, from the file's own description."""
    if not source.is_file():
        raise BadCheckpoint(f"{source} does not exist", help=f"expected {EXPECTED}")
    with reading(source, EXPECTED), tarfile.open(source) as archive:
        members = {Path(member.name).name: member for member in archive}
        missing = {"model_config.yaml", "model_weights.ckpt"} - set(members)
        if missing:
            raise BadCheckpoint(
                f"{source.name} has no {' and no '.join(sorted(missing))}", help=f"expected {EXPECTED}"
            )
        file = archive.extractfile(members["model_config.yaml"])
        content = yaml.safe_load(file.read()) if file is not None else None
    target = str(content.get("target", "")) if isinstance(content, dict) else ""
    kind = target.rpartition(".")[2]
    if kind not in MODELS:
        raise BadCheckpoint(
            f"{source.name} is a {kind or 'model without a class'}",
            help=f"expected one of {', '.join(MODELS)}",
        )
    return kind


def _restored(source: Path) -> Any:
    try:
        library("torchaudio", "nemo")
    except Exception:
        # NeMo takes a missing torchaudio, not one that was built for another machine
        sys.modules["torchaudio"] = None  # type: ignore[assignment]
    models = library("nemo.collections.asr.models", "nemo")
    logging.getLogger("nemo_logger").setLevel(logging.ERROR)
    with reading(source, EXPECTED):
        return models.ASRModel.restore_from(str(source), map_location="cpu").eval()


def _front_end(mel: Any, folder: Path) -> FrontEnd:
    normalise = mel.normalize or ""
    if normalise not in _NORMALISE or mel.exact_pad or mel.frame_splicing != 1 or not mel.log:
        raise BadCheckpoint(
            f"the features are normalised by {normalise!r}, exact_pad {mel.exact_pad}, "
            f"frame_splicing {mel.frame_splicing}, log {mel.log}",
            help="expected log mel features, per_feature, all_features or not normalised, one frame each",
        )
    window = np.ones(mel.win_length) if mel.window is None else mel.window.numpy()
    before = (mel.n_fft - len(window)) // 2
    padded = np.pad(window, (before, mel.n_fft - len(window) - before))
    filters.write_arrays(folder, padded, mel.fb[0].numpy())
    guard = mel.log_zero_guard_value
    eps = np.finfo(np.float32)
    return FrontEnd(
        mel.sample_rate, mel.n_fft, mel.hop_length, mel.n_fft, "centred", 1.0,
        "add" if mel.log_zero_guard_type == "add" else "floor",
        float({"tiny": eps.tiny, "eps": eps.eps}.get(guard, guard)),
        preemphasis=mel.preemph or 0.0, preemphasis_over="signal", power=mel.mag_power,
        normalise=_NORMALISE[normalise],  # type: ignore[arg-type]
    )  # fmt: skip


def _export(encoder: Any, decoder: Any, bins: int, path: Path) -> int:
    """Write encoder and decoder as one network; return how many frames a step takes."""
    torch = library("torch", "nemo")
    typecheck = library("nemo.core.classes.common", "nemo").typecheck

    class Recogniser(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder, decoder

        def forward(self, features: Any, lengths: Any) -> Any:
            encoded, steps = self.encoder(audio_signal=features, length=lengths)[:2]
            return self.decoder(encoder_output=encoded), steps

    features, lengths = torch.randn(2, bins, _PROBE_FRAMES), torch.tensor([_PROBE_FRAMES, _PROBE_FRAMES // 2])
    axes = {"features": {0: "B", 2: "T"}, "lengths": {0: "B"}, "scores": {0: "B", 1: "S"}, "steps": {0: "B"}}
    typecheck.set_typecheck_enabled(enabled=False)
    try:
        with torch.no_grad(), reading(path, "a network that can be written as ONNX"):
            network = Recogniser().eval()
            _, steps = network(features, lengths)
            torch.onnx.export(
                network, (features, lengths), str(path), input_names=["features", "lengths"],
                output_names=["scores", "steps"], dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
    finally:
        typecheck.set_typecheck_enabled(enabled=True)
    return 1 << round(math.log2(_PROBE_FRAMES / int(steps[0])))


def _texts(model: Any, vocabulary: list[str]) -> list[str]:
    """What each token says; characters as they are, pieces of words by their tokenizer's mark."""
    if getattr(model, "tokenizer", None) is None:
        return vocabulary
    if any(token.startswith("##") for token in vocabulary):
        return [
            token[2:] if token.startswith("##") else token_text(token) and f" {token}" for token in vocabulary
        ]
    return [token_text(token) for token in vocabulary]
