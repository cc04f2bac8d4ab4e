"""sherpa-onnx exports: ``model.onnx`` whose metadata tells the front end, and ``tokens.txt``.

Front ends and metadata names follow sherpa-onnx (k2-fsa/sherpa-onnx, csrc/offline-*-model.cc and
offline-recognizer-*-impl.h, Apache-2.0); tests hold the served answers against the sherpa_onnx package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_runtime.spec import Classifier, FrontEnd, Network, Reading, Spec
from server.errors import BadCheckpoint
from server.importers import filters
from server.importers.draft import (
    ASR,
    EMOTION,
    Draft,
    Wishes,
    copy_network,
    open_network,
    token_text,
    wanted,
    write_tokens,
)

EXPECTED = "a sherpa-onnx export: model.onnx (or model.int8.onnx) with metadata, and tokens.txt"
RATE_HZ, FRAME, HOP, N_FFT, BINS = 16_000, 400, 160, 512, 80
FLOOR = float(np.finfo(np.float32).eps)
LOG_SILENCE = -23.025850929940457
SENSE_HEADS = ("LANGUAGE", "EMOTION", "EVENT", "FORM")
EMOTIONS = ("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED")
"""SenseVoice's emotion tokens; EMO_UNKNOWN is left out, the scores of the others add up to 1."""
_BLANKS = ("<blk>", "<eps>", "<blank>")


@dataclass(frozen=True)
class Export:
    """An opened export."""

    path: Path
    session: onnxruntime.InferenceSession
    metadata: Mapping[str, str]
    symbols: tuple[str, ...]

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return [node.name for node in self.session.get_inputs()]

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs, in order."""
        return [node.name for node in self.session.get_outputs()]

    def text(self, name: str) -> str:
        """An entry of the metadata, which must be there."""
        if name not in self.metadata:
            raise BadCheckpoint(
                f"{self.path.name} has no {name!r} in its metadata; it has {', '.join(sorted(self.metadata)) or 'none'}",
                help="expected an export made by sherpa-onnx's own script, which writes the front end there",
            )
        return self.metadata[name]

    def number(self, name: str) -> int:
        """A whole number of the metadata."""
        try:
            return int(self.text(name))
        except ValueError:
            raise BadCheckpoint(
                f"{self.path.name} says {name} = {self.metadata[name]!r}", help="expected a whole number there"
            ) from None

    def floats(self, name: str) -> NDArray[np.float32]:
        """A list of numbers of the metadata."""
        try:
            return np.array([float(word) for word in self.text(name).split(",")], np.float32)
        except ValueError as error:
            raise BadCheckpoint(
                f"{name} of {self.path.name}: {error}", help="expected numbers parted by commas there"
            ) from None

    def token(self, *names: str) -> int:
        """The id of the first of some symbols that the table has."""
        for name in names:
            if name in self.symbols:
                return self.symbols.index(name)
        raise BadCheckpoint(f"tokens.txt has none of {', '.join(names)}", help=f"expected {EXPECTED}")


def is_export(source: Path) -> bool:
    """Whether a folder looks like one."""
    return (source / "tokens.txt").is_file() and any(source.glob("*.onnx"))


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of an export's model folder.

    Raises:
        BadCheckpoint: it is damaged, or of a kind that cannot be served.
    """
    path = _network_file(source)
    session = open_network(path, EXPECTED)
    metadata = session.get_modelmeta().custom_metadata_map
    export = Export(path, session, metadata, _symbols(source / "tokens.txt"))
    kind = export.text("model_type")
    if kind not in _KINDS:
        raise BadCheckpoint(
            f"{path.name} is a {kind!r}", help=f"expected one of {', '.join(sorted(_KINDS))} as model_type"
        )
    _check_width(export)
    draft = _KINDS[kind](export, folder, wishes)
    copy_network(path, folder)
    write_tokens([token_text(symbol) for symbol in export.symbols], folder)
    return draft


def _network_file(source: Path) -> Path:
    found = sorted(path for path in source.glob("*.onnx"))
    for name in ("model.onnx", "model.int8.onnx"):
        if source / name in found:
            return source / name
    if len(found) != 1:
        raise BadCheckpoint(
            f"{source.name} holds {len(found)} networks: {', '.join(path.name for path in found)}",
            help=f"expected {EXPECTED}; transducers (encoder, decoder, joiner) cannot be imported",
        )
    return found[0]


def _symbols(path: Path) -> tuple[str, ...]:
    """Symbols by id; a line without a symbol stands for the space."""
    table: dict[int, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadCheckpoint(f"{path.name} is not UTF-8 at byte {error.start}", help=f"expected {EXPECTED}") from None
    for number, line in enumerate(filter(str.strip, lines), 1):
        symbol, _, index = line.rstrip().rpartition(" ")
        if not index.isdecimal():
            raise BadCheckpoint(
                f"line {number} of {path.name} is {line[:40]!r}", help="expected a symbol, a space and its number"
            )
        table[int(index)] = symbol or " "
    if sorted(table) != list(range(len(table))) or not table:
        raise BadCheckpoint(
            f"{path.name} has {len(table)} symbols numbered up to {max(table, default=-1)}",
            help="expected numbers from 0 without a gap; a cut-off file looks so",
        )
    return tuple(table[index] for index in range(len(table)))


def _check_width(export: Export) -> None:
    width = export.session.get_outputs()[0].shape[-1]
    if isinstance(width, int) and width != len(export.symbols):
        raise BadCheckpoint(
            f"{export.path.name} tells {width} tokens apart, tokens.txt names {len(export.symbols)}",
            help="expected both from the same export",
        )


def _sense_voice(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR, EMOTION), "SenseVoice")
    if "Nano" in export.metadata.get("comment", ""):
        raise BadCheckpoint("this is a FunASR Nano export", help="expected SenseVoice Small, with its four head tokens")
    name = f"lang_{wishes.language}"
    language = name if name in export.metadata else "lang_auto"
    constants = {
        export.inputs[2]: export.number(language),
        export.inputs[3]: export.number("without_itn"),
    }
    network = Network(
        *export.inputs[:2], export.outputs[0], length_extra=4, constants=constants
    )
    return sense_voice_draft(
        wishes, "sherpa-onnx SenseVoice", _stacked(export, folder), network, export.symbols, export.number("lfr_window_shift"),
        int(export.metadata.get("blank_id", "0")),
    )


def sense_voice_draft(
    wishes: Wishes, kind: str, front_end: FrontEnd, network: Network, symbols: tuple[str, ...], skip: int, blank: int
) -> Draft:
    """SenseVoice as recogniser, or its emotion token's scores as emotion model."""
    reading = Reading("ctc", skip * 10.0, _silent(symbols, blank), heads=SENSE_HEADS)
    if wishes.model == ASR:
        spec = Spec(front_end=front_end, network=network, reading=reading)
        return Draft(spec, kind, front_end.rate_hz, heads=SENSE_HEADS[:3])
    marks = [(mark, f"<|{mark}|>") for mark in EMOTIONS if f"<|{mark}|>" in symbols]
    if len(marks) < 2:
        raise BadCheckpoint("the tokens name no emotions", help=f"expected <|{EMOTIONS[0]}|> and the like among them")
    picks = tuple(symbols.index(symbol) for _, symbol in marks)
    spec = Spec(front_end=front_end, network=network, classifier=Classifier("softmax", picks, step=1))
    return Draft(spec, f"{kind} (emotion token)", front_end.rate_hz, tuple(mark.lower() for mark, _ in marks))


def _paraformer(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "Paraformer")
    network = Network(
        *export.inputs[:2], export.outputs[0], lengths_out=export.outputs[1],
        weights=next((name for name in export.outputs[2:] if "alpha" in name), ""),
    )  # fmt: skip
    silent = _silent(export.symbols, export.token("</s>"))
    step_ms = export.number("lfr_window_shift") * 10.0
    reading = Reading("cif", step_ms / (3 if "us_" in network.weights else 1), silent, glue="@@")
    spec = Spec(front_end=_stacked(export, folder), network=network, reading=reading)
    remarks = () if network.weights else ("no frame weights in this export: characters share a segment evenly",)
    return Draft(spec, "sherpa-onnx Paraformer", RATE_HZ, remarks=remarks)


def _stacked(export: Export, folder: Path) -> FrontEnd:
    shift, factor = export.floats("neg_mean"), export.floats("inv_stddev")
    stack, skip = export.number("lfr_window_size"), export.number("lfr_window_shift")
    if not len(shift) == len(factor) == stack * BINS:
        raise BadCheckpoint(
            f"neg_mean and inv_stddev have {len(shift)} and {len(factor)} numbers", help=f"expected {stack * BINS} of each"
        )
    bank = filters.kaldi_filters(BINS, N_FFT, RATE_HZ, 20.0, 0.0)
    filters.write_arrays(folder, filters.kaldi_window("hamming", FRAME), bank, shift=shift, factor=factor)
    scale = 1.0 if export.metadata.get("normalize_samples", "0") == "1" else 32768.0
    return FrontEnd(
        RATE_HZ, FRAME, HOP, N_FFT, "whole", scale, "floor", FLOOR, preemphasis=0.97, remove_mean=True,
        normalise="fixed", stack=stack, skip=skip, stack_padded=True,
    )  # fmt: skip


def _nemo_ctc(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "a CTC model")
    normalise = export.metadata.get("normalize_type", "")
    if normalise not in ("", "NA", "per_feature") or export.metadata.get("is_giga_am", "0") != "0":
        raise BadCheckpoint(
            f"{export.path.name} wants features normalised by {normalise or 'GigaAM'!r}", help="expected per_feature, or none"
        )
    bins = export.session.get_inputs()[0].shape[1]
    bins = bins if isinstance(bins, int) else BINS
    bank = filters.slaney_filters(bins, N_FFT, RATE_HZ)
    filters.write_arrays(folder, filters.kaldi_window("hann", FRAME), bank)
    front_end = FrontEnd(
        RATE_HZ, FRAME, HOP, N_FFT, "mirrored", 1.0, "floor", FLOOR, preemphasis=0.97,
        normalise="bins_population" if normalise == "per_feature" else "none",
    )  # fmt: skip
    factor = export.number("subsampling_factor")
    network = Network(
        *export.inputs[:2], export.outputs[0], bins_first=True, length_divisor=factor, padding=LOG_SILENCE
    )
    reading = Reading("ctc", factor * 10.0, _silent(export.symbols, export.token(*_BLANKS)))
    return Draft(Spec(front_end=front_end, network=network, reading=reading), "sherpa-onnx NeMo CTC", RATE_HZ)


def _zipformer_ctc(export: Export, folder: Path, wishes: Wishes) -> Draft:
    wanted(wishes, (ASR,), "a CTC model")
    bank = filters.kaldi_filters(BINS, N_FFT, RATE_HZ, 20.0, -400.0)
    filters.write_arrays(folder, filters.kaldi_window("povey", FRAME), bank)
    front_end = FrontEnd(
        RATE_HZ, FRAME, HOP, N_FFT, "mirrored", 1.0, "floor", FLOOR, preemphasis=0.97, remove_mean=True
    )
    network = Network(*export.inputs[:2], *export.outputs[:1], lengths_out=export.outputs[1], padding=LOG_SILENCE)
    reading = Reading("ctc", 40.0, _silent(export.symbols, export.token(*_BLANKS)))
    return Draft(Spec(front_end=front_end, network=network, reading=reading), "sherpa-onnx Zipformer CTC", RATE_HZ)


def _silent(symbols: tuple[str, ...], blank: int) -> tuple[int, ...]:
    return tuple({blank, *(index for index, symbol in enumerate(symbols) if not token_text(symbol))})


_KINDS: Mapping[str, Callable[[Export, Path, Wishes], Draft]] = {
    "sense_voice_ctc": _sense_voice,
    "paraformer": _paraformer,
    "zipformer2_ctc": _zipformer_ctc,
    "EncDecCTCModelBPE": _nemo_ctc,
    "EncDecCTCModel": _nemo_ctc,
    "EncDecHybridRNNTCTCBPEModel": _nemo_ctc,
    "EncDecHybridRNNTCTCModel": _nemo_ctc,
}
