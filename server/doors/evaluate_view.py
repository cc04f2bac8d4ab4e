"""How the figures of `earshot evaluate` look in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from server.doors.evaluate import Outcome
from server.evaluation.calibration import Bin
from server.evaluation.emotion import EmotionFigures
from server.evaluation.intervals import Estimate
from server.evaluation.labelled import Fault
from server.evaluation.speech import SpeechFigures
from server.evaluation.tags import AllTags

MOST_FAULTS = 10
_WIDTH = 120
"""Of what is written to a file or a pipe; a terminal has its own."""


def console() -> Console:
    """Standard output, wide enough for the tables where it is no terminal."""
    out = Console()
    return out if out.is_terminal else Console(width=_WIDTH)


def percent(estimate: Estimate) -> str:
    """A figure in percent with its interval, or a dash."""
    return _shown(estimate.value) + _interval(estimate.items)


def _shown(value: float) -> str:
    return "–" if value != value else f"{100 * value:.2f} %"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({100 * interval[0]:.2f}–{100 * interval[1]:.2f})"


def _estimates(named: Sequence[tuple[str, Estimate]], groups: int) -> Table:
    grouped = any(estimate.groups for _, estimate in named)
    columns = ["figure", "95 % interval over items"] + ([f"over {groups} groups"] if grouped else [])
    table = Table("", *columns, box=None, pad_edge=False)
    for name, estimate in named:
        cells = [name, _shown(estimate.value), _interval(estimate.items).strip(" ()")]
        table.add_row(*cells, *([_interval(estimate.groups).strip(" ()")] if grouped else []))
    return table


def show_speech(console: Console, outcome: Outcome[SpeechFigures], *, worst: int) -> None:
    """Character error and what it is made of, commonest swaps, the worst recordings."""
    found = outcome.figures
    _head(console, outcome, f"{outcome.items} recordings, {found.characters} characters")
    console.print(f"compared: {outcome.settings['comparison']}", style="dim", markup=False, highlight=False)
    console.print(
        _estimates([(name.replace("_", " "), rate) for name, rate in found.rates.items()], outcome.groups)
    )
    console.print(
        f"{found.substitutions} substitutions, {found.deletions} deletions, {found.insertions} insertions",
        highlight=False,
    )
    if found.swaps:
        swaps = "  ".join(f"{said}→{heard} {n}" for said, heard, n in found.swaps[:10])
        console.print(f"commonest swaps (said→heard): {swaps}", markup=False, highlight=False)
    ranked = sorted((edit for edit in found.edits if edit.errors), key=lambda edit: -edit.errors)
    for edit in ranked[:worst]:
        console.print(f"{edit.where}: {edit.errors} errors", style="bold", markup=False, highlight=False)
        console.print(f"  said   {edit.reference}\n  heard  {edit.hypothesis}", markup=False, highlight=False)
    _tail(console, outcome.faults)


def show_emotion(console: Console, outcome: Outcome[EmotionFigures]) -> None:
    """Overall figures, figures by label, the confusion, the reliability of the first choice."""
    found = outcome.figures
    _head(console, outcome, f"{outcome.items} recordings")
    console.print(
        _estimates([("unweighted average recall", found.uar), ("accuracy", found.accuracy)], outcome.groups)
    )
    labels = Table("label", "recordings", "recall", "precision", "F1", box=None, pad_edge=False)
    for row, label in enumerate(found.labels):
        cells = (percent(side[row]) for side in (found.recall, found.precision, found.f1))
        labels.add_row(escape(label), str(found.confusion[row].sum()), *cells)
    console.print(labels)
    confusion = Table("labelled \\ chosen", *map(escape, found.labels), box=None, pad_edge=False)
    for label, counts in zip(found.labels, found.confusion.tolist(), strict=True):
        confusion.add_row(escape(label), *map(str, counts))
    console.print(confusion)
    _reliability(console, found.bins, found.calibration_error)
    _tail(console, outcome.faults)


def show_tags(console: Console, outcome: Outcome[AllTags]) -> None:
    """Overall figures, figures by tag, reliability over all decisions."""
    found = outcome.figures
    _head(console, outcome, f"{outcome.items} turns")
    console.print(
        _estimates([(name.replace("_", " "), e) for name, e in found.overall.items()], outcome.groups)
    )
    columns = ("tag", "from", "carried", "flagged", "precision", "recall", "F1", "calibration")
    table = Table(*columns, box=None, pad_edge=False)
    for tag in found.tags:
        rates = (_shown(tag.precision.value), _shown(tag.recall.value), percent(tag.f1))
        counts = (f"{tag.threshold:g}", str(tag.carried), str(tag.flagged))
        table.add_row(escape(tag.tag), *counts, *rates, f"{tag.calibration_error:.4f}")
    console.print(table)
    _reliability(console, found.bins, found.calibration_error)
    _tail(console, outcome.faults)


def _head(
    console: Console, outcome: Outcome[SpeechFigures] | Outcome[EmotionFigures] | Outcome[AllTags], count: str
) -> None:
    model = outcome.model
    console.print(f"{model.name} {model.version}: {count}", style="bold", markup=False, highlight=False)
    if outcome.left_out:
        named = ", ".join(f"{label} ({n})" for label, n in sorted(outcome.left_out.items()))
        console.print(
            f"left out, the model has no such label: {named}", style="yellow", markup=False, highlight=False
        )


def _reliability(console: Console, bins: Sequence[Bin], error: float) -> None:
    console.print(f"expected calibration error {error:.4f}", highlight=False)
    table = Table("score", "answers", "mean score", "share right", box=None, pad_edge=False)
    for b in bins:
        shown = (f"{b.score:.3f}", f"{b.right:.3f}") if b.answers else ("–", "–")
        table.add_row(f"{b.low:.1f}–{b.high:.1f}", str(b.answers), *shown)
    console.print(table)


def _tail(console: Console, faults: Sequence[Fault]) -> None:
    if not faults:
        return
    console.print(f"{len(faults)} lines could not be evaluated:", style="yellow")
    for fault in faults[:MOST_FAULTS]:
        console.print(f"  {fault.where}: {fault.what}\n  help: {fault.help}", markup=False, highlight=False)
    if len(faults) > MOST_FAULTS:
        console.print(f"  and {len(faults) - MOST_FAULTS} more; --json lists all", highlight=False)
