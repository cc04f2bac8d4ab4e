"""The commands ``earshot rules …``: check a pack, run its cases, explain a verdict."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from operators.chain import load_registry
from operators.rules import cases, lint, sca, schema, why
from operators.rules.reader import nearest
from operators.rules.sca_operators import NotCarried
from server import config
from server.doors import files, inspect
from server.errors import BadInput
from server.wiring import compiled, open_road

app = typer.Typer(no_args_is_help=True, help="Work on rule packs.")
Pack = Annotated[str, typer.Argument(help="A built-in name or a folder.")]
_MARKS = {"true": "[green]✓[/]", "false": "[red]✗[/]", "unknown": "[yellow]?[/]"}


@app.command("check")
def check_command(pack: Pack = "collections_zh") -> None:
    """List every problem of a pack, with file, line and column. Exit status 1 when there is one.

    Of a sound pack, notes which rules only the end of a call decides.
    """
    problems = lint.check(pack, load_registry())
    for problem in problems:
        print(problem)
    for note in [] if problems else lint.notes(pack, load_registry()):
        print(f"note: {note.file}:{note.line}: {note.what}")
    print(f"{len(problems)} problems in {pack}")
    raise typer.Exit(int(bool(problems)))


@app.command("test")
def test_command(pack: Pack = "collections_zh") -> None:
    """Run the cases beside the rules and show what differs. Exit status 1 when one does."""
    outcome = cases.run(pack, load_registry())
    print(outcome)
    raise typer.Exit(int(not outcome.ok))


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a rule file: editors complete and check rules with it.

    In VS Code: "yaml.schemas": {"rule.schema.json": "my_pack/*.yaml"}.
    """
    print(json.dumps(schema.rule_schema(load_registry()), ensure_ascii=False, indent=1))


@app.command("import", epilog="Example: earshot rules import sca.json --out my_pack")
def import_command(
    source: Annotated[Path, typer.Argument(help="Rule objects of Alibaba SCA, as JSON.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder of the new pack; must not exist or be empty.")],
) -> None:
    """Turn rules of another system into a pack. What cannot be carried over is listed, never dropped.

    A rule is written whole or not at all. Exit status 1 when a rule was left out. Write cases beside the
    rules afterwards; `rules check` says which are missing.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is there and not empty", help="give a new folder")
    try:
        made = sca.read(source.read_text(encoding="utf-8-sig"), pack_id=out.name)
    except (NotCarried, UnicodeDecodeError) as error:
        raise BadInput(f"{source}: {error}", help="export the rules with GetRule or ListRules") from None
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.files.items():
        (out / name).write_text(text, encoding="utf-8")
    compiled(str(out))
    for line in made.carried:
        print(f"carried over: {line}")
    for line in made.left_out:
        print(f"left out: {line}")
    print(f"{len(made.carried)} rules in {out}, {len(made.left_out)} left out")
    raise typer.Exit(int(bool(made.left_out)))


@app.command("explain", epilog="Example: earshot rules explain threat call.wav --call-id call")
def explain_command(
    rule: Annotated[str, typer.Argument(help="The rule's id.")],
    call: Annotated[Path, typer.Argument(help="A recording, or a transcript (*.json, *.jsonl).")],
    pack: Annotated[str, typer.Option(help="A built-in name or a folder.")] = "",
    call_id: Annotated[str, typer.Option(help="Which call, where the file holds several.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say why a rule hit a call, or why not: every condition, what it found, and how near a miss was.

    ✓ true, ✗ false, ? cannot be decided (the line says what the call lacks).
    """
    settings = config.load(**({"pack": pack} if pack else {}))
    with open_road(settings) as road:
        judge = road.judge("")
        if rule not in judge.pack.rules:
            raise BadInput(f"no rule {rule!r} in {settings.pack}", help=nearest(rule, judge.pack.rules))
        source = _chosen(files.find([call]), call_id)
        inspection = inspect.one(road, source, inspect.Options({}, None, 1))
        if inspection.table is None:
            raise BadInput(inspection.result["error"]["message"], help=inspection.result["error"]["help"])
        reasons = judge.explain(inspection.table, rule)
    verdict = inspection.result["rules"][rule]["verdict"]
    if as_json:
        parts = [why.as_dict(reason) for reason in reasons]
        print(json.dumps({"call_id": source.call_id, "rule": rule, "verdict": verdict, "reasons": parts}))
        return
    Console().print(_tree(f"{rule} on {source.call_id}: {verdict}", reasons))


def _chosen(sources: list[files.Source], call_id: str) -> files.Source:
    wanted = [source for source in sources if call_id in ("", source.call_id)]
    if len(wanted) == 1:
        return wanted[0]
    ids = ", ".join(source.call_id for source in sources[:5])
    raise BadInput(f"{len(wanted)} calls to choose from", help=f"name one with --call-id: {ids or 'none'}")


def _tree(title: str, reasons: tuple[why.Reason, ...]) -> Tree:
    tree = Tree(escape(title))
    for reason in reasons:
        _grow(tree, reason)
    return tree


def _grow(tree: Tree, reason: why.Reason) -> None:
    name = f"[bold]{escape(reason.name)}[/] " if reason.name else ""
    note = f" [dim]({escape(reason.note)})[/]" if reason.note else ""
    branch = tree.add(f"{_MARKS[reason.truth]} {name}{escape(reason.condition)}{note}")
    for found in reason.found:
        branch.add(f"[cyan]{escape(why.told(found))}[/]")
    for part in reason.parts:
        _grow(branch, part)
