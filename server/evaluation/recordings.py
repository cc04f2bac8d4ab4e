"""Labelled recordings: what is said in each, or how it sounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import BadInput
from server.evaluation.labelled import GROUP_NAMES, Fault, Line, read_lines, sift, sources

SIDES = ("agent", "customer")


@dataclass(frozen=True)
class Recording:
    """One labelled recording; ``label`` is its text or its emotion."""

    where: str
    path: Path
    label: str
    role: str
    """``agent`` or ``customer``: the side of a two-channel recording that the label is about; or empty."""
    group: str


def read(paths: Sequence[Path], want: str, group: str = "") -> tuple[list[Recording], list[Fault]]:
    """Recordings labelled with ``want`` (``text`` or ``emotion``), and the lines that could not be used.

    Raises:
        BadInput: a file cannot be read, there is no column ``group``, or no line can be used.
    """
    files = sources(paths, calls=False)
    lines, broken = sift(line for path in files for line in read_lines(path, ("path", want, "group")))
    column = group_column(lines, group)
    found, unfit = sift(_recording(line, want, column) for line in lines)
    faults = [*broken, *unfit]
    if not found:
        raise nothing_usable(paths, faults)
    return found, faults


def group_column(lines: Sequence[Line], wanted: str) -> str:
    """Name of the column that says which lines belong together; empty when there is none.

    Raises:
        BadInput: no line has the column ``wanted``.
    """
    names = [wanted] if wanted else GROUP_NAMES
    for name in names:
        if any(line.fields.get(name) not in (None, "") for line in lines):
            return name
    if wanted:
        there = sorted({name for line in lines for name in line.fields})
        raise BadInput(f"no line has a column {wanted!r}", help=f"the columns are {', '.join(there)}")
    return ""


def nothing_usable(paths: Sequence[Path], faults: Sequence[Fault]) -> BadInput:
    """The error of a file without one usable line."""
    named = ", ".join(map(str, paths))
    if not faults:
        return BadInput(f"{named}: empty", help="write one labelled item a line")
    first = "; ".join(f"{fault.where}: {fault.what}" for fault in faults[:3])
    return BadInput(f"{named}: no usable line of {len(faults)} ({first})", help=faults[0].help)


def _recording(line: Line, want: str, column: str) -> Recording | Fault:
    path, label, role = line.field("path"), line.field(want), line.field("role") or ""
    problem = ""
    if not isinstance(path, str) or not path:
        problem, advice = (
            "no path of a recording",
            f"columns are path and {want}, in this order or with a header",
        )
    elif not isinstance(label, str) or (want == "emotion" and not label):
        problem, advice = f"no {want}", f"give each recording its {want}"
    elif role not in ("", *SIDES):
        problem, advice = f"role {role!r}", f"role is empty or one of {', '.join(SIDES)}"
    if problem:
        return Fault(line.where, problem, advice)
    return Recording(line.where, line.path.parent / path, label, role, _group(line.fields.get(column)))


def _group(value: Any) -> str:
    return "" if value is None else str(value)
