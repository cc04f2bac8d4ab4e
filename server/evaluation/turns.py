"""Labelled turns: what tags each carries, from JSON lines, tables or the plain-text calls of the writers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.table import ROLES
from server.evaluation.labelled import Fault, Line, content, read_lines, sift, sources, suffix
from server.evaluation.recordings import group_column, nothing_usable
from server.pipeline.models import also_said

_SHORT = {"a": "agent", "c": "customer", "o": "other"}
_ID = re.compile(r"\bid=(\S+)")
_ADVICE = 'write {"text": "…", "role": "agent", "previous": "…", "tags": ["…"]}'


@dataclass(frozen=True)
class Turn:
    """One labelled turn, and what the tag model is told of the turns before it in its call."""

    where: str
    text: str
    role: str
    previous: str
    tags: frozenset[str]
    group: str


def read(paths: Sequence[Path], group: str = "") -> tuple[list[Turn], list[Fault]]:
    """Labelled turns, and the lines that could not be used.

    Raises:
        BadInput: a file cannot be read, there is no column ``group``, or no line can be used.
    """
    lines, broken = sift(line for path in sources(paths, calls=True) for line in _lines(path))
    column = group_column(lines, group)
    found, unfit = sift(_turn(line, column) for line in lines)
    faults = [*broken, *unfit]
    if not found:
        raise nothing_usable(paths, faults)
    return found, faults


def _lines(path: Path) -> Iterator[Line | Fault]:
    if suffix(path) == ".txt":
        yield from _calls(path)
        return
    for line in read_lines(path, ("text", "role", "previous", "tags", "group")):
        if isinstance(line, Line) and "turns" in line.fields:
            yield from _transcript(line)
        else:
            yield line


def _calls(path: Path) -> Iterator[Line | Fault]:
    """``#call id=…`` starts a call, ``a|text|tag,tag`` and ``c|text|tag`` are its turns."""
    call, previous = "", ""
    for number, raw in enumerate(content(path).decode("utf-8-sig", errors="replace").splitlines(), 1):
        text = raw.strip()
        if text.startswith("#call"):
            found = _ID.search(text)
            call, previous = found.group(1) if found else f"{path.stem}:{number}", ""
        elif text and text[0] not in "#!~":
            cells = text.split("|")
            if len(cells) not in (2, 3) or cells[0] not in _SHORT:
                yield Fault(
                    f"{path}:{number}", f"{text[:40]!r} is no turn", "write a|text|tag,tag or c|text|"
                )
                continue
            role, said = _SHORT[cells[0]], cells[1].strip()
            fields = {"text": said, "role": role, "previous": previous, "tags": "".join(cells[2:])}
            yield Line(path, number, {**fields, "call": call, "writer": path.stem})
            previous = also_said(previous, role, said)


def _transcript(line: Line) -> Iterator[Line | Fault]:
    """A whole call in one object: ``{"call_id": …, "turns": [{"role", "text", "tags"}, …]}``."""
    turns = line.fields["turns"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        yield Fault(line.where, "turns is no list of objects", _ADVICE)
        return
    shared = {"call": line.fields.get("call_id") or f"line {line.number}"}
    shared |= {name: value for name, value in line.fields.items() if name != "turns"}
    previous = ""
    for turn in turns:
        yield Line(line.path, line.number, {**shared, "previous": previous, **turn})
        if isinstance(turn.get("text"), str) and isinstance(turn.get("role"), str):
            previous = also_said(previous, _SHORT.get(turn["role"], turn["role"]), turn["text"])


def _turn(line: Line, column: str) -> Turn | Fault:
    text, role, previous = line.field("text"), line.field("role"), line.field("previous") or ""
    role = _SHORT.get(role, role) if isinstance(role, str) else role
    tags = _tags(line.field("tags"))
    if not isinstance(text, str) or not text.strip():
        problem = "no text"
    elif role not in ROLES:
        problem = f"role {role!r} is none of {', '.join(ROLES)}"
    elif not isinstance(previous, str):
        problem = f"previous is {previous!r}, not text"
    elif tags is None:
        problem = "no tags (an empty list says that the turn carries none)"
    else:
        return Turn(line.where, text, role, previous, tags, str(_or_empty(line.fields, column)))
    return Fault(line.where, problem, _ADVICE)


def _tags(value: Any) -> frozenset[str] | None:
    if isinstance(value, str):
        value = value.replace("，", ",").split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        return None
    return frozenset(tag.strip() for tag in value if tag.strip())


def _or_empty(fields: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    return "" if value is None else value
