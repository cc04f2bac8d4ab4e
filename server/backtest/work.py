"""One process's share: row groups in, a tally out. Each process compiles the packs once."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from ctypes import CDLL
from functools import cache
from hashlib import blake2b
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from operators.rules import tree
from operators.rules.judge import HIT, Judge
from operators.table import CallTable, Int8, concat, part
from server.adapters import store
from server.adapters.store import Footer
from server.backtest.job import Chunk, Job
from server.backtest.tally import (
    ABSENT,
    STRATA,
    VERDICTS,
    Drawn,
    Keys,
    Marked,
    Tally,
    cross_of,
    days_of,
    smallest,
    strata_of,
)  # fmt: skip
from server.errors import BadHistory
from server.wiring import compiled

TABLE_CALLS = 1024
"""Calls judged as one table: with 300 rules larger tables leave the caches and take more memory."""
_PR_SET_PDEATHSIG = 1
_job: Job
judge_of = cache(compiled)
"""The judge of a pack; a forked process has those its parent compiled."""


def start(job: Job) -> None:
    """Prepare a worker process: it leaves Ctrl-C to its parent and ends with it."""
    global _job
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _job = job
    _limits.clear()
    for pack in filter(None, (job.pack, job.against)):
        judge_of(pack)


def run(chunk: Chunk) -> Tally:
    """The tally of one chunk, for the job this process was started with; what cannot be read is a fault."""
    return tally(_job, chunk)


def tally(job: Job, chunk: Chunk) -> Tally:
    """Read, judge and count one chunk."""
    total = empty(job)
    for table, kept, items, read_s in _tables(job, chunk, total.faults):
        total.seconds["read"] = total.seconds.get("read", 0.0) + read_s
        for first in range(0, table.n_calls, TABLE_CALLS):
            end = min(first + TABLE_CALLS, table.n_calls)
            counted = _judged(job, part(table, first, end), kept[:, first:end], items)
            total.add(counted, examples=job.examples, sample=per_stratum(job))
    return total


def _judged(job: Job, table: CallTable, kept: Int8, items: Mapping[str, str]) -> Tally:
    began = perf_counter()
    new = judge_of(job.pack).verdicts(table)
    judged = perf_counter()
    rules = judge_of(job.pack).pack.rules
    new_rows = rows(job, {rule: rules[rule].item for rule in new.rules}, new.verdict, table.n_calls)
    old_rows = _old(job, table, kept, items)
    compared = perf_counter()
    counted = count(job, table, old_rows, new_rows)
    counted.seconds = {"judge": judged - began, "judge_old": compared - judged,
                       "count": perf_counter() - compared}  # fmt: skip
    return counted


def empty(job: Job) -> Tally:
    """A tally of no calls."""
    return Tally(np.zeros((len(job.lines), VERDICTS, VERDICTS), np.int64))


def labels_needed(judges: Sequence[Judge]) -> dict[str, set[str] | None]:
    """Which tag and emotion labels must be read; None: all, as an operator may read some it is not asked."""
    needed: dict[str, set[str] | None] = {"tags": set(), "emotion": set()}
    roots = [node for j in judges for rule in j.rules for node in (rule.gate, rule.when, rule.unless) if node]
    for use in (leaf.use for node in roots for leaf in tree.leaves_of(node)):
        for modality in set(use.needs) & set(needed):
            asked = needed[modality]
            named = asked is not None and use.operator.name in ("tag", "emotion")
            needed[modality] = {*(asked or ()), *use.params["any"]} if named else None
    return needed


Read = tuple[CallTable, Int8, Mapping[str, str], float]
"""Calls, their kept verdicts, the kept rules with their items, and the seconds it took."""


def _tables(job: Job, chunk: Chunk, faults: list[dict[str, str]]) -> Iterator[Read]:
    """The chunk's calls as few tables as their labels and kept rules allow, with seconds spent reading."""
    judges = [judge_of(pack) for pack in (job.pack, job.against) if pack]
    needed = labels_needed(judges)
    groups: dict[tuple[object, ...], list[tuple[Footer, CallTable, Int8, float]]] = {}
    for footer, numbers in chunk:
        began = perf_counter()
        try:
            table, kept = store.read(footer, numbers, tags=needed["tags"], emotions=needed["emotion"])
        except BadHistory as error:
            faults.append(error.as_dict())
            continue
        key = (table.tag_labels, table.emotion_labels, footer.pack, tuple(footer.items.items()))
        groups.setdefault(key, []).append((footer, table, kept, perf_counter() - began))
    for same in groups.values():
        tables = [table for _, table, _, _ in same]
        joined = tables[0] if len(same) == 1 else concat(tables)
        kept = np.concatenate([verdict for _, _, verdict, _ in same], axis=1)
        yield joined, kept, same[0][0].items, sum(seconds for *_, seconds in same)


def _old(job: Job, table: CallTable, kept: Int8, items: Mapping[str, str]) -> Int8:
    if not job.against:
        return rows(job, items, kept, table.n_calls)
    old = judge_of(job.against)
    verdicts = old.verdicts(table)
    return rows(job, {r: old.pack.rules[r].item for r in verdicts.rules}, verdicts.verdict, table.n_calls)


def rows(job: Job, items: Mapping[str, str], verdict: Int8, calls: int) -> Int8:
    """[L, C] the verdict of every line; an item's is the worst of its rules."""
    out = np.full((len(job.lines), calls), ABSENT, np.int8)
    of_item: dict[str, list[int]] = {}
    for row, (rule, item) in enumerate(items.items()):
        out[job.row("rule", rule)] = verdict[row]
        of_item.setdefault(item, []).append(row)
    for item, members in of_item.items():
        out[job.row("item", item)] = verdict[members].max(axis=0)
    return out


def count(job: Job, table: CallTable, old: Int8, new: Int8) -> Tally:
    """The tally of one judged table."""
    keys = keys_of(table.call_ids, job.seed)
    counted = empty(job)
    counted.cross = cross_of(old, new)
    counted.calls, counted.turns = table.n_calls, table.n_turns
    flagged = [int((side == HIT).any(axis=0).sum()) for side in (old, new)]
    counted.flagged = (flagged[0], flagged[1])
    none = (None,) * table.n_calls
    counted.days = days_of(table.meta.get("call_start_local", none), old, new)
    counted.keys = [keys]
    _find_changes(job, table, keys, old == HIT, new == HIT, counted)
    if job.sample:
        _draw(job, table, keys, new, counted)
    for call, name in enumerate(table.call_ids) if job.reviews else ():
        for line, violated, weight in job.reviews.get(name, ()):
            both = int(old[line, call]), int(new[line, call])
            counted.marked.append(Marked(name, line, violated, weight, *both))
    return counted


def keys_of(call_ids: Sequence[str], seed: int) -> Keys:
    """[C] a number a call, random but the same wherever and whenever the call is met."""
    salt = seed.to_bytes(8, "little", signed=True)
    raw = b"".join(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt).digest()
                   for name in call_ids)  # fmt: skip
    return np.frombuffer(raw, "<u8")


_limits: dict[tuple[int, str], list[int]] = {}
"""Smallest keys this process has met: a call that is none of them need not travel."""


def _find_changes(
    job: Job, table: CallTable, keys: Keys, old: NDArray[np.bool_], new: NDArray[np.bool_], counted: Tally
) -> None:
    for kind, changed in (("new_hits", new & ~old), ("lost_hits", old & ~new)):
        for line in np.flatnonzero(changed.any(axis=1)).tolist():
            best = smallest(keys, changed[line], job.examples)
            met = _limits.get((line, kind), [])
            kept = sorted({*met, *keys[best].tolist()})[: job.examples]
            fresh = [int(row) for row in best if int(keys[row]) in kept and int(keys[row]) not in met]
            _limits[line, kind] = kept
            if fresh:
                counted.changes[line, kind] = [int(keys[row]) for row in fresh]
            for row in fresh:
                if int(keys[row]) not in counted.tables:
                    counted.tables[int(keys[row])] = part(table, row, row + 1)


def per_stratum(job: Job) -> int:
    """Calls drawn from each stratum of an item."""
    return -(-job.sample // len(STRATA))


def _draw(job: Job, table: CallTable, keys: Keys, new: Int8, counted: Tally) -> None:
    items = [row for row, line in enumerate(job.lines) if line.kind == "item" and (new[row] != ABSENT).any()]
    told = {name: table.meta.get(name) for name in ("source_path", "source_uri", "call_start_local")}
    for row in items:
        strata = strata_of(new[row], new[items])
        for stratum in range(len(STRATA)):
            inside = strata == stratum
            counted.strata[row, stratum] = int(inside.sum())
            counted.drawn[row, stratum] = [
                _drawn(table, told, int(keys[call]), call)
                for call in smallest(keys, inside, per_stratum(job)).tolist()
            ]


def _drawn(table: CallTable, told: Mapping[str, Sequence[object] | None], key: int, call: int) -> Drawn:  # type: ignore[no-untyped-def]
    path, uri, started = (str(column[call] or "") if column else "" for column in told.values())
    return Drawn(key, table.call_ids[call], path or uri, started)
