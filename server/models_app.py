"""The commands ``earshot models …``: look at the served models, import and fetch others."""

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from server import config
from server.adapters import triton
from server.doors import terminal
from server.errors import BadInput
from server.gpu_app import gpu_command
from server.importers import hub
from server.importers.draft import MODELS, Wishes
from server.importers.folder import Imported
from server.importing import check_place, install

app = typer.Typer(no_args_is_help=True, help="Look at the served models; import others.")
app.command("gpu")(gpu_command)
errors = Console(stderr=True)

Name = Annotated[str, typer.Option("--name", help=f"Place in the road: {', '.join(MODELS)}.")]
Language = Annotated[str, typer.Option(help="Language, for models that are told one.")]
Rate = Annotated[
    int, typer.Option("--sample-rate", help="Rate that segments are asked for; 0: what fits this repository.")
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the model that has this place now.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="Rename a label, THEIRS=OURS; may be repeated.")
]
Pair = Annotated[bool, typer.Option("--pair", help="Text classifiers: read the turn before as well.")]


@app.command("list")
def list_command() -> None:
    """Show the served models: version, labels, what they know."""
    with closing(triton.connect(config.load())) as models:
        terminal.show_models(Console(), (models.asr, models.emotion, models.tags))


@app.command("check")
def check_command() -> None:
    """Start the models, send each its known-answer request, and prove the interpreter inside Triton."""
    with closing(triton.connect(config.load())) as models:
        terminal.show_models(Console(), (models.asr, models.emotion, models.tags))
        raise typer.Exit(int(not models.healthy))


@app.command("import")
def import_command(
    source: Annotated[
        Path, typer.Argument(help="A .nemo file, or a FunASR, sherpa-onnx or Hugging Face folder.")
    ],
    name: Name,
    language: Language = "zh",
    sample_rate: Rate = 0,
    replace: Replace = False,
    pair: Pair = False,
    label: Labels = None,
) -> None:
    """Turn a checkpoint of another toolkit into a model folder, prove it in Triton, put it in its place."""
    _show(
        install(
            source,
            Wishes(name, language, pair, _renames(label or [])),
            config.load(),
            sample_rate,
            replace=replace,
        )
    )


@app.command("pull")
def pull_command(
    checkpoint: Annotated[str, typer.Argument(help="A known name; without one, the table is shown.")] = "",
    name: Annotated[str, typer.Option("--name", help="Another place in the road than the usual one.")] = "",
    language: Language = "zh",
    sample_rate: Rate = 0,
    replace: Replace = False,
    label: Labels = None,
) -> None:
    """Fetch a known public checkpoint through the hub's own client, then import it."""
    if not checkpoint:
        _show_known()
        return
    entry = hub.known(checkpoint)
    errors.print(f"{entry.repository}: about {entry.megabytes} MB, licence {entry.licence}", highlight=False)
    settings, wishes = config.load(), Wishes(name or entry.model, language, labels=_renames(label or []))
    check_place(wishes.model, settings.model_repository, replace=replace)
    fetched = hub.fetch(entry, hub.cache_folder())
    origin = f"{entry.repository}@{fetched.commit}, licence {entry.licence}"
    wishes = dataclasses.replace(wishes, origin=origin)
    _show(install(fetched.source, wishes, settings, sample_rate, replace=replace))


def _renames(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise BadInput(f"--label {pair!r} is not THEIRS=OURS", help="e.g. --label ang=angry")
        names[theirs] = ours
    return names


def _show_known() -> None:
    table = Table("name", "place", "repository", "revision", "MB", "licence", box=None, pad_edge=False)
    for name, entry in hub.KNOWN.items():
        row = (entry.model, entry.repository, entry.revision[:12], str(entry.megabytes), entry.licence)
        table.add_row(name, *row)
    Console().print(table)


def _show(done: Imported) -> None:
    console, draft = Console(), done.draft
    console.print(f"{done.folder}: {draft.format}, proved in Triton", highlight=False)
    if draft.rate_hz and done.sample_rate_hz != draft.rate_hz:
        console.print(
            f"segments come at {done.sample_rate_hz} Hz and are resampled to {draft.rate_hz} Hz",
            highlight=False,
        )
    if draft.labels:
        console.print(f"labels: {', '.join(draft.labels)}", highlight=False, markup=False)
    console.print(f"answer to the canary question: {done.heard}", highlight=False, markup=False)
    for remark in draft.remarks:
        console.print(f"note: {remark}", highlight=False, markup=False)
