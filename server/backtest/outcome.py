"""The result of a backtest as plain values: for JSON, the terminal and the page alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from operators.rules.judge import HIT, VERDICTS, Judge
from operators.rules.pack import Pack
from server.backtest.examples import Explained
from server.backtest.job import Job
from server.backtest.reviews import quality
from server.backtest.tally import ABSENT, STRATA, Tally

SEVERITIES = ("fatal", "major", "minor", "info")


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The two packs: the new one, and the old one's judge, or only the name its kept verdicts carry."""

    new: Judge
    old: Judge | None
    old_pack: str
    """Empty where there is nothing to compare with."""

    @property
    def packs(self) -> tuple[Pack, ...]:
        """Packs whose files are at hand, the new one first."""
        return (self.new.pack, *((self.old.pack,) if self.old else ()))


def outcome(job: Job, sides: Sides, tally: Tally, explained: Explained, seconds: float) -> dict[str, Any]:
    """Everything a backtest found."""
    lines = [_line(job, sides, tally, explained, row) for row in range(len(job.lines))]
    pack = sides.new.pack
    return {
        "calls": tally.calls,
        "turns": tally.turns,
        "repeated_calls": tally.repeated,
        "seconds": round(seconds, 3),
        "calls_per_s": round(tally.calls / seconds, 1) if seconds else None,
        "new": {"pack": f"{pack.id} {pack.version}", "calls_with_hits": tally.flagged[1]},
        "old": {"pack": sides.old_pack, "kept": sides.old is None, "calls_with_hits": tally.flagged[0]}
        if sides.old_pack
        else None,
        "rules": [line for line in lines if line["kind"] == "rule"],
        "items": [line for line in lines if line["kind"] == "item"],
        "days": [_day(job, day, tally) for day in sorted(tally.days)],
        "reviews": len(tally.marked),
        "sample": list(sample(job, tally)),
        "faults": tally.faults,
        "seconds_by_stage": {name: round(value, 3) for name, value in tally.seconds.items()},
    }


def _line(job: Job, sides: Sides, tally: Tally, explained: Explained, row: int) -> dict[str, Any]:
    line, cross = job.lines[row], tally.cross[row]
    changes = {"new_hits": int(cross[:, HIT].sum() - cross[HIT, HIT]),
               "lost_hits": int(cross[HIT].sum() - cross[HIT, HIT])}  # fmt: skip
    marked = [mark for mark in tally.marked if mark.line == row]
    reviews = {
        side: quality(marked, new=side == "new").as_dict()
        for side in ("new", "old")
        if marked and (side == "new" or sides.old_pack)
    }
    return {
        "kind": line.kind, "name": line.name, **_about(line.kind, line.name, sides.packs),
        "new": _verdicts(cross.sum(0)), "old": _verdicts(cross.sum(1)) if sides.old_pack else None,
        **(changes if sides.old_pack else {"new_hits": None, "lost_hits": None}),
        "examples": {change: explained.of(line, change, tally.changes.get((row, change), ()))
                     for change in changes},
        "reviews": {"n": len(marked), **reviews},
    }  # fmt: skip


def _verdicts(counts: Sequence[Any]) -> dict[str, int] | None:
    """Calls by verdict; None where the pack does not have the line."""
    if not sum(counts[:ABSENT]):
        return None
    return {verdict: int(counts[n]) for n, verdict in enumerate(VERDICTS)}


def _about(kind: str, name: str, packs: Sequence[Pack]) -> dict[str, str]:
    for pack in packs:
        if kind == "rule" and name in pack.rules:
            rule = pack.rules[name]
            return {"title": rule.title, "severity": rule.severity, "item": rule.item}
        if kind == "item" and name in pack.items:
            item = pack.items[name]
            return {"title": item.zh, "severity": item.severity, "item": name}
    return {"title": name, "severity": "info", "item": ""}


def _day(job: Job, day: str, tally: Tally) -> dict[str, Any]:
    counts = tally.days[day]
    changed = {
        f"{line.kind}:{line.name}": counts[row].tolist()
        for row, line in enumerate(job.lines)
        if counts[row].any()
    }
    return {"day": day, "calls": int(counts[-1, 1]), "hits": changed}


def sample(job: Job, tally: Tally) -> Iterator[dict[str, Any]]:
    """Calls to audit: for each item some that it does not hit, from every stratum, with their weight.

    The weight says how many calls of the stratum each drawn one stands for: with it, reviews of the sample
    give recall over the whole history.
    """
    for (row, stratum), calls in sorted(tally.drawn.items()):
        population = tally.strata[row, stratum]
        for call in calls:
            yield {
                "call_id": call.call_id, "item": job.lines[row].name, "stratum": STRATA[stratum],
                "calls_in_stratum": population, "weight": round(population / len(calls), 6),
                "started": call.started, "source": call.source, "verdict": "",
            }  # fmt: skip


def total_changes(result: Mapping[str, Any]) -> int:
    """How many rule verdicts changed to or from a hit."""
    return int(np.sum([(line["new_hits"] or 0) + (line["lost_hits"] or 0) for line in result["rules"]]))
