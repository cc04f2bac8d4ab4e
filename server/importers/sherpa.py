"""sherpa-onnx exports: ``model.onnx`` whose metadata tells the front end, and ``tokens.txt``.

Front ends and metadata names follow sherpa-onnx (k2-fsa/sherpa-onnx, csrc/offline-*-model.cc and
offline-recognizer-*-impl.h, Apache-2.0); tests hold the served answers against the sherpa_onnx package.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from model_runtime.spec import FrontEnd, Network, Reading, Spec
from server.errors import BadCheckpoint
from server.importers import alibaba, filters
from server.importers.draft import (
    ASR,
    EMOTION,
    Draft,
    Wishes,
    copy_network,
    silent_tokens,
    token_text,
    wanted,
    write_tokens,
)
from server.importers.kaldi import FLOOR, Stacking, stacked_front_end
from server.importers.sherpa_export import Export, open_export

RATE_HZ, FRAME, HOP, N_FFT, BINS = 16_000, 400, 160, 512, 80
NEMO_GUARD = 2.0**-24
LOG_SILENCE = -23.025850929940457
_BLANKS = ("<blk>", "<eps>", "<blank>")


def is_export(source: Path) -> bool:
    """Whether a folder looks like one."""
    return (source / "tokens.txt").is_file() and any(source.glob("*.onnx"))


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of an export's model folder.

    Raises:
        BadCheckpoint: it is damaged, or of a kind that cannot be served.
    """
    export = open_export(source)
    kind = export.text("model_type")
    if kind not in _KINDS:
        raise BadCheckpoint(
            f"{export.path.name} is a {kind!r}",
            help=f"expected one of {', '.join(sorted(_KINDS))} as model_type",
        )
    draft = _KINDS[kind](export, folder, wishes)
    copy_network(export.path, folder)
    symbols = alibaba.paraformer_texts(export.symbols) if kind == "paraformer" else export.symbols
    write_tokens([token_text(symbol) for symbol in symbols], folder)
    return draft


def _sense_voice(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR, EMOTION), "SenseVoice")
    if "Nano" in export.metadata.get("comment", ""):
        raise BadCheckpoint(
            "this is a FunASR Nano export", help="expected SenseVoice Small, with its four head tokens"
        )
    name = f"lang_{wishes.language}"
    features, lengths, language, form = export.inputs
    told = {
        language: export.number(name if name in export.metadata else "lang_auto"),
        form: export.number("without_itn"),
    }
    network = Network(features, lengths, export.outputs[0], constants=told)
    blank = int(export.metadata.get("blank_id", "0"))
    front_end = _stacked(export, folder)
    return alibaba.sense_voice(wishes, "sherpa-onnx SenseVoice", front_end, network, export.symbols, blank)


def _paraformer(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "Paraformer")
    weights = next((name for name in export.outputs[2:] if "alpha" in name), "")
    features, lengths = export.inputs[:2]
    network = Network(features, lengths, export.outputs[0], lengths_out=export.outputs[1], weights=weights)
    front_end = _stacked(export, folder)
    return alibaba.paraformer("sherpa-onnx Paraformer", front_end, network, export.symbols)


def _stacked(export: Export, folder: Path) -> FrontEnd:
    stacking = Stacking(
        export.number("lfr_window_size"), export.number("lfr_window_shift"),
        export.floats("neg_mean"), export.floats("inv_stddev"),
    )  # fmt: skip
    full_scale = 1.0 if export.metadata.get("normalize_samples", "0") == "1" else 32768.0
    return stacked_front_end(
        folder, stacking, rate_hz=RATE_HZ, bins=BINS, window="hamming", full_scale=full_scale
    )


def _nemo_ctc(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "a CTC model")
    normalise = export.metadata.get("normalize_type", "")
    if normalise not in ("", "NA", "per_feature") or export.metadata.get("is_giga_am", "0") != "0":
        raise BadCheckpoint(
            f"{export.path.name} wants features normalised by {normalise or 'GigaAM'!r}",
            help="expected per_feature, or none",
        )
    bins = export.session.get_inputs()[0].shape[1]
    bins = bins if isinstance(bins, int) else BINS
    bank = filters.slaney_filters(bins, N_FFT, RATE_HZ)
    filters.write_arrays(folder, filters.kaldi_window("hann", FRAME), bank)
    front_end = FrontEnd(
        RATE_HZ, FRAME, HOP, N_FFT, "mirrored", 1.0, "add", NEMO_GUARD, preemphasis=0.97,
        normalise="bins_population" if normalise == "per_feature" else "none",
    )  # fmt: skip
    factor = export.number("subsampling_factor")
    network = Network(
        export.inputs[0],
        export.inputs[1],
        export.outputs[0],
        bins_first=True,
        length_divisor=factor,
        padding=LOG_SILENCE,
    )
    reading = Reading("ctc", factor * 10.0, silent_tokens(export.symbols, export.token(*_BLANKS)))
    return Draft(Spec(front_end=front_end, network=network, reading=reading), "sherpa-onnx NeMo CTC", RATE_HZ)


def _zipformer_ctc(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "a CTC model")
    bank = filters.kaldi_filters(BINS, N_FFT, RATE_HZ, 20.0, -400.0)
    filters.write_arrays(folder, filters.kaldi_window("povey", FRAME), bank)
    front_end = FrontEnd(
        RATE_HZ, FRAME, HOP, N_FFT, "mirrored", 1.0, "floor", FLOOR, preemphasis=0.97, remove_mean=True
    )
    network = Network(
        export.inputs[0],
        export.inputs[1],
        export.outputs[0],
        lengths_out=export.outputs[1],
        padding=LOG_SILENCE,
    )
    reading = Reading("ctc", 40.0, silent_tokens(export.symbols, export.token(*_BLANKS)))
    return Draft(
        Spec(front_end=front_end, network=network, reading=reading), "sherpa-onnx Zipformer CTC", RATE_HZ
    )


_KINDS: Mapping[str, Callable[[Export, Path, Wishes], Draft]] = {
    "sense_voice_ctc": _sense_voice,
    "paraformer": _paraformer,
    "zipformer2_ctc": _zipformer_ctc,
    "EncDecCTCModelBPE": _nemo_ctc,
    "EncDecCTCModel": _nemo_ctc,
    "EncDecHybridRNNTCTCBPEModel": _nemo_ctc,
    "EncDecHybridRNNTCTCModel": _nemo_ctc,
}
