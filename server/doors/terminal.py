"""How results look in a terminal: one block per call, findings first."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from server.pipeline.models import ModelInfo

SEVERITY_STYLE = {"fatal": "bold red", "major": "red", "minor": "yellow", "info": "cyan"}
SEVERITY_ZH = {"fatal": "严重", "major": "重要", "minor": "一般", "info": "提示"}
ROLE_ZH = {"agent": "坐席", "customer": "客户", "other": "说话人"}


def progress(console: Console, *, quiet: bool, figures: Sequence[ProgressColumn] = ()) -> Progress:
    """The bar of long work: what is done, of how many, ``figures``, the time left; none but in a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *figures)
    return Progress(
        *columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal
    )


def clock(ms: int) -> str:
    """Milliseconds as m:ss.t."""
    minutes, rest = divmod(max(0, ms), 60_000)
    return f"{minutes}:{rest / 1000:04.1f}"


def show(console: Console, results: Sequence[Mapping[str, Any]]) -> None:
    """Print every result, then one line of totals."""
    for result in results:
        console.print(call_panel(result))
    failed = sum(result["error"] is not None for result in results)
    flagged = sum(any(f["severity"] == "fatal" for f in result["findings"]) for result in results)
    findings = sum(len(result["findings"]) for result in results)
    console.print(
        f"{len(results)} calls: {findings} findings, {flagged} calls with a fatal one, {failed} not inspected"
    )


def call_panel(result: Mapping[str, Any]) -> Panel:
    """One call: score, findings with their words, undecided items."""
    error = result["error"]
    if error is not None:
        body: RenderableType = Text(f"{error['message']}\nhelp: {error['help']}", style="yellow")
        return Panel(
            body,
            title=f"[bold]{escape(result['call_id'])}[/] not inspected ({error['code']})",
            border_style="yellow",
        )
    parts: list[RenderableType] = (
        [_findings(result)] if result["findings"] else [Text("no findings", style="green")]
    )
    unknown = [
        f"{item} ({v['reason']})" if v.get("reason") else item
        for item, v in result["items"].items()
        if v["verdict"] == "unknown"
    ]
    if unknown:
        parts.append(Text("cannot tell: " + "; ".join(unknown), style="yellow"))
    if result["warnings"]:
        parts.append(Text("note: " + ", ".join(result["warnings"]), style="dim"))
    length = f", {clock(result['duration_ms'])}" if result["duration_ms"] else ""
    style = "red" if any(f["severity"] == "fatal" for f in result["findings"]) else "green"
    name = f"[bold]{escape(result['call_id'])}[/]"
    title = f"{name}  score {result['score']:g}, {len(result['turns'])} turns{length}"
    return Panel(Group(*parts), title=title, border_style=style, title_align="left")


def _findings(result: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in result["findings"]:
        severity = finding["severity"]
        timed = finding["start_ms"] is not None and finding["turns"]
        table.add_row(
            Text(SEVERITY_ZH.get(severity, severity), style=SEVERITY_STYLE.get(severity, "")),
            clock(finding["start_ms"]) if timed else "",
            Group(
                Text(f"{finding['title']} [{finding['rule']}]", style="bold"),
                *_evidence(finding, result["turns"]),
            ),
        )
    return table


def _evidence(finding: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]) -> list[Text]:
    """A line per turn with its offending words marked, a line per fact; what is missing if none."""
    there = [piece for piece in finding["evidence"] if piece["holds"]]
    quoted: dict[int, list[Mapping[str, Any]]] = {}
    for piece in there:
        if "turn" in piece:
            quoted.setdefault(piece["turn"], []).append(piece)
    lines = [_quote(turns[turn], pieces) for turn, pieces in quoted.items()]
    lines += [Text(_fact(piece)) for piece in there if "turn" not in piece]
    return lines or [
        Text("nowhere: " + "; ".join(_fact(piece) for piece in finding["evidence"]), style="dim")
    ]


def _quote(turn: Mapping[str, Any], pieces: Sequence[Mapping[str, Any]]) -> Text:
    line = Text.assemble((f"{ROLE_ZH.get(turn['role'], turn['role'])} ", "dim"), turn["text"])
    shift = len(line.plain) - len(turn["text"])
    for piece in pieces:
        if "char_end" in piece:
            line.stylize("reverse", shift + piece["char_start"], shift + piece["char_end"])
    whole = [_fact(piece) for piece in pieces if "char_end" not in piece]
    return line.append("  " + ", ".join(whole), style="dim") if whole else line


def _fact(piece: Mapping[str, Any]) -> str:
    """What was measured and what was asked, in the words of the rule."""
    params = piece["params"]
    if piece["operator"] == "meta":
        return f"{params['field']} {params['cmp']} {params['value']}" + (
            f": {piece['value']:g}" if _told(piece) else ""
        )
    asked = ", ".join(str(name) for key in ("any", "lexicon") for name in params.get(key) or ())
    limits = ", ".join(
        f"{k} {v}" for k, v in params.items() if isinstance(v, int | float) and not isinstance(v, bool)
    )
    figure = f" {piece['value']:.6g}" if piece["holds"] and "value" in piece else ""
    return f"{piece['operator']}{' ' + asked if asked else ''}{figure}" + (f" ({limits})" if limits else "")


def _told(piece: Mapping[str, Any]) -> bool:
    return "value" in piece and piece["params"]["cmp"] in ("gt", "gte", "lt", "lte")


def show_models(console: Console, models: Sequence[ModelInfo]) -> None:
    """Print the served models."""
    table = Table("model", "version", "labels", "parameters")
    for model in models:
        parameters = ", ".join(
            f"{k}={v}" for k, v in sorted((model.parameters or {}).items()) if k != "labels"
        )
        table.add_row(model.name, model.version, str(len(model.labels) or ""), parameters)
    console.print(table)
