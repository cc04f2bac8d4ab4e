"""What an importer of one format takes and gives, and what all of them share."""

import importlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime

from model_runtime.recogniser import NETWORK_FILE, TOKENS_FILE
from model_runtime.spec import Spec
from server.errors import BadCheckpoint, BadSetting

ASR, EMOTION, TAGS = "asr", "emotion", "semantic_tags"
MODELS = (ASR, EMOTION, TAGS)
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_MARK = re.compile(r"<\|.*\|>")
_SILENT = re.compile(r"<[^<>]+>|\[[A-Z]+\]")


@dataclass(frozen=True)
class Wishes:
    """What the caller wants of an import."""

    model: str
    """One of MODELS: the place in the road that the checkpoint is to fill."""
    language: str = "zh"
    pair: bool = False
    """For a text classifier: read the turn before as the first text of a pair."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """For a classifier: its own name of a label → the name that rules use."""
    origin: str = ""
    """Where a fetched checkpoint comes from: repository, commit, licence."""


@dataclass(frozen=True)
class Draft:
    """A checkpoint's files written to ``1/``, and what the rest of its folder must say."""

    spec: Spec
    format: str
    rate_hz: int = 0
    """The network's own; 0 for text."""
    labels: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    """Further outputs of the recogniser, one word each."""
    remarks: tuple[str, ...] = ()
    """What a user of this import has to know."""


def library(name: str, extra: str) -> Any:
    """A heavy library.

    Raises:
        BadSetting: it is not installed, or does not start here; says which extra brings it.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise BadSetting(
            f"this format needs {name.split('.')[0]}, which cannot be imported here: {error}",
            help=f"import in an environment of its own with 'earshot[{extra}]' (docs/models.md)",
        ) from None


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """Whatever a library raises while it reads ``path`` becomes a BadCheckpoint with what was expected."""
    try:
        yield
    except BadCheckpoint:
        raise
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise BadCheckpoint(
            f"{path.name} cannot be read: {type(error).__name__}: {text}",
            help=f"expected {expected}; a download that broke off gives such a file: fetch it again",
        ) from None


def wanted(wishes: Wishes, models: Sequence[str], what: str) -> None:
    """Refuse a checkpoint that cannot fill the place it was asked for.

    Raises:
        BadCheckpoint: with the places it can fill.
    """
    if wishes.model not in models:
        raise BadCheckpoint(
            f"{what} cannot serve as {wishes.model!r}",
            help=f"import it with --name {' or --name '.join(models)}",
        )


def renamed(labels: Sequence[str], wishes: Wishes) -> tuple[str, ...]:
    """Labels as the caller wants them named; commas, which part labels in a config, become slashes.

    Raises:
        BadCheckpoint: a name to replace is not there, or two labels get one name.
    """
    strange = set(wishes.labels) - set(labels)
    if strange:
        raise BadCheckpoint(
            f"the model has no label {', '.join(sorted(strange))}", help=f"its labels are {', '.join(labels)}"
        )
    names = tuple(wishes.labels.get(label, label).strip().replace(",", "/") for label in labels)
    if len(set(names)) != len(names) or not all(names):
        raise BadCheckpoint(
            f"the labels {', '.join(names)} are not all different and named", help="rename them with --label"
        )
    return names


def open_network(path: Path, expected: str) -> onnxruntime.InferenceSession:
    """An ONNX network, to look at.

    Raises:
        BadCheckpoint: the file is not one, or is cut off.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with reading(path, expected):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def copy_network(path: Path, folder: Path) -> None:
    """Copy a network, and the weight files beside it that carry its name, as ``model.onnx``."""
    shutil.copyfile(path, folder / NETWORK_FILE)
    for beside in path.parent.glob(f"{path.name}?*"):
        shutil.copyfile(beside, folder / beside.name)


def token_text(token: str) -> str:
    """A token as the runtime writes it: a space before a word, lone bytes escaped, sentence marks empty.

    ``<|…|>`` stays: the runtime reads such tokens as what the model tells apart from the text.
    """
    byte = _BYTE.fullmatch(token)
    if byte:
        value = int(byte.group(1), 16)
        return chr(value) if value < 0x80 else chr(0xDC00 + value)
    if _MARK.fullmatch(token):
        return token
    return "" if _SILENT.fullmatch(token) else token.replace("▁", " ")


def silent_tokens(symbols: Sequence[str], blank: int) -> tuple[int, ...]:
    """Ids of the tokens that say nothing."""
    return tuple({blank, *(index for index, symbol in enumerate(symbols) if not token_text(symbol))})


def write_tokens(tokens: Sequence[str], folder: Path) -> None:
    """Write ``tokens.json``: what each token says."""
    text = json.dumps(list(tokens), indent=0)
    (folder / TOKENS_FILE).write_text(text + "\n", encoding="utf-8")
