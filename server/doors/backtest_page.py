"""A backtest as one self-contained HTML file: bars of what changes, hits over time, examples, quality.

It loads nothing and runs no script: transcripts are hostile input. Looks are page.css and backtest.css.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from server.doors.backtest_view import share
from server.doors.page_words import clock, date_and_time, name

MOST_BARS = 60
"""Rules drawn as bars; the table has them all."""
MOST_DAYS = 92
"""Points of a line; longer histories are drawn by week or longer."""
PLOT_HEIGHT = 160.0


@dataclass(frozen=True)
class Bar:
    """A rule's changes as percentages of half the width."""

    line: Mapping[str, Any]
    lost: float
    new: float


@dataclass(frozen=True)
class Plot:
    """Hits per 1000 calls over time: points of two lines, and what stands at the axes."""

    old: str
    new: str
    top: float
    first: str
    last: str
    each: int
    """Days a point stands for."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a quoted turn."""

    text: str
    marked: bool


def render(result: Mapping[str, Any]) -> str:
    """Return the page that shows ``result``, the object of server.backtest.outcome."""
    style = _asset("page.css") + _asset("backtest.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    lines = [*result["items"], *result["rules"]]
    changed = _changed(result["rules"])
    page = _environment().get_template("backtest.html").render(
        result=result, style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        bars=_bars(changed[:MOST_BARS]), more_bars=max(0, len(changed) - MOST_BARS),
        plot=plot(result["days"], [f"rule:{line['name']}" for line in result["rules"]]),
        sparks={id(line): plot(result["days"], [f"{line['kind']}:{line['name']}"]) for line in lines},
        changed=changed, reviewed=[line for line in lines if line["reviews"]["n"]],
    )  # fmt: skip
    return page.encode("utf-8", "replace").decode("utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(clock=clock, share=share, pieces=pieces, moment=date_and_time)
    environment.globals.update(name=lambda key: name(key, {}), spark=id)
    return environment


def _asset(file: str) -> str:
    return files("server.doors").joinpath(file).read_text("utf-8")


def _changed(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    changed = [line for line in lines if line["new_hits"] or line["lost_hits"]]
    return sorted(changed, key=lambda line: (-(line["new_hits"] + line["lost_hits"]), line["name"]))


def _bars(lines: Sequence[Mapping[str, Any]]) -> list[Bar]:
    most = max((max(line["new_hits"], line["lost_hits"]) for line in lines), default=1)
    return [
        Bar(line, *(round(100 * line[change] / most, 2) for change in ("lost_hits", "new_hits")))
        for line in lines
    ]


def plot(days: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Plot | None:
    """Hits of the named lines per 1000 calls, old and new; None with fewer than two points."""
    each = -(-len(days) // MOST_DAYS) or 1
    groups = [days[first : first + each] for first in range(0, len(days), each)]
    if len(groups) < 2:
        return None
    old, new = (
        [1000 * _hits(group, names, side) / sum(day["calls"] for day in group) for group in groups]
        for side in (0, 1)
    )
    top = max(*old, *new) or 1.0
    return Plot(_points(old, top), _points(new, top), top, days[0]["day"], days[-1]["day"], each)


def _hits(days: Sequence[Mapping[str, Any]], names: Sequence[str], side: int) -> int:
    return sum(day["hits"][line][side] for day in days for line in names if line in day["hits"])


def _points(rates: Sequence[float], top: float) -> str:
    step = 1000 / (len(rates) - 1)
    points = [(n * step, PLOT_HEIGHT * (1 - rate / top)) for n, rate in enumerate(rates)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def pieces(quote: Mapping[str, Any]) -> list[Piece]:
    """The text of a quote cut where its marks begin and end."""
    text, at = quote["text"], 0
    found: list[Piece] = []
    for start, end in quote["marks"]:
        start = max(start, at)
        if start >= end:
            continue
        found += [Piece(text[at:start], False), Piece(text[start:end], True)]
        at = end
    return [piece for piece in (*found, Piece(text[at:], False)) if piece.text]
