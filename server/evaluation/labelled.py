"""Labelled files of recordings and turns: tables, JSON lines and the plain-text calls of training/dialogues.

A line that cannot be used becomes a ``Fault`` with its file and line number; it costs only itself.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from server.errors import BadInput

PATH_NAMES = ("path", "audio", "audio_filepath", "file", "wav")
GROUP_NAMES = ("group", "speaker", "call", "call_id", "writer")
"""Columns that say which lines belong together; the first one filled in is taken."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "path": PATH_NAMES,
    "text": ("text", "transcript", "sentence"),
    "emotion": ("emotion", "label"),
    "role": ("role",),
    "previous": ("previous",),
    "tags": ("tags",),
}
"""What a column or key may be called."""
_TABLES = {".tsv": "\t", ".csv": ",", ".txt": "\t"}
_LINES = (".jsonl", ".ndjson", ".json")
_INSIDE = ("labels.tsv", "labels.csv", "labels.jsonl", "labels.jsonl.gz", "labels.tsv.gz")


@dataclass(frozen=True)
class Fault:
    """One line or recording that could not be evaluated."""

    where: str
    """``file:line``"""
    what: str
    help: str

    def as_dict(self) -> dict[str, str]:
        """The shape for JSON."""
        return {"where": self.where, "message": self.what, "help": self.help}


@dataclass(frozen=True)
class Line:
    """One line of a labelled file by name of column; ``path`` is the file it stands in."""

    path: Path
    number: int
    fields: Mapping[str, Any]

    @property
    def where(self) -> str:
        """``file:line`` for messages."""
        return f"{self.path}:{self.number}"

    def field(self, name: str) -> Any:
        """The value called ``name`` or one of its other names, None when there is none."""
        return next((self.fields[n] for n in NAMES[name] if self.fields.get(n) is not None), None)


T = TypeVar("T")


def sift(items: Iterable[T | Fault]) -> tuple[list[T], list[Fault]]:
    """What is usable and what is not, each in its order."""
    good: list[T] = []
    faults: list[Fault] = []
    for item in items:
        if isinstance(item, Fault):
            faults.append(item)
        else:
            good.append(item)
    return good, faults


def sources(paths: Sequence[Path], *, calls: bool) -> list[Path]:
    """The labelled files that ``paths`` name: a folder stands for its labels file, or for its text calls.

    Raises:
        BadInput: a path is not there, or a folder holds nothing labelled.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise BadInput(f"{path}: no such file or folder", help="name a labels file, or its folder")
        inside = [path / name for name in _INSIDE if (path / name).is_file()][:1]
        if not inside and calls:
            inside = sorted(p for p in path.glob("*.txt") if "#call" in _text(p)[:4096])
        if not inside:
            raise BadInput(
                f"{path} holds none of {', '.join(_INSIDE)}" + (" and no *.txt of calls" if calls else ""),
                help="name the labels file itself",
            )
        found += inside
    return found


def read_lines(path: Path, order: Sequence[str]) -> Iterator[Line | Fault]:
    """The lines of a table (columns in ``order`` when it has no header) or of JSON lines.

    Raises:
        BadInput: the file cannot be read at all, or its kind is unknown.
    """
    kind = suffix(path)
    if kind not in _TABLES and kind not in _LINES:
        raise BadInput(
            f"{path}: {kind or 'no suffix'} is no kind of labelled file",
            help=f"write {', '.join((*_TABLES, *_LINES))} (each may be .gz)",
        )
    header: list[str] | None = None
    for number, raw in enumerate(content(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            text = raw.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            yield Fault(f"{path}:{number}", f"not UTF-8 at byte {error.start}", "save the file as UTF-8")
            continue
        if kind in _LINES:
            yield _object(path, number, text)
            continue
        cells = _cells(text, _TABLES[kind])
        if header is None:
            header = _header(cells)
            if header:
                continue
        yield _row(path, number, header or [*order], cells, named=bool(header))


def suffix(path: Path) -> str:
    """The suffix in small letters, that of the unpacked file for ``.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def content(path: Path) -> bytes:
    """The bytes of a file, unpacked when its name ends in ``.gz``.

    Raises:
        BadInput: it cannot be read or unpacked.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix.lower() == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: {error}", help="check that the file is whole and may be read") from None


def _text(path: Path) -> str:
    return content(path).decode("utf-8", errors="replace")


def _cells(text: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        return [cell.strip() for cell in text.split("\t")]
    return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter))]


def _header(cells: Sequence[str]) -> list[str]:
    """The names in a header; none when the first line is already a row."""
    names = [cell.lower() for cell in cells]
    known = {name for several in NAMES.values() for name in several} | set(GROUP_NAMES)
    return names if len(known.intersection(names)) >= min(2, len(names)) else []


def _row(path: Path, number: int, names: Sequence[str], cells: Sequence[str], *, named: bool) -> Line | Fault:
    if len(cells) != len(names) if named else len(cells) > len(names) or len(cells) < 2:
        wanted = f"{len(names)} ({', '.join(names)})" if named else f"2 to {len(names)} ({', '.join(names)})"
        return Fault(
            f"{path}:{number}", f"{len(cells)} columns, not {wanted}", "separate columns by one tab each"
        )
    return Line(path, number, dict(zip(names, cells, strict=False)))


def _object(path: Path, number: int, text: str) -> Line | Fault:
    where, advice = f"{path}:{number}", 'one object a line, e.g. {"path": "a.wav", "text": "您好"}'
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return Fault(where, f"not JSON at column {error.colno}: {error.msg}", advice)
    except RecursionError:
        return Fault(where, "JSON nested too deep", advice)
    if not isinstance(value, dict):
        return Fault(where, f"{text[:40]!r} is no object", advice)
    return Line(path, number, value)
