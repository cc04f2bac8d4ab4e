"""How much of the recogniser's speed is left when the whole road runs.

    python -m bench.road [--quick] [--calls N] [--rounds N] [--as-is] [FILE…]

Both sides go through the same Triton on the same audio in one run, interleaved: *bare* sends the recogniser
exactly the cuts the road would send, all at once; *whole* inspects the files (decode, speech, recogniser,
emotion, tags, operators, rules, report). Texts are compared before any figure is printed. Audio time is the
calls' duration (both channels count once).

Without files, the two-channel demonstration calls are joined into one of 106 s, the length of an ordinary
collections call; ``--as-is`` takes the given files (or the four short demonstration calls) as they are.
"""

import argparse
import json
import statistics
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from server import config
from server.doors import files, inspect
from server.pipeline import session
from server.pipeline.models import Pcm
from server.pipeline.session import Inspection, Road
from server.wiring import open_road

CALLS = Path(__file__).resolve().parent.parent / "demo" / "calls"
AT_ONCE = 16


@dataclass(frozen=True)
class Work:
    """The same calls for both sides."""

    sources: list[files.Source]
    cuts: list[Pcm]
    hours: float


def joined(road: Road, paths: Sequence[Path], folder: Path) -> Path:
    """One call of all two-channel files in ``paths``, one after the other, as a PCM WAV in ``folder``."""
    pieces = []
    for source in files.find(paths):
        if source.transcript is None:
            audio = road.decoder.decode(
                source.path.read_bytes(), sample_rate_hz=road.sample_rate_hz, deadline_s=60
            )
            pieces += [audio.pcm] if audio.channels == 2 else []
    path = folder / "joined.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(road.sample_rate_hz)
        file.writeframes(np.concatenate(pieces, axis=1).T.tobytes())
    return path


def prepare(road: Road, paths: Sequence[Path], calls: int) -> Work:
    """``calls`` copies of the given files, and their cuts for the bare side."""
    found = [source for source in files.find(paths) if source.transcript is None]
    sources = [found[i % len(found)] for i in range(calls)]
    cuts: list[Pcm] = []
    seconds = 0.0
    for source in sources:
        audio = road.decoder.decode(
            source.path.read_bytes(), sample_rate_hz=road.sample_rate_hz, deadline_s=60
        )
        seconds += audio.duration_ms / 1000
        cuts += [cut for _, _, cut in session.cuts_of(audio, road.settings.agent_channel)]
    return Work(sources, cuts, seconds / 3600)


def bare(road: Road, work: Work) -> tuple[float, int]:
    """Wall seconds of the recogniser alone, and the characters it heard."""
    start = perf_counter()
    units = road.models.transcribe(work.cuts, deadline_s=600)
    return perf_counter() - start, sum(len(u.characters) for u in units)


def whole(road: Road, work: Work) -> tuple[float, int, list[Inspection]]:
    """Wall seconds of the whole road, the characters in its turns, and the inspections."""
    start = perf_counter()
    done = [d for _, d in inspect.run(road, work.sources, inspect.Options({}, None, AT_ONCE), lambda: None)]
    took = perf_counter() - start
    faults = [d.result["error"] for d in done if d.result["error"]]
    if faults:
        raise SystemExit(f"a call failed: {faults[0]}")
    return took, sum(len(turn["text"]) for d in done for turn in d.result["turns"]), done


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "paths", nargs="*", type=Path, default=[CALLS], help="recordings or folders (default: the demo calls)"
    )
    parser.add_argument("--calls", type=int, default=64)
    parser.add_argument(
        "--as-is", action="store_true", help="do not join the recordings into one longer call"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="ends within a minute")
    arguments = parser.parse_args()
    calls, rounds = (32, 3) if arguments.quick else (arguments.calls, arguments.rounds)
    with open_road(config.load()) as road, tempfile.TemporaryDirectory() as folder:
        paths = arguments.paths if arguments.as_is else [joined(road, arguments.paths, Path(folder))]
        work = prepare(road, paths, calls)
        bare(road, work), whole(road, work)
        pairs = [(bare(road, work), whole(road, work)) for _ in range(rounds)]
    if any(b[1] != w[1] for b, w in pairs):
        raise SystemExit(f"the two sides heard different amounts of text: {[(b[1], w[1]) for b, w in pairs]}")
    bare_s, whole_s = (statistics.median(p[side][0] for p in pairs) for side in (0, 1))
    stages = {
        name: sum(d.seconds.get(name, 0.0) for d in pairs[-1][1][2]) for name in pairs[-1][1][2][0].seconds
    }
    show(work, bare_s, whole_s, stages)
    figures = {
        "whole_over_bare": round(statistics.median(b[0] / w[0] for b, w in pairs), 3),
        "rtfx_whole": round(work.hours * 3600 / whole_s, 1),
        "rtfx_bare": round(work.hours * 3600 / bare_s, 1),
        "audio_hours": round(work.hours, 3),
        "audio_hours_per_wall_s_whole": round(work.hours / whole_s, 5),
        "audio_hours_per_wall_s_bare": round(work.hours / bare_s, 5),
        "stage_seconds": {name: round(value, 3) for name, value in stages.items()},
        "rounds": [[round(b[0], 3), round(w[0], 3)] for b, w in pairs],
    }
    print(json.dumps(figures))


def show(work: Work, bare_s: float, whole_s: float, stages: dict[str, float]) -> None:
    """Print the table for people."""
    console = Console()
    table = Table(
        "side",
        "wall s",
        "× real time",
        title=f"{len(work.sources)} calls, {work.hours:.2f} h of audio, {len(work.cuts)} cuts",
    )
    for name, took in (("bare recogniser", bare_s), ("whole road", whole_s)):
        table.add_row(name, f"{took:.2f}", f"{work.hours * 3600 / took:.0f}")
    console.print(table)
    total = sum(stages.values())
    by_stage = Table(
        "stage", "seconds over all calls", "share", title=f"where a call waits ({AT_ONCE} calls at once)"
    )
    for name, seconds in stages.items():
        by_stage.add_row(name, f"{seconds:.2f}", f"{seconds / total:.0%}")
    console.print(by_stage)


if __name__ == "__main__":
    main()
