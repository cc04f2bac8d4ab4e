"""Reviews: what people said of calls, and how precise and complete rules are in that light.

Intervals are Wilson's (E. B. Wilson, 1927), 95 %. With weights (the audit sample states them) shares are
weighted and the interval is that of Kish's effective number of reviews.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.rules.judge import HIT, UNDECIDED
from server.backtest.job import Line, Marks
from server.backtest.tally import Marked
from server.errors import BadInput

Z95 = 1.959964
WORDS = {"violated": True, "ok": False}
SHAPE = '{"call_id": "x1", "item": "threat_intimidation", "verdict": "violated"}'


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval; NaN where there is nothing to divide by."""

    value: float
    low: float
    high: float
    of: int

    def as_dict(self) -> dict[str, Any] | None:
        """The shape for JSON."""
        if not self.of:
            return None
        return {"value": self.value, "ci95": [self.low, self.high], "of": self.of}


@dataclass(frozen=True)
class Quality:
    """Precision and recall of one line's verdicts on the reviewed calls."""

    precision: Share
    recall: Share
    undecided: int
    """Reviewed calls that the rules could not decide; they count as not hit."""

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        return {
            "precision": self.precision.as_dict(),
            "recall": self.recall.as_dict(),
            "undecided": self.undecided,
        }


def read(paths: Sequence[Path], lines: Sequence[Line]) -> tuple[dict[str, Marks], list[dict[str, str]]]:
    """Call id → reviews, and what is wrong with the rows left out. The same call and line reviewed both ways
    is left out; reviewed alike it counts once.

    Raises:
        BadInput: a file cannot be read at all.
    """
    numbers = {(line.kind, line.name): row for row, line in enumerate(lines)}
    said: dict[tuple[str, int], tuple[bool, float]] = {}
    disputed: set[tuple[str, int]] = set()
    faults: list[dict[str, str]] = []
    for where, row in (entry for path in paths for entry in _rows(path)):
        try:
            key, violated, weight = _review(row, numbers)
        except ValueError as error:
            help = f"write reviews as {SHAPE}, one a line, or as CSV with these columns"
            faults.append({"code": "bad_review", "message": f"{where}: {error}", "help": help})
            continue
        if said.setdefault(key, (violated, weight))[0] != violated:
            disputed.add(key)
    for call, line in sorted(disputed):
        name = lines[line].name
        faults.append({"code": "disputed", "message": f"call {call!r}, {name}: reviewed both ways",
                       "help": "settle it; until then it does not count"})  # fmt: skip
    marks: dict[str, Marks] = {}
    for (call, line), (violated, weight) in said.items():
        if (call, line) not in disputed:
            marks[call] = (*marks.get(call, ()), (line, violated, weight))
    return marks, faults


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"reviews {path}: {error}", help=f"give UTF-8 JSONL or CSV, e.g. {SHAPE}") from error
    if path.suffix.lower() == ".csv":
        yield from ((f"{path.name}:{n}", row) for n, row in enumerate(csv.DictReader(text.splitlines()), 2))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = line
            yield f"{path.name}:{number}", row if isinstance(row, dict) else {"": row}


def _review(
    row: Mapping[str, Any], numbers: Mapping[tuple[str, str], int]
) -> tuple[tuple[str, int], bool, float]:
    call, verdict = str(row.get("call_id") or ""), str(row.get("verdict") or "").strip().lower()
    kind = "rule" if row.get("rule") else "item"
    name = str(row.get(kind) or "")
    if not call or not name:
        raise ValueError(f"no {'call_id' if not call else 'item and no rule'} in {str(dict(row))[:80]}")
    if verdict not in WORDS:
        raise ValueError(f"verdict {verdict!r} is neither violated nor ok")
    if (kind, name) not in numbers:
        raise ValueError(f"neither pack has {kind} {name!r}")
    weight = float(row.get("weight") or 1)
    if not 0 < weight < math.inf:
        raise ValueError(f"weight {weight} is not above 0")
    return (call, numbers[kind, name]), WORDS[verdict], weight


def quality(marked: Sequence[Marked], *, new: bool) -> Quality:
    """Precision and recall of the new (or old) verdicts of one line."""
    hit = [m for m in marked if (m.new if new else m.old) == HIT]
    violated = [m for m in marked if m.violated]
    undecided = sum((m.new if new else m.old) == UNDECIDED for m in marked)
    return Quality(
        share([(m.violated, m.weight) for m in hit]),
        share([((m.new if new else m.old) == HIT, m.weight) for m in violated]),
        undecided,
    )


def share(of: Sequence[tuple[bool, float]]) -> Share:
    """The weighted share of truths with Wilson's interval."""
    total = sum(weight for _, weight in of)
    if not total:
        return Share(math.nan, math.nan, math.nan, 0)
    p = sum(weight for true, weight in of if true) / total
    n = total**2 / sum(weight**2 for _, weight in of)
    middle, spread = p + Z95**2 / (2 * n), Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    scale = 1 + Z95**2 / n
    return Share(p, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale), len(of))
