"""A history judged by all cores at once, in bounded memory."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from server.adapters import store
from server.adapters.store import Footer
from server.backtest import work
from server.backtest.job import Chunk, Job, chunks
from server.backtest.tally import Tally
from server.errors import BadHistory, Internal

CHUNK_CALLS = 4096
"""Calls a process reads at once: a row group; more only take memory."""
AHEAD = 2
"""Chunks each process has waiting; results that nobody fetched yet stay few."""


def footers(history: Path) -> tuple[list[Footer], list[dict[str, str]]]:
    """The files of a history and what is wrong with those that are left out.

    Raises:
        BadHistory: there are none, or all are broken.
    """
    found: list[Footer] = []
    faults: list[dict[str, str]] = []
    for path in store.files(history):
        try:
            found.append(store.footer(path))
        except BadHistory as error:
            faults.append(error.as_dict())
    if not found:
        raise BadHistory(f"no file of {history} can be read; the first: {faults[0]['message']}",
                         help=faults[0]["help"])  # fmt: skip
    return found, faults


def run(
    job: Job, files: Sequence[Footer], *, on_calls: Callable[[int], None], processes: int = 0,
    limit: int | None = None, chunk_calls: int = CHUNK_CALLS,
) -> Tally:  # fmt: skip
    """The tally of a whole history; ``on_calls`` is told of every chunk's calls as they are done.

    Raises:
        Internal: a process died (out of memory, most likely).
    """
    total = work.empty(job)
    pieces = chunks(files, chunk_calls, limit)
    for pack in filter(None, (job.pack, job.against)):
        work.judge_of(pack)
    count = min(processes or cores(), len(pieces)) or 1
    with _pool(job, count) as pool:
        for done in _in_turn(pool, pieces, AHEAD * count):
            total.add(done, examples=job.examples, sample=work.per_stratum(job))
            on_calls(done.calls)
    return total


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool(job: Job, count: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, gone when the block is left, by whatever way."""
    method = "fork" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=work.start, initargs=(job,))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise Internal(
            "a process of the backtest died, most likely out of memory",
            help="use fewer processes (--processes), or judge fewer calls at once (--chunk)",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_turn(pool: ProcessPoolExecutor, pieces: Sequence[Chunk], ahead: int) -> Iterator[Tally]:
    """Tallies as they are done, never more than ``ahead`` in hand."""
    waiting: set[Future[Tally]] = set()
    left = iter(pieces)
    while True:
        for piece in left:
            waiting.add(pool.submit(work.run, piece))
            if len(waiting) >= ahead:
                break
        if not waiting:
            return
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
