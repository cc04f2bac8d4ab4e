"""An opened sherpa-onnx export: its network, the metadata in it, and its symbols."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from server.errors import BadCheckpoint
from server.importers.draft import open_network

EXPECTED = "a sherpa-onnx export: model.onnx (or model.int8.onnx) with metadata, and tokens.txt"


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
                f"{self.path.name} has no {name!r} in its metadata, only {sorted(self.metadata)}",
                help="expected an export made by sherpa-onnx's own script, which writes the front end there",
            )
        return self.metadata[name]

    def number(self, name: str) -> int:
        """A whole number of the metadata."""
        try:
            return int(self.text(name))
        except ValueError:
            raise BadCheckpoint(
                f"{self.path.name} says {name} = {self.metadata[name]!r}",
                help="expected a whole number there",
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


def open_export(source: Path) -> Export:
    """Open an export's folder.

    Raises:
        BadCheckpoint: a file is missing, damaged, or does not belong to the others.
    """
    path = _network_file(source)
    session = open_network(path, EXPECTED)
    metadata = session.get_modelmeta().custom_metadata_map
    export = Export(path, session, metadata, _symbols(source / "tokens.txt"))
    _check_width(export)
    return export


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
        raise BadCheckpoint(
            f"{path.name} is not UTF-8 at byte {error.start}", help=f"expected {EXPECTED}"
        ) from None
    for number, line in enumerate(filter(str.strip, lines), 1):
        symbol, _, index = line.rstrip().rpartition(" ")
        if not index.isdecimal():
            raise BadCheckpoint(
                f"line {number} of {path.name} is {line[:40]!r}",
                help="expected a symbol, a space and its number",
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
