"""The commands ``earshot evaluate …``: the served models on labelled recordings and turns."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from server import config
from server.adapters import triton
from server.doors import evaluate, evaluate_view, terminal
from server.doors.evaluate import Bench, Outcome, Step
from server.errors import BadInput
from server.evaluation import recordings, turns
from server.evaluation.wording import Wording
from server.pipeline.decode import Decoder
from server.pipeline.models import Models

app = typer.Typer(
    no_args_is_help=True,
    help="Measure the served models on your own labelled recordings and turns, with confidence intervals.",
)
errors = Console(stderr=True)

Recorded = Annotated[
    list[Path], typer.Argument(help="labels.tsv, .csv or .jsonl (.gz too), or the folder of one.")
]
Labelled = Annotated[
    list[Path], typer.Argument(help="*.jsonl, a table, or the writers' calls (*.txt; .gz too); or a folder.")
]
Group = Annotated[
    str, typer.Option(help="Column of lines that belong together; else group, speaker, call, writer.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object with every figure and fault.")]
Quiet = Annotated[bool, typer.Option(help="No progress bar.")]
_EXIT = "Exit status 1 when a line or a recording could not be evaluated, 2 when none could."


@contextmanager
def open_models(settings: config.Settings) -> Iterator[Models]:
    """The served models, closed at the end."""
    with closing(triton.connect(settings)) as models:
        yield models


@app.command("asr", epilog=_EXIT)
def asr_command(
    labelled: Recorded,
    whole: Annotated[
        bool, typer.Option("--whole", help="Send each recording as one segment, without speech detection.")
    ] = False,
    punctuation: Annotated[bool, typer.Option("--punctuation", help="Compare punctuation.")] = False,
    spaces: Annotated[bool, typer.Option("--spaces", help="Compare spaces.")] = False,
    case: Annotated[bool, typer.Option("--case", help="Tell capitals from small letters.")] = False,
    digits: Annotated[
        bool, typer.Option("--digits", help="Compare digits as written instead of reading them out.")
    ] = False,
    ignore: Annotated[str, typer.Option(help="Characters that do not count, e.g. 嗯呃啊.")] = "",
    worst: Annotated[int, typer.Option(min=0, help="Recordings with most errors to show.")] = 5,
    group: Group = "",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Character error rate of the recogniser.

    labels.tsv has a recording and what is said in it on each line, parted by
    a tab. A first line of names (path, text, role, speaker …) is optional.
    Recordings are found relative to the file.

        a.wav<tab>您好请问是王芳女士吗

        earshot evaluate asr my_calls/labels.tsv --json > figures.json

    Sound goes down the same road as in `inspect`: decoder, speech detection,
    cuts, turns in order. Of a two-channel recording both sides count, or the
    one named in a column role (agent, customer). Unless told otherwise
    punctuation, spaces and Latin case do not count, and digits are read out
    (50 is 五十).
    """
    items, broken = recordings.read(labelled, "text", group)
    wording = Wording(punctuation, spaces, case, digits, ignore)
    with _bench(quiet, "hearing", len(items)) as (bench, step):
        outcome = evaluate.recogniser(bench, items, wording, step, whole=whole)
    outcome = replace(outcome, faults=[*broken, *outcome.faults])
    if not as_json:
        evaluate_view.show_speech(evaluate_view.console(), outcome, worst=worst)
    _finish(outcome, as_json=as_json)


@app.command("emotion", epilog=_EXIT)
def emotion_command(
    labelled: Recorded,
    rename: Annotated[
        list[str] | None, typer.Option("--map", help="theirs=ours; may be repeated, e.g. anger=angry.")
    ] = None,
    group: Group = "",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Confusion, recall by label and unweighted average recall of the emotion model.

    labels.tsv has a recording and its emotion on each line, parted by a tab.
    A first line of names (path, emotion, role, speaker …) is optional. Labels
    the model does not have are left out and counted; --map renames them.

        a.wav<tab>angry

        earshot evaluate emotion labels.tsv --map anger=angry --group speaker
    """
    names = dict(_pair(pair, "--map anger=angry") for pair in rename or [])
    items, broken = recordings.read(labelled, "emotion", group)
    with _bench(quiet, "listening", len(items)) as (bench, step):
        outcome = evaluate.feelings(bench, items, names, step)
    outcome = replace(outcome, faults=[*broken, *outcome.faults])
    if not as_json:
        evaluate_view.show_emotion(evaluate_view.console(), outcome)
    _finish(outcome, as_json=as_json)


@app.command("tags", epilog=_EXIT)
def tags_command(
    labelled: Labelled,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Score from which on a tag is given: 0.4, or for one tag TAG=0.7."),
    ] = None,
    group: Group = "",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Precision, recall, F1 and calibration of the tag model, by tag and over all.

    A line is one turn, or a whole call in "turns":

        {"text": "再不还就去你家", "role": "agent",
         "previous": "我没钱", "tags": ["a_visit_threat"]}

    Calls as the writers of training/dialogues write them are read as well:
    #call id=… begins one, a|text|tag,tag and c|text|tag are its turns.

        earshot evaluate tags turns.jsonl --threshold 0.4 --threshold a_insult=0.7
    """
    thresholds = _thresholds(threshold or [])
    items, broken = turns.read(labelled, group)
    with _bench(quiet, "tagging", len(items)) as (bench, step):
        outcome = evaluate.tagger(bench, items, thresholds, step)
    outcome = replace(outcome, faults=broken)
    if not as_json:
        evaluate_view.show_tags(evaluate_view.console(), outcome)
    _finish(outcome, as_json=as_json)


@contextmanager
def _bench(quiet: bool, doing: str, total: int) -> Iterator[tuple[Bench, Step]]:
    """The models and the decoder, and a progress bar to step."""
    settings = config.load()
    with terminal.progress(errors, quiet=quiet) as progress:
        waiting = progress.add_task("starting the models", total=None)
        with open_models(settings) as models, closing(Decoder(settings)) as decoder:
            progress.remove_task(waiting)
            bar = progress.add_task(doing, total=total)
            yield Bench(settings, models, decoder), lambda n: progress.advance(bar, n)


def _pair(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise BadInput(f"{text!r} is not theirs=ours", help=f"e.g. {example}")
    return name, value


def _thresholds(given: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not 0 <= found[name] <= 1:
            raise BadInput(f"threshold {text!r} is no score from 0 to 1", help="e.g. 0.4, or a_insult=0.7")
    return found


def _finish(outcome: Outcome[Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_finite(outcome.as_dict()), ensure_ascii=False, allow_nan=False))
    raise typer.Exit(int(bool(outcome.faults)))


def _finite(value: Any) -> Any:
    """``value`` with null where a figure is not defined: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
