"""CallTable ↔ Parquet: one row a call, turns as a list of structs, every file written once and whole.

The file's metadata (key ``earshot``) holds the schema's version, what made the calls (pack, models), the
kinds of the metadata columns, and the rules whose verdicts are kept. Any Parquet reader can query it all but
``char_times``: a pair of little-endian integers a character (start from the turn's start, length), a list
of which would cost four times as much to read. Scores stay float32: rounding them could carry one over a
rule's threshold.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
from pyarrow import parquet

from operators.table import CallTable, Int8, TableError, check, part
from server.adapters import store_columns
from server.errors import BadHistory

SCHEMA = 1
KEY = b"earshot"
SUFFIX = ".parquet"
GROUP_CALLS = 4096
"""Calls a row group: small enough to read two at once in each process, large enough for long runs."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts that a pack had for the calls of a table when they were kept."""

    pack: str
    """Id and version."""
    items: Mapping[str, str]
    """Rule → item, in the order of the rows below."""
    verdict: Int8
    """[R, C] index into operators.rules.judge.VERDICTS."""


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What a file says about itself without its calls being read."""

    path: Path
    groups: tuple[int, ...]
    """Calls of each row group."""
    tag_labels: tuple[str, ...]
    emotion_labels: tuple[str, ...]
    meta: Mapping[str, str]
    """Metadata field → kind of its column (store_columns.KINDS)."""
    char_width: str
    versions: Mapping[str, Any] = field(default_factory=dict)
    pack: str = ""
    items: Mapping[str, str] = field(default_factory=dict)
    """As in ``Judged``; empty where no verdicts were kept."""


def write(
    path: Path, table: CallTable, *, versions: Mapping[str, Any] | None = None, judged: Judged | None = None
) -> None:
    """Write ``table`` to a new file: complete under its name, or not there at all.

    Raises:
        BadHistory: a file of that name exists, the folder cannot be written, or a value cannot be kept.
    """
    temporary = _write_beside(path.parent, table, versions or {}, judged)
    _publish(temporary, path)


def add(
    folder: Path, table: CallTable, *, versions: Mapping[str, Any] | None = None, judged: Judged | None = None
) -> Path:
    """Write ``table`` under a name made of its content, so that the same calls kept twice are one file.

    Raises:
        BadHistory: as ``write``.
    """
    temporary = _write_beside(folder, table, versions or {}, judged)
    with temporary.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    path = folder / f"calls-{name}{SUFFIX}"
    if path.exists():
        temporary.unlink()
    else:
        _publish(temporary, path)
    return path


def _write_beside(folder: Path, table: CallTable, versions: Mapping[str, Any], judged: Judged | None) -> Path:
    temporary = folder / f".{uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _removed_on_failure(temporary):
            _write(temporary, check(table), versions, judged)
    except (OSError, pa.ArrowException, TableError, UnicodeEncodeError) as error:
        what, _, advice = str(error).partition("\nhelp: ")
        advice = advice or "check the folder and the space left on its disk"
        raise BadHistory(f"calls cannot be kept in {folder}: {what}", help=advice) from error
    return temporary


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, table: CallTable, versions: Mapping[str, Any], judged: Judged | None) -> None:
    kinds = {name: store_columns.kind_of(column) for name, column in table.meta.items()}
    width = store_columns.char_width(table)
    about = {
        "schema": SCHEMA, "tag_labels": table.tag_labels, "emotion_labels": table.emotion_labels,
        "meta": kinds, "char_width": width, "versions": versions,
        "pack": judged.pack if judged else "", "items": dict(judged.items) if judged else {},
    }  # fmt: skip
    schema = store_columns.schema(table.tag_labels, table.emotion_labels, kinds)
    schema = schema.with_metadata({KEY: json.dumps(about, ensure_ascii=False).encode()})
    with path.open("xb") as file:
        with parquet.ParquetWriter(
            file, schema, compression="zstd", compression_level=1, write_page_checksum=True,
            use_dictionary=store_columns.dictionaries(schema),
        ) as writer:  # fmt: skip
            for first in range(0, table.n_calls, GROUP_CALLS):
                end = min(first + GROUP_CALLS, table.n_calls)
                verdict = judged.verdict[:, first:end] if judged else None
                group = store_columns.encode(part(table, first, end), verdict, kinds, width)
                writer.write_table(pa.Table.from_arrays(group, schema=schema), row_group_size=GROUP_CALLS)
        file.flush()
        os.fsync(file.fileno())


def _publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name; unlike a rename, a link never replaces what is there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise BadHistory(f"{path} is there already", help="kept calls are never overwritten") from None
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def files(history: Path) -> list[Path]:
    """The Parquet files of a history: the file itself, or those of a folder and its sub-folders, by name.

    Raises:
        BadHistory: there is none.
    """
    found = [history] if history.is_file() else sorted(history.rglob(f"*{SUFFIX}"))
    if not found:
        raise BadHistory(
            f"no *{SUFFIX} under {history}", help="keep calls with `earshot inspect … --keep DIR`"
        )
    return found


def footer(path: Path) -> Footer:
    """What ``path`` says about itself.

    Raises:
        BadHistory: it is no Parquet file, was cut off, is not ours, or comes from a newer earshot.
    """
    try:
        with parquet.ParquetFile(path, memory_map=True) as file:
            return _footer(path, file)
    except (OSError, pa.ArrowException) as error:
        raise BadHistory(
            f"{path} is no Parquet file, or was cut off ({str(error).splitlines()[0]})",
            help="take it out of the history, or fetch it again",
        ) from error


def _footer(path: Path, file: parquet.ParquetFile) -> Footer:
    raw = (file.metadata.metadata or {}).get(KEY)
    if raw is None:
        raise BadHistory(f"{path} was not written by earshot", help="a history has kept calls only")
    try:
        about = json.loads(raw)
        if int(about["schema"]) > SCHEMA:
            raise BadHistory(
                f"{path} has schema {about['schema']}, this earshot reads up to {SCHEMA}",
                help="read it with the earshot that wrote it, or a newer one",
            )
        found = Footer(
            path=path,
            groups=tuple(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)),
            tag_labels=tuple(about["tag_labels"]), emotion_labels=tuple(about["emotion_labels"]),
            meta=about["meta"], char_width=about["char_width"], versions=about["versions"],
            pack=about["pack"], items=about["items"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise BadHistory(f"{path}: its metadata is damaged ({error!r})", help="fetch it again") from error
    _check_schema(path, file.schema_arrow, found)
    return found


def _check_schema(path: Path, schema: pa.Schema, found: Footer) -> None:
    expected = store_columns.schema(found.tag_labels, found.emotion_labels, found.meta)
    for wanted in expected:
        at = schema.get_field_index(wanted.name)
        if at < 0 or not schema.field(at).type.equals(wanted.type):
            have = "is missing" if at < 0 else f"is {str(schema.field(at).type)[:200]}"
            raise BadHistory(
                f"{path}, column {wanted.name}: {have}, should be {str(wanted.type)[:200]}",
                help="the file was changed after earshot wrote it: keep the calls again",
            )


def read(
    found: Footer, groups: Sequence[int], *, tags: Collection[str] | None = None,
    emotions: Collection[str] | None = None,
) -> tuple[CallTable, Int8]:  # fmt: skip
    """Row groups of a file as one checked table, and the kept verdicts [R, C] (R = 0 without).

    ``tags`` and ``emotions`` name the labels wanted (those the file has are read), None all of them.

    Raises:
        BadHistory: names file, row group and column that cannot be read.
    """
    tag_labels = [label for label in found.tag_labels if tags is None or label in tags]
    emotion_labels = [label for label in found.emotion_labels if emotions is None or label in emotions]
    paths = store_columns.paths(tag_labels, emotion_labels, found.meta)
    try:
        with parquet.ParquetFile(found.path, memory_map=True, page_checksum_verification=True) as file:
            rows = file.read_row_groups(list(groups), columns=paths, use_threads=False)
        columns = store_columns.decode(
            rows, tag_labels, emotion_labels, found.meta, found.char_width, len(found.items)
        )
        return check(columns.table), columns.verdict
    except (OSError, pa.ArrowException, TableError, ValueError) as error:
        column = _broken_column(found.path, groups, paths)
        where = f"{found.path}, row group {', '.join(map(str, groups))}{column}"
        raise BadHistory(f"{where}: {str(error).splitlines()[0]}", help="fetch or keep it again") from error


def _broken_column(path: Path, groups: Sequence[int], paths: Sequence[str]) -> str:
    """The first column that cannot be read by itself, for the message."""
    for name in paths:
        try:
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                file.read_row_groups(list(groups), columns=[name], use_threads=False)
        except FileNotFoundError:
            return ""
        except (OSError, pa.ArrowException):
            return f", column {name}"
    return ""
