"""FunASR folders: config.yaml, am.mvn, tokens.json, and the network as ``model.onnx`` or ``model.pt``.

An ONNX export is taken as it is; ``model.pt`` is built and loaded by FunASR itself and written as ONNX by the
export of its own model code.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from model_runtime.recogniser import NETWORK_FILE
from model_runtime.spec import FrontEnd, Network
from server.errors import BadCheckpoint
from server.importers import alibaba
from server.importers.draft import (
    ASR,
    EMOTION,
    Draft,
    Wishes,
    copy_network,
    open_network,
    reading,
    token_text,
    wanted,
    write_tokens,
)
from server.importers.funasr_torch import write_network
from server.importers.kaldi import Stacking, stacked_front_end

EXPECTED = (
    "a FunASR folder of SenseVoiceSmall or Paraformer: config.yaml, am.mvn, tokens.json, "
    "and model.onnx, model_quant.onnx or model.pt"
)
SENSE_VOICE, PARAFORMERS = "SenseVoiceSmall", ("Paraformer", "BiCifParaformer")
LANGUAGES = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
"""SenseVoice's language queries; 15 asks for text as spoken, without inverse normalisation."""
AS_SPOKEN = 15
_NETWORKS = ("model.onnx", "model_quant.onnx", "model.pt")


def is_export(source: Path) -> bool:
    """Whether a folder looks like one."""
    return (source / "config.yaml").is_file() and any((source / name).is_file() for name in _NETWORKS)


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of a model folder.

    Raises:
        BadCheckpoint: a file is missing, damaged, or of a model that cannot be served.
        BadSetting: ``model.pt`` needs FunASR, which cannot be imported here.
    """
    config = _config(source)
    kind = str(config.get("model", ""))
    if kind != SENSE_VOICE and kind not in PARAFORMERS:
        raise BadCheckpoint(
            f"{source.name} is a {kind or 'folder whose config.yaml names no model'}",
            help=f"expected {SENSE_VOICE} or {' or '.join(PARAFORMERS)}",
        )
    wanted(wishes, (ASR, EMOTION) if kind == SENSE_VOICE else (ASR,), kind)
    symbols = _symbols(source)
    front_end = _front_end(source, config, folder)
    network = _network(source, kind, wishes, folder, len(symbols))
    if kind == SENSE_VOICE:
        draft = alibaba.sense_voice(wishes, f"FunASR {kind}", front_end, network, symbols, blank=0)
        texts = list(symbols)
    else:
        draft = alibaba.paraformer(f"FunASR {kind}", front_end, network, symbols)
        texts = alibaba.paraformer_texts(symbols)
    write_tokens([token_text(text) for text in texts], folder)
    return draft


def _config(source: Path) -> Mapping[str, Any]:
    with reading(source / "config.yaml", EXPECTED):
        content = yaml.safe_load((source / "config.yaml").read_bytes())
    if not isinstance(content, dict):
        raise BadCheckpoint("config.yaml is no mapping", help=f"expected {EXPECTED}")
    return content


def _symbols(source: Path) -> tuple[str, ...]:
    path = source / "tokens.json"
    with reading(path, f"{EXPECTED}; tokens.json is a list of strings"):
        content = json.loads(path.read_bytes())
    if not isinstance(content, list) or not content or not all(isinstance(word, str) for word in content):
        raise BadCheckpoint("tokens.json is no list of strings", help=f"expected {EXPECTED}")
    return tuple(content)


def _front_end(source: Path, config: Mapping[str, Any], folder: Path) -> FrontEnd:
    about: Mapping[str, Any] = config.get("frontend_conf") or {}
    lengths = about.get("frame_length", 25), about.get("frame_shift", 10)
    if config.get("frontend") not in ("WavFrontend", "wav_frontend") or lengths != (25, 10):
        raise BadCheckpoint(
            f"the front end is {config.get('frontend')} with frames of {lengths[0]} every {lengths[1]} ms",
            help="expected WavFrontend with frames of 25 every 10 ms",
        )
    shift, factor = _mvn(source / "am.mvn")
    stacking = Stacking(int(about.get("lfr_m", 1)), int(about.get("lfr_n", 1)), shift, factor)
    return stacked_front_end(
        folder,
        stacking,
        rate_hz=int(about.get("fs", 16_000)),
        bins=int(about.get("n_mels", 80)),
        window=str(about.get("window", "hamming")),
        full_scale=32768.0 if about.get("upsacle_samples", True) else 1.0,
    )


def _mvn(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and factor of Kaldi's text format: after ``<AddShift>`` and ``<Rescale>`` a list in brackets."""
    found: dict[str, NDArray[np.float32]] = {}
    with reading(path, f"{EXPECTED}; am.mvn is text with <AddShift> and <Rescale>"):
        words = path.read_text(encoding="utf-8").split()
        for name in ("<AddShift>", "<Rescale>"):
            first = words.index("[", words.index(name)) + 1
            numbers = words[first : words.index("]", first)]
            found[name] = np.array([float(word) for word in numbers], np.float32)
    return found["<AddShift>"], found["<Rescale>"]


def _network(source: Path, kind: str, wishes: Wishes, folder: Path, tokens: int) -> Network:
    path = next((source / name for name in _NETWORKS if (source / name).is_file()), source / "model.onnx")
    if path.suffix == ".pt":
        write_network(source, kind, folder / NETWORK_FILE)
    else:
        copy_network(path, folder)
    session = open_network(folder / NETWORK_FILE, f"{EXPECTED}; {path.name} is an ONNX network")
    inputs = [node.name for node in session.get_inputs()]
    outputs = session.get_outputs()
    if len(inputs) != (4 if kind == SENSE_VOICE else 2):
        raise BadCheckpoint(
            f"{path.name} has the inputs {', '.join(inputs)}",
            help="expected speech and speech_lengths"
            + (", language, textnorm" if kind == SENSE_VOICE else ""),
        )
    width = outputs[0].shape[-1]
    if isinstance(width, int) and width != tokens:
        raise BadCheckpoint(
            f"{path.name} tells {width} tokens apart, tokens.json names {tokens}",
            help="expected both from the same model",
        )
    names = [node.name for node in outputs]
    if kind == SENSE_VOICE:
        told = {inputs[2]: LANGUAGES.get(wishes.language, 0), inputs[3]: AS_SPOKEN}
        return Network(inputs[0], inputs[1], names[0], constants=told)
    weights = next((name for name in names[2:] if "alpha" in name), "")
    return Network(inputs[0], inputs[1], names[0], lengths_out=names[1], weights=weights)
