"""The commands ``earshot models …``: look at the served models, import and fetch others."""

import re
import secrets
import shutil
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from server import config
from server.adapters import triton
from server.adapters.triton_trial import trial
from server.doors import terminal
from server.errors import BadInput
from server.importers import detect, folder
from server.importers.draft import ASR, EMOTION, MODELS, Wishes
from server.importers.folder import Imported

app = typer.Typer(no_args_is_help=True, help="Look at the served models; import others.")
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


def install(
    source: Path, wishes: Wishes, settings: config.Settings, sample_rate_hz: int, *, replace: bool
) -> Imported:
    """Import a checkpoint into the settings' model repository; nothing is left there when it fails.

    Raises:
        BadInput: the place is unknown or taken.
        BadCheckpoint, BadSetting, BadModel: the checkpoint, this environment or the finished folder is unfit.
    """
    if wishes.model not in MODELS:
        raise BadInput(
            f"there is no place {wishes.model!r} in the road", help=f"--name is one of {', '.join(MODELS)}"
        )
    place = settings.model_repository / wishes.model
    if place.exists() and not replace:
        raise BadInput(
            f"{place} holds a model already",
            help="say --replace, or name another repository in EARSHOT_MODEL_REPOSITORY",
        )
    build = detect.importer(source)
    staging = settings.model_repository / f".import-{secrets.token_hex(4)}"
    staging.mkdir(parents=True)
    try:
        rate_hz = sample_rate_hz or (
            _neighbours_rate(settings.model_repository) if wishes.model == ASR else 0
        )
        done = folder.write(build, source, staging / wishes.model, wishes, rate_hz)
        with trial(settings.model_copy(update={"model_repository": staging}), wishes.model):
            pass
        if place.exists():
            place.rename(staging / "before")
        (staging / wishes.model).rename(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Imported(place, done.draft, done.sample_rate_hz, done.heard)


def _renames(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise BadInput(f"--label {pair!r} is not THEIRS=OURS", help="e.g. --label ang=angry")
        names[theirs] = ours
    return names


def _neighbours_rate(repository: Path) -> int:
    """The rate of segments that the repository's emotion model insists on; 0 when it takes any."""
    path = repository / EMOTION / "config.pbtxt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r'key:\s*"sample_rate_hz"\s*value:\s*\{\s*string_value:\s*"(\d+)"', text)
    return int(found.group(1)) if found else 0


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
