"""How results look in a terminal: one block per call, findings first."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from server.pipeline.models import ModelInfo

SEVERITY_STYLE = {"fatal": "bold red", "major": "red", "minor": "yellow", "info": "cyan"}
SEVERITY_ZH = {"fatal": "严重", "major": "重要", "minor": "一般", "info": "提示"}
VERDICT_STYLE = {"hit": "red", "pass": "green", "unknown": "yellow", "not_applicable": "dim"}
ROLE_ZH = {"agent": "坐席", "customer": "客户", "other": "说话人"}


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
    for _ in range(4):
        table.add_column(overflow="fold")
    for finding in result["findings"]:
        severity = finding["severity"]
        table.add_row(
            Text(SEVERITY_ZH.get(severity, severity), style=SEVERITY_STYLE.get(severity, "")),
            clock(finding["start_ms"]) if finding["start_ms"] is not None and finding["turns"] else "",
            Text(f"{finding['title']} [{finding['rule']}]", style="bold"),
            Group(*(_evidence(piece, result["turns"]) for piece in finding["evidence"][:6])),
        )
    return table


def _evidence(piece: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]) -> Text:
    line = Text()
    turn = piece.get("turn")
    if turn is None:
        line.append(f"{piece['operator']}: {piece.get('text', '')}")
    else:
        text = turns[turn]["text"]
        start, end = piece.get("char_start", 0), piece.get("char_end", 0)
        left, right = max(0, start - 12), min(len(text), max(end, start) + 12) if end else 32
        line.append(f"{ROLE_ZH.get(turns[turn]['role'], '')}: ", style="dim")
        line.append(("…" if left else "") + text[left:start])
        line.append(text[start:end], style="reverse")
        line.append(text[end:right] + ("…" if right < len(text) else ""))
    if "value" in piece and piece["operator"] not in ("keyword", "regex"):
        what = piece.get("text", "") if turn is not None else ""
        line.append(
            f"  {piece['operator']} {what} {piece['value']:.6g} {piece.get('unit', '')}".rstrip(),
            style="dim",
        )
    return line


def show_models(console: Console, models: Sequence[ModelInfo]) -> None:
    """Print the served models."""
    table = Table("model", "version", "labels", "parameters")
    for model in models:
        parameters = ", ".join(
            f"{k}={v}" for k, v in sorted((model.parameters or {}).items()) if k != "labels"
        )
        table.add_row(model.name, model.version, str(len(model.labels) or ""), parameters)
    console.print(table)
