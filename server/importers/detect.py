"""Which format a source has: by its files' names and its own description, never by the caller's word."""

import json
from collections.abc import Callable
from pathlib import Path

from server.errors import BadCheckpoint
from server.importers import funasr, huggingface, nemo, sherpa, whisper
from server.importers.draft import Draft, Wishes

Build = Callable[[Path, Path, Wishes], Draft]

EXPECTED = """one of
  a NeMo file NAME.nemo (CTC or hybrid CTC);
  a FunASR folder: config.yaml, am.mvn, tokens.json, and model.onnx, model_quant.onnx or model.pt;
  a sherpa-onnx folder: model.onnx or model.int8.onnx, and tokens.txt;
  a Hugging Face folder: config.json with model.safetensors or pytorch_model.bin
  (Whisper, audio classification, sequence classification)"""


def importer(source: Path) -> Build:
    """The importer of a source's format.

    Raises:
        BadCheckpoint: the source is not there or of no format that can be imported.
    """
    if source.suffix == ".nemo":
        return nemo.build
    if not source.exists():
        raise BadCheckpoint(f"{source} does not exist", help=f"expected {EXPECTED}")
    if source.is_dir():
        if (source / "config.json").is_file() and (kind := _hugging_face(source / "config.json")):
            return whisper.build if kind == "whisper" else huggingface.build
        if funasr.is_export(source):
            return funasr.build
        if sherpa.is_export(source):
            return sherpa.build
        found = ", ".join(sorted(path.name for path in source.iterdir())[:12]) or "nothing"
        raise BadCheckpoint(
            f"{source.name} is no checkpoint that can be imported; it holds {found}",
            help=f"expected {EXPECTED}",
        )
    raise BadCheckpoint(f"{source.name} is a file without a known ending", help=f"expected {EXPECTED}")


def _hugging_face(path: Path) -> str:
    """The ``model_type`` of a Hugging Face config; empty when it is none."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadCheckpoint(
            f"config.json is not JSON: {error}",
            help="expected a Hugging Face model's config.json; fetch it again",
        ) from None
    return str(content.get("model_type", "")) if isinstance(content, dict) else ""
