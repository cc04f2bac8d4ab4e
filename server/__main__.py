"""The command line (`earshot …`)."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import TimeElapsedColumn

from server import backtest_app, config, evaluate_app, models_app, rules_app, telemetry
from server.doors import doctor, files, grpc_server, inspect, page, terminal
from server.errors import BadInput, EarshotError
from server.keeping import Keeper
from server.wiring import open_road

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Inspect calls and chats: transcript, tags, emotion, measures, findings that explain themselves.",
)  # fmt: skip
app.add_typer(rules_app.app, name="rules")
app.add_typer(models_app.app, name="models")
app.add_typer(evaluate_app.app, name="evaluate")
app.command("backtest")(backtest_app.backtest)
errors = Console(stderr=True)


def _meta(pairs: list[str]) -> dict[str, Any]:
    """``k=v`` pairs; a value that reads as JSON is taken as such, anything else as text."""
    meta: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--meta {pair!r} is not k=v", help="e.g. --meta callee_relation=debtor")
        try:
            meta[name] = json.loads(value)
        except json.JSONDecodeError:
            meta[name] = value
    return meta


@app.command("inspect")
def inspect_command(
    paths: Annotated[
        list[Path], typer.Argument(help="Media files, transcripts (*.json, *.jsonl) or folders of them.")
    ],
    pack: Annotated[str, typer.Option(help="Rule pack: a built-in name or a folder.")] = "",
    meta: Annotated[
        list[str] | None, typer.Option(help="Metadata for every call, k=v; may be repeated.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per call on standard output.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write one self-contained page to read, look at and listen to.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep the calls in, for `earshot backtest`.")
    ] = None,
    agent_channel: Annotated[
        int | None, typer.Option(min=0, max=1, help="Channel of the agent: 0 left, 1 right.")
    ] = None,
    calls_at_once: Annotated[int, typer.Option(min=1, max=64, help="Calls in hand at once.")] = 16,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Inspect recordings, transcripts and chats. Exit status 1 when a call could not be inspected."""
    settings = config.load(**({"pack": pack} if pack else {}))
    options = inspect.Options(_meta(meta or []), agent_channel, calls_at_once)
    sources = files.find(paths)
    if not sources:
        raise BadInput(
            f"no calls found in {', '.join(map(str, paths))}",
            help=f"media ({' '.join(sorted(files.MEDIA_SUFFIXES))}) or transcripts (.json .jsonl)",
        )
    results, views = [], []
    with (
        terminal.progress(errors, quiet=quiet, figures=[TimeElapsedColumn()]) as progress,
        Keeper(keep) as keeper,
    ):
        waiting = progress.add_task("starting the models", total=None)
        with open_road(settings) as road:
            progress.remove_task(waiting)
            bar = progress.add_task("inspecting", total=len(sources))
            for source, done in inspect.run(road, sources, options, lambda: progress.advance(bar)):
                results.append(done.result)
                keeper.add(done, source.path)
                if as_json:
                    print(json.dumps(done.result, ensure_ascii=False), flush=True)
                if html is not None:
                    views.append(page.view(done))
    if not as_json:
        terminal.show(Console(), results)
    if html is not None:
        html.write_text(page.render(views), encoding="utf-8")
        errors.print(f"page written to {html}", highlight=False)
    if keep is not None:
        errors.print(f"{keeper.kept} calls kept in {keep}", highlight=False)
    raise typer.Exit(int(any(result["error"] is not None for result in results)))


@app.command()
def serve(
    listen: Annotated[str, typer.Option(help="Address, e.g. 0.0.0.0:8471 or unix:/run/earshot.sock.")] = "",
    pack: Annotated[str, typer.Option(help="Rule pack: a built-in name or a folder.")] = "",
) -> None:
    """Serve gRPC (earshot.v1.Inspection, health, reflection) until SIGTERM."""
    telemetry.configure()
    settings = config.load(**{k: v for k, v in {"listen": listen, "pack": pack}.items() if v})
    grpc_server.credentials(settings)
    with open_road(settings) as road:
        asyncio.run(grpc_server.serve(road))


@app.command("doctor")
def doctor_command() -> None:
    """Check this machine and say what is wrong. Exit status 1 when something is."""
    raise typer.Exit(int(not doctor.run(Console(), config.load(), open_road)))


def main() -> None:
    """Entry point: errors of ours are printed as `what` and `help`, never as a traceback."""
    try:
        app()
    except EarshotError as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
