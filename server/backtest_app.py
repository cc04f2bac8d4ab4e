"""The command ``earshot backtest``: new rules over kept calls, without audio or models."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from server.adapters.store import Footer
from server.backtest import reviews, run, work
from server.backtest.examples import Explained
from server.backtest.job import Job, lines_of
from server.backtest.outcome import Sides, outcome, total_changes
from server.doors import backtest_page, backtest_view, terminal
from server.errors import BadInput

errors = Console(stderr=True)
INTERRUPTED = 130


class _Rate(ProgressColumn):
    """Calls a second."""

    def render(self, task: Task) -> Text:
        """The figure, once there is one."""
        return Text(f"{task.speed:,.0f} calls/s" if task.speed else "", style="progress.data.speed")


def backtest(
    history: Annotated[
        Path, typer.Argument(help="Folder of kept calls (*.parquet), as `earshot inspect --keep` writes it.")
    ],
    pack: Annotated[str, typer.Option("--pack", help="The new rules: a built-in pack or a folder.")],
    against: Annotated[
        str, typer.Option(help="The old rules; else the verdicts kept with the calls, if there are any.")
    ] = "",
    review_files: Annotated[
        list[Path] | None,
        typer.Option("--reviews", help="What people found: JSONL or CSV; may be repeated. See below."),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Examples of new and of lost hits for each rule.")] = 3,
    sample: Annotated[
        int, typer.Option(min=0, help="Calls to audit for each item, out of those it does not hit.")
    ] = 0,
    audit: Annotated[
        Path | None, typer.Option(help="Write that sample here: .csv, else JSONL (then 30 an item).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other examples and samples.")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after about this many calls (whole row groups).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page with plots.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    chunk: Annotated[
        int, typer.Option(min=1, help="Calls read at once in each process: memory grows with it.")
    ] = run.CHUNK_CALLS,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Run new rules over calls kept earlier and show what changes.

    No audio, no model: transcripts, tags, emotions and times were kept.

        earshot inspect calls/ --keep history
        earshot backtest history --pack my_pack --html changes.html

    --reviews takes one object a line (or a CSV with these columns):

        {"call_id": "x1", "item": "threat_intimidation",
         "verdict": "violated"}

    "verdict" is violated or ok; "rule" instead of "item" judges one rule.
    Precision counts reviewed hits, recall reviewed violations, each with
    Wilson's 95 % interval. Recall is honest only if calls without a hit were
    reviewed as well: --audit draws such calls, with a weight to give back.

    Exit status 1 when part of the history or of the reviews could not be
    used, 2 when nothing could, 130 after Ctrl-C.
    """
    try:
        result = _run(history, pack, against, review_files or [], (examples, sample or (30 if audit else 0)),
                      seed, limit, (processes, chunk), quiet)  # fmt: skip
    except KeyboardInterrupt:
        errors.print("stopped: nothing was written")
        raise typer.Exit(INTERRUPTED) from None
    if audit is not None:
        _write_sample(audit, result["sample"])
        errors.print(f"{len(result['sample'])} calls to audit written to {audit}", highlight=False)
    if html is not None:
        html.write_text(backtest_page.render(result), encoding="utf-8")
        errors.print(f"page written to {html}", highlight=False)
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        backtest_view.show(Console(), result, examples=examples)
        if result["old"]:
            print(f"{total_changes(result)} verdicts of rules change to or from a hit")
    raise typer.Exit(int(bool(result["faults"])))


def _run(
    history: Path, pack: str, against: str, review_files: Sequence[Path], drawn: tuple[int, int], seed: int,
    limit: int | None, at_once: tuple[int, int], quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    began = perf_counter()
    files, faults = run.footers(history)
    new, old = work.judge_of(pack), work.judge_of(against) if against else None
    kept = {} if against else _kept(files)
    packs = [_items(judge.pack.rules) for judge in (new, old) if judge]
    lines = lines_of(*packs, *kept.values())
    marks, doubts = reviews.read(review_files, lines)
    job = Job(pack=pack, against=against, lines=lines, examples=drawn[0], sample=drawn[1], seed=seed,
              reviews=marks)  # fmt: skip
    total = sum(sum(footer.groups) for footer in files)
    with terminal.progress(errors, quiet=quiet, figures=[_Rate()]) as progress:
        bar = progress.add_task("judging", total=min(total, limit or total))
        tally = run.run(
            job, files, on_calls=lambda n: progress.advance(bar, n), processes=at_once[0],
            chunk_calls=at_once[1], limit=limit,
        )  # fmt: skip
    name = f"{old.pack.id} {old.pack.version}" if old else " and ".join(kept)
    sides = Sides(new=new, old=old, old_pack=name)
    if not name:
        tally.changes, tally.tables = {}, {}
    tally.faults = [*faults, *tally.faults, *doubts]
    unmet = len(marks) - len({m.call_id for m in tally.marked})
    if unmet:
        tally.faults.append({"code": "unmet", "message": f"{unmet} reviewed calls are not in the history",
                             "help": "check their call_id"})  # fmt: skip
    return outcome(job, sides, tally, Explained(tally.tables, new, old), perf_counter() - began)


def _kept(files: Sequence[Footer]) -> dict[str, Mapping[str, str]]:
    """Pack → rules with their items, of every pack whose verdicts the history keeps."""
    found: dict[str, dict[str, str]] = {}
    for footer in files:
        if footer.items:
            found.setdefault(footer.pack, {}).update(footer.items)
    return dict(found)


def _items(rules: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(rule.item) for name, rule in rules.items()}


def _write_sample(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        raise BadInput("there is no call to audit", help="every item hits every call, or there are no calls")
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".csv":
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
