"""How fast new rules run over kept calls: `earshot backtest` on a made history, from Parquet on disk.

    python -m bench.backtest [--calls N] [--rules N] [--quick] [--processes N] [--chunk N] [--cache DIR]

Makes N calls of 60 turns (seeded, kept in the cache folder for the next run) and a pack of 300 rules, each
different, out of the shipped ones; runs the backtest the command runs; then judges a sample of calls one by
one and compares every verdict. Seconds are wall time from the start of reading to the merged counts, packs
compiled before; memory is the sum of all processes' resident sets, pages they share counted each time.
"""

import argparse
import json
import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import backtest_history, backtest_pack
from operators.chain import Plan, Use
from operators.rules import tree
from operators.rules.judge import VERDICTS, Judge
from operators.table import CallTable, part
from server.adapters import store
from server.backtest import run, work
from server.backtest.job import Job, lines_of
from server.backtest.tally import Tally

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261124
SAMPLE = 64
TARGET_CALLS = 1_000_000


@contextmanager
def watched() -> Iterator[list[float]]:
    """The largest sum of resident megabytes of this process and its children, as the one entry of a list."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], sum(map(_rss_mb, _family(os.getpid()))))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return [pid, *(int(child) for path in children for child in path.read_text().split())]
    except OSError:
        return [pid]


def _rss_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def prove(judge: Judge, job: Job, calls: CallTable, folder: Path) -> int:
    """Backtest ``calls`` by themselves and judge each alone; how many verdicts were compared.

    Raises:
        SystemExit: they differ.
    """
    store.add(folder, calls)
    tally = run.run(job, run.footers(folder)[0], on_calls=lambda n: None, chunk_calls=SAMPLE)
    alone = [judge.judge(part(calls, call, call + 1))[0].verdicts for call in range(calls.n_calls)]
    for rule in judge.rules:
        counts = np.bincount([VERDICTS.index(v[rule.id]) for v in alone], minlength=len(VERDICTS))
        found = tally.cross[job.row("rule", rule.id)].sum(0)[: len(VERDICTS)]
        if not np.array_equal(counts, found):
            raise SystemExit(f"rule {rule.id}: {found} in the backtest, {counts} judged alone")
    matrix = judge.verdicts(calls).verdict
    for call, verdicts in enumerate(alone):
        if [VERDICTS.index(verdicts[rule.id]) for rule in judge.rules] != matrix[:, call].tolist():
            raise SystemExit(f"{calls.call_ids[call]}: other verdicts when judged alone")
    return matrix.size


def uses_of(judge: Judge) -> list[Use]:
    """Every use of an operator in a pack."""
    roots = [n for rule in judge.rules for n in (rule.gate, rule.when, rule.unless) if n is not None]
    return [leaf.use for node in roots for leaf in tree.leaves_of(node)]


def by_operator(judge: Judge, calls: CallTable) -> dict[str, float]:
    """CPU microseconds a call of every operator alone, the better of two."""
    groups: dict[str, list[Use]] = defaultdict(list)
    for use in uses_of(judge):
        groups[use.operator.name].append(use)
    took = {}
    for name, uses in groups.items():
        plan = Plan(uses)
        plan.evaluate(part(calls, 0, 1))
        took[f"{name} × {len(plan.uses)}"] = min(_cpu_us(plan, calls) for _ in range(2)) / calls.n_calls
    return took


def _cpu_us(plan: Plan, calls: CallTable) -> float:
    began = process_time()
    plan.evaluate(calls)
    return 1e6 * (process_time() - began)


def chunk_costs(judge: Judge, calls: CallTable) -> dict[int, float]:
    """CPU microseconds a call for tables of different sizes, operators and rules together."""
    costs = {}
    for size in (1, 16, 256, 1024, 4096, 16_384):
        if size <= calls.n_calls:
            starts = range(0, calls.n_calls - size + 1, size)[:8]
            tables = [part(calls, at, at + size) for at in starts]
            began = process_time()
            for table in tables:
                judge.verdicts(table)
            costs[size] = 1e6 * (process_time() - began) / (size * len(tables))
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=300)
    parser.add_argument("--processes", type=int, default=0, help="0: one a core")
    parser.add_argument("--chunk", type=int, default=run.CHUNK_CALLS, help="calls read at once")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "earshot-backtest")
    parser.add_argument("--quick", action="store_true", help="ends within a minute")
    arguments = parser.parse_args()
    calls = 2000 if arguments.quick else arguments.calls
    history, pack = arguments.cache / f"history-{SEED}-{calls}", arguments.cache / f"pack-{arguments.rules}"
    began = perf_counter()
    bank = backtest_history.bank(ROOT / "training" / "dialogues", SEED)
    backtest_history.write(history, bank, calls, SEED)
    backtest_pack.write(pack, ROOT / "operators" / "packs" / "collections_zh", arguments.rules, SEED)
    made_s = perf_counter() - began
    judge = work.judge_of(str(pack))
    job = Job(pack=str(pack), against="", lines=lines_of({rule.id: rule.item for rule in judge.rules}))
    files, _ = run.footers(history)
    judge.verdicts(store.read(files[0], [0])[0])  # compiles what Numba has not yet on its disk
    processes = arguments.processes or run.cores()
    with watched() as peak:
        began = perf_counter()
        tally = run.run(job, files, on_calls=lambda n: None, processes=processes, chunk_calls=arguments.chunk)
        seconds = perf_counter() - began
    sample, _ = store.read(files[0], [0])
    with tempfile.TemporaryDirectory() as folder:
        compared = prove(judge, job, part(sample, 0, SAMPLE), Path(folder))
    operators = by_operator(judge, sample)
    by_size = chunk_costs(judge, sample)
    figures = {
        "calls": tally.calls, "turns": tally.turns, "rules": len(judge.rules), "seconds": round(seconds, 2),
        "processes": processes, "peak_rss_mb": round(peak[0]),
        "us_per_call": round(1e6 * seconds / tally.calls, 1),
        "seconds_by_stage": {name: round(value, 2) for name, value in tally.seconds.items()},
        "operators_us_per_call": {name: round(value, 1) for name, value in operators.items()},
        "judge_us_per_call_by_table": {str(size): round(cost, 1) for size, cost in by_size.items()},
        "bytes_per_call": sum(f.path.stat().st_size for f in files) // tally.calls,
        "verdicts_compared": compared, "made_s": round(made_s, 1),
        f"extrapolated_s_{TARGET_CALLS}_calls": round(seconds * TARGET_CALLS / tally.calls, 1),
    }  # fmt: skip
    show(tally, seconds, peak[0], operators, figures)
    print(json.dumps(figures))


def show(
    tally: Tally, seconds: float, peak_mb: float, operators: dict[str, float], figures: dict[str, object]
) -> None:
    """Print the tables for people."""
    console = Console()
    console.print(
        f"{tally.calls:,} calls, {tally.turns:,} turns, {figures['rules']} rules: {seconds:.1f} s,"
        f" {tally.calls / seconds:,.0f} calls/s, {peak_mb:,.0f} MB; a million would take about"
        f" {seconds * TARGET_CALLS / tally.calls:,.0f} s (extrapolated)"
    )
    stages = Table("stage", "seconds, all processes", "share")
    total = sum(tally.seconds.values())
    for name, took in tally.seconds.items():
        stages.add_row(name, f"{took:.2f}", f"{took / total:.0%}")
    console.print(stages)
    table = Table("operator × uses", "CPU µs a call", title="operators alone")
    for name, took in sorted(operators.items(), key=lambda pair: -pair[1]):
        table.add_row(name, f"{took:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
