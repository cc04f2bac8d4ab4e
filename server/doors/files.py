"""What `earshot inspect` is pointed at: files and folders become calls to inspect."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.errors import BadInput, BadTranscript

MEDIA_SUFFIXES = frozenset(
    (
        ".wav",
        ".mp3",
        ".amr",
        ".ogg",
        ".opus",
        ".oga",
        ".flac",
        ".m4a",
        ".aac",
        ".mp4",
        ".webm",
        ".mkv",
        ".mov",
        ".3gp",
    )
)
"""What a folder is searched for; a file given by name is tried whatever its suffix."""
META_SUFFIX = ".meta.json"
TRANSCRIPT_SUFFIXES = frozenset({".json", ".jsonl"})


@dataclass(frozen=True)
class Source:
    """One call to inspect: a media file, or one transcript of a file."""

    call_id: str
    path: Path
    transcript: object | None = None
    """The parsed object; None for media."""
    fault: BadInput | None = None
    """Set when not even the file could be read; it costs only this call."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """From ``NAME.meta.json`` beside a media file ``NAME.wav``."""


def find(paths: Sequence[Path]) -> list[Source]:
    """Every call under ``paths``; folders are searched through, in order of name.

    A file given by name is taken whatever its suffix; unreadable ones become sources with a fault.
    """
    files = [(path, path.name) for path in paths if not path.is_dir()]
    for folder in (path for path in paths if path.is_dir()):
        wanted = MEDIA_SUFFIXES | TRANSCRIPT_SUFFIXES
        inside = sorted(
            p
            for p in folder.rglob("*")
            if p.is_file() and p.suffix.lower() in wanted and not p.name.endswith(META_SUFFIX)
        )
        files += [(path, str(path.relative_to(folder))) for path in inside]
    return [source for path, name in files for source in _open(path, name)]


def _open(path: Path, name: str) -> Iterator[Source]:
    call_id = name.removesuffix(path.suffix)
    if not path.is_file():
        yield Source(call_id, path, fault=BadInput(f"{path}: no such file", help="check the path"))
    elif path.suffix.lower() not in TRANSCRIPT_SUFFIXES:
        yield _media(path, call_id)
    else:
        yield from _transcripts(path, call_id)


def _media(path: Path, call_id: str) -> Source:
    beside = path.with_name(path.stem + META_SUFFIX)
    if not beside.is_file():
        return Source(call_id, path)
    try:
        meta = json.loads(beside.read_text(encoding="utf-8-sig"))
        if not isinstance(meta, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        return Source(
            call_id, path, fault=BadInput(f"{beside}: {error}", help="write metadata as one JSON object")
        )
    return Source(call_id, path, meta=meta)


def _transcripts(path: Path, call_id: str) -> Iterator[Source]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        yield Source(
            call_id, path, fault=BadTranscript(f"{path}: {error}", help="transcripts are UTF-8 JSON files")
        )
        return
    if path.suffix.lower() == ".jsonl":
        numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        for number, line in numbered:
            yield _one(path, f"{call_id}:{number}", line, f"line {number}, ")
    else:
        yield _one(path, call_id, text, "")


def _one(path: Path, call_id: str, text: str, where: str) -> Source:
    try:
        raw: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        place = (
            f"line {error.lineno} column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else "too deep"
        )
        fault = BadTranscript(
            f"{path}: {where}not JSON ({place})",
            help="write one transcript object per file, or per line in *.jsonl",
        )
        return Source(call_id, path, fault=fault)
    own_id = raw.get("call_id") if isinstance(raw, dict) else None
    return Source(str(own_id) if own_id not in (None, "") else call_id, path, transcript=raw)
