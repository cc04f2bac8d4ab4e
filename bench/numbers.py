"""Spoken numbers: agreement with published pairs of spoken and written text, and speed on dialogue turns.

`python -m bench.numbers --pairs DIR --dialogues DIR …`: pairs are lines `spoken => written` of `*.txt`,
dialogues the writers' calls.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from pathlib import Path

from operators.builtin.entity import entity
from operators.builtin.regex import regex
from operators.chain import Plan, check_use
from operators.numbers.normal import normalised, spans
from operators.spec import Registry
from operators.table import CallTable, concat
from operators.testing import call

_FIGURE = re.compile(r"(?:\d+(?:\.\d+)?[百千万亿]*)(?:(?<=[万亿])\d+[万亿]?)*")
_PART = re.compile(r"(\d+(?:\.\d+)?)([百千万亿]*)")
_SCALE = {"百": 1e2, "千": 1e3, "万": 1e4, "亿": 1e8}
_SKIPPED = ("disable", "license", "train", "whitelist", "char")
"""Sets about other settings of that library, number plates, trains and single characters."""


def figures(text: str) -> list[float]:
    """Every number in figures, so that notations do not count: 3~5万 and 30000~50000 agree."""
    text = re.sub(r"(\d+)~(\d+)([百千万亿]+)", r"\1\3~\2\3", re.sub(r"(?<=\d),(?=\d{3})", "", text))
    found = []
    for figure in _FIGURE.findall(text):
        parts = [(float(number), units) for number, units in _PART.findall(figure)]
        found.append(round(sum(number * prod(_SCALE[unit] for unit in units) for number, units in parts), 6))
    return found


def pairs(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Set, spoken text and written text of every line."""
    for path in sorted(folder.glob("*.txt")):
        if not any(word in path.stem for word in _SKIPPED):
            for line in path.read_text(encoding="utf-8").splitlines():
                spoken, arrow, written = line.partition("=>")
                if arrow:
                    yield path.stem, spoken.strip(), written.strip()


def agreement(folder: Path) -> float:
    """Print every pair whose figures differ, and the share that agrees by set; return the share of all."""
    tallies: dict[str, list[bool]] = {}
    for name, spoken, written in pairs(folder):
        ours = normalised(spoken).text
        same = figures(ours) == figures(written)
        tallies.setdefault(name, []).append(same)
        if not same:
            print(f"{name}: {spoken[:40]} | theirs {written[:40]} | ours {ours[:40]}")
    for name, flags in tallies.items():
        print(f"{name:12} {sum(flags):3} of {len(flags):3}")
    every = [flag for flags in tallies.values() for flag in flags]
    print(f"{'all':12} {sum(every):3} of {len(every):3}")
    return sum(every) / len(every)


def turns_of(folders: Sequence[Path]) -> list[str]:
    """Texts of all turns of the writers' calls."""
    lines = [
        line
        for folder in folders
        for path in sorted(folder.glob("writer_*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [line.split("|")[1] for line in lines if line[:2] in ("a|", "c|")]


def _table(turns: Sequence[str]) -> CallTable:
    clean = [re.sub(r"[{}()|]", "", text).strip() or "好" for text in turns]
    return concat(
        [call(" | ".join(f"A {text}" for text in clean[at : at + 20])) for at in range(0, len(clean), 20)]
    )


def speed(turns: Sequence[str]) -> dict[str, float]:
    """Print and return turns a second (processor time) of the functions and the operators that use them."""
    table, registry = _table(turns), Registry([entity, regex])
    wanted = check_use(registry, "entity", {"kind": "amount", "gt": 5000})
    normal = check_use(registry, "regex", {"pattern": "[0-9]{4,}元", "on": "normal"})
    plans = {"entity": Plan([wanted]), "regex on the normal form": Plan([normal])}
    for plan in plans.values():
        plan.evaluate(_table(turns[:20]))
    jobs: dict[str, Callable[[], object]] = {
        "spans": lambda: [spans(text) for text in turns],
        "normalised": lambda: [normalised(text) for text in turns],
        **{name: partial(plan.evaluate, table) for name, plan in plans.items()},
    }
    found = {}
    for name, job in jobs.items():
        seconds = []
        for _ in range(3):
            started = time.process_time()
            job()
            seconds.append(time.process_time() - started)
        found[name] = len(turns) / min(seconds)
        print(f"{name:26} {found[name]:9.0f} turns/s")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--dialogues", type=Path, nargs="*", default=[Path("training/dialogues")])
    options = parser.parse_args()
    agreed = {} if options.pairs is None else {"agreement": agreement(options.pairs)}
    print(json.dumps({**agreed, **speed(turns_of(options.dialogues))}))
