"""Which format a source has: by its files' names and its own description, never by the caller's word."""

from collections.abc import Callable
from pathlib import Path

from server.errors import BadCheckpoint
from server.importers import nemo, sherpa
from server.importers.draft import Draft, Wishes

Build = Callable[[Path, Path, Wishes], Draft]

EXPECTED = """one of
  a NeMo file NAME.nemo (CTC or hybrid CTC);
  a sherpa-onnx folder: model.onnx or model.int8.onnx, and tokens.txt"""


def importer(source: Path) -> Build:
    """The importer of a source's format.

    Raises:
        BadCheckpoint: the source is not there or of no format that can be imported.
    """
    if source.suffix == ".nemo":
        return nemo.build
    if not source.is_dir():
        raise BadCheckpoint(f"there is no folder {source}", help=f"expected {EXPECTED}")
    if sherpa.is_export(source):
        return sherpa.build
    found = ", ".join(sorted(path.name for path in source.iterdir())[:12]) or "nothing"
    raise BadCheckpoint(
        f"{source.name} holds {found}: nothing that can be imported", help=f"expected {EXPECTED}"
    )
