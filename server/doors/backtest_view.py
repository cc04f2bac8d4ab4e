"""How a backtest looks in a terminal: changes first, then figures from reviews, then where to listen."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from server.doors.terminal import ROLE_ZH, SEVERITY_STYLE, clock

MOST_LINES = 40
"""Rules or items in a table; the rest is in --json and --html."""


def show(console: Console, result: Mapping[str, Any], *, examples: int) -> None:
    """Print the result of a backtest."""
    old = result["old"]
    against = f" against {old['pack']}{' (kept verdicts)' if old['kept'] else ''}" if old else ""
    console.print(f"[bold]{escape(result['new']['pack'])}[/]{escape(against)}", highlight=False)
    for kind in ("items", "rules"):
        console.print(_table(kind, result[kind], compared=old is not None))
    if result["reviews"]:
        console.print(_quality([*result["items"], *result["rules"]]))
    for line in _changed(result["rules"])[:MOST_LINES] if examples else ():
        for change in ("new_hits", "lost_hits"):
            for example in line["examples"][change]:
                console.print(_example(line, change, example))
    for fault in result["faults"]:
        console.print(f"not read: {fault['message']}", style="yellow", markup=False, highlight=False)
    if result["repeated_calls"]:
        console.print(f"{result['repeated_calls']} calls are in the history more than once", style="yellow")
    console.print(
        f"{result['calls']} calls with {result['turns']} turns in {result['seconds']:.1f} s"
        f" ({result['calls_per_s'] or 0:.0f} a second)"
    )


def _changed(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Lines with changes, most first."""
    return sorted(
        (line for line in lines if line["new_hits"] or line["lost_hits"]),
        key=lambda line: (-(line["new_hits"] + line["lost_hits"]), line["name"]),
    )


def _table(kind: str, lines: Sequence[Mapping[str, Any]], *, compared: bool) -> Table:
    shown = (
        _changed(lines) if compared else sorted(lines, key=lambda line: -(line["new"] or {}).get("hit", 0))
    )
    table = Table(title=f"{len(shown)} of {len(lines)} {kind} change" if compared else None)
    table.add_column(kind)
    names = ("new hits", "lost hits", "hits before", "hits", "cannot tell") if compared else (
        "hits", "cannot tell", "pass", "not applicable")  # fmt: skip
    for name in names:
        table.add_column(name, justify="right")
    for line in shown[:MOST_LINES]:
        table.add_row(
            Text(line["name"], style=SEVERITY_STYLE.get(line["severity"], "")), *_cells(line, compared)
        )
    if len(shown) > MOST_LINES:
        table.caption = f"and {len(shown) - MOST_LINES} more: see --json or --html"
    return table


def _cells(line: Mapping[str, Any], compared: bool) -> list[str]:
    new, old = line["new"] or {}, line["old"] or {}
    if compared:
        return [f"+{line['new_hits']}", f"-{line['lost_hits']}", str(old.get("hit", "–")),
                str(new.get("hit", "–")), str(new.get("unknown", "–"))]  # fmt: skip
    return [str(new.get(verdict, 0)) for verdict in ("hit", "unknown", "pass", "not_applicable")]


def _quality(lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "reviewed", "n", "pack", "precision", "recall", "cannot tell", title="against reviews, 95 %"
    )
    for line in lines:
        for side in ("old", "new"):
            if side in line["reviews"]:
                of = line["reviews"][side]
                table.add_row(f"{line['kind']} {line['name']}", str(line["reviews"]["n"]), side,
                              share(of["precision"]), share(of["recall"]), str(of["undecided"]))  # fmt: skip
    return table


def share(of: Mapping[str, Any] | None) -> str:
    """A share with its interval and what it was taken of."""
    if of is None:
        return "–"
    low, high = of["ci95"]
    return f"{of['value']:.2f} ({low:.2f}–{high:.2f}) of {of['of']}"


def _example(line: Mapping[str, Any], change: str, example: Mapping[str, Any]) -> Text:
    sign, style = ("+", "red") if change == "new_hits" else ("-", "green")
    text = Text.assemble((f"{sign} {line['name']} ", style), (example["call_id"], "bold"))
    text.append(f"  {example['source']}" if example["source"] else "", style="dim")
    for quote in example["quotes"]:
        at = f"{clock(quote['start_ms'])} " if quote["start_ms"] is not None else ""
        said = Text(quote["text"])
        for start, end in quote["marks"]:
            said.stylize("reverse", start, end)
        text.append_text(
            Text.assemble(f"\n    {at}", (f"{ROLE_ZH.get(quote['role'], quote['role'])} ", "dim"), said)
        )
    for fact in (*example["facts"], *(f"now: {miss}" for miss in example["why_not"])):
        text.append(f"\n    {fact}", style="dim")
    return text
