"""How fast the operators are beside the libraries and the plain code that do the same.

    python -m bench.kernels [--quick] [--turns N] [--rounds N]

All sides get the same made-up text in one process, in turn, round by round; outputs are proven equal before
a figure is printed; a ratio is that of the best rounds. Our side is the whole operator: ``Plan.evaluate``
from the table to sorted hits. *keywords* are 800 words, overlapping hits with their spans. *regex* is rules
``(A|B|C|D).{0,8}(E|F|G|H)``, result = which rule matches which turn. *intervals* are silences of 24 speech
segments a call, against NumPy in chunks of 1024 calls (whole-array NumPy is slower: it spills to memory).
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import process_time
from typing import Any

import ahocorasick
import ahocorasick_rs
import hyperscan
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from operators.chain import Plan, check_use, load_registry
from operators.table import CallTable
from operators.testing import call

REGISTRY = load_registry()
COMMON = [chr(point) for point in range(0x4E00, 0x4E00 + 1500)]
CHUNK_CALLS = 1024


@dataclass(frozen=True)
class Side:
    """One way to do the work: how, and its result as a comparable set."""

    run: Callable[[], Any]
    result: Callable[[Any], set[tuple[int, ...]]]


def compare(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Best CPU seconds of each side, sides interleaved; their results are proven equal first.

    Raises:
        SystemExit: two sides disagree.
    """
    wanted: set[tuple[int, ...]] | None = None
    for name, side in sides.items():
        got = side.result(side.run())
        if wanted is not None and got != wanted:
            raise SystemExit(f"{name} finds {len(got)}, not {len(wanted)}\nhelp: mend it before it is timed")
        wanted = got
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            begin = process_time()
            side.run()
            best[name] = min(best[name], process_time() - begin)
    return best


def make_turns(count: int, random: np.random.Generator) -> list[str]:
    """Turns of about 22 characters; few characters are frequent, as in speech."""
    weights = 1 / np.arange(5, len(COMMON) + 5)
    lengths = random.integers(4, 40, count)
    characters = random.choice(COMMON, int(lengths.sum()), p=weights / weights.sum())
    return ["".join(part) for part in np.split(characters, np.cumsum(lengths)[:-1])]


def make_table(turns: list[str]) -> CallTable:
    """One call that holds all turns, without times."""
    return call("|".join(f"A {turn}" for turn in turns))


def cut_words(turns: list[str], count: int, random: np.random.Generator) -> list[str]:
    """Words of 2 to 5 characters that do occur, no two equal."""
    words: dict[str, None] = {}
    while len(words) < count:
        turn, size = (
            turns[random.integers(len(turns))],
            int(random.choice([2, 3, 4, 5], p=[0.3, 0.3, 0.3, 0.1])),
        )
        words[turn[:size]] = None
    return [word for word in words if len(word) > 1]


def keywords(turns: list[str], random: np.random.Generator, rounds: int) -> dict[str, float]:
    """Overlapping (turn, start, end) of 800 words."""
    words, table = cut_words(turns, 800, random), make_table(turns)
    plan = Plan([check_use(REGISTRY, "keyword", {"any": words})])
    automaton: Any = ahocorasick.Automaton()
    for word in words:
        automaton.add_word(word, len(word))
    automaton.make_automaton()
    rust = ahocorasick_rs.AhoCorasick(words, implementation=ahocorasick_rs.Implementation.DFA)
    literals: Any = hyperscan.Database()
    literals.compile([word.encode() for word in words], list(range(len(words))), len(words), 0, literal=True)
    sizes = [len(word.encode()) for word in words]
    joined = "\n".join(turns).encode()

    def per_turn() -> list[tuple[int, int, int]]:
        return [(t, e - n + 1, e + 1) for t, text in enumerate(turns) for e, n in automaton.iter(text)]

    def per_turn_rust() -> list[tuple[int, int, int]]:
        find = rust.find_matches_as_indexes
        return [(t, s, e) for t, text in enumerate(turns) for _, s, e in find(text, overlapping=True)]

    def joined_hyperscan() -> NDArray[np.int64]:
        found: list[tuple[int, int]] = []
        literals.scan(joined, match_event_handler=lambda word, _s, end, _f, _c: found.append((word, end)))
        return np.array(found)

    starts = np.concatenate([[0], np.cumsum([len(turn.encode()) + 1 for turn in turns])])

    def in_turns(found: NDArray[np.int64]) -> set[tuple[int, ...]]:
        end, begin = found[:, 1], found[:, 1] - np.array(sizes)[found[:, 0]]
        turn = np.searchsorted(starts, begin, side="right") - 1
        first, last = (begin - starts[turn]) // 3, (end - starts[turn]) // 3
        return set(zip(turn.tolist(), first.tolist(), last.tolist(), strict=True))

    def ours(evidence: Any) -> set[tuple[int, ...]]:
        hits = evidence.hits
        return set(zip(hits.turn.tolist(), hits.char_start.tolist(), hits.char_end.tolist(), strict=True))

    sides = {
        "earshot": Side(lambda: plan.evaluate(table), ours),
        "pyahocorasick per turn": Side(per_turn, set),
        "ahocorasick_rs per turn": Side(per_turn_rust, set),
        "hyperscan joined": Side(joined_hyperscan, in_turns),
    }
    return compare(sides, rounds)


def patterns(turns: list[str], count: int, random: np.random.Generator) -> list[str]:
    """Rules of two groups of four words with a gap, cut from four turns each, so that all of them match."""
    long = [turn for turn in turns if len(turn) >= 12]
    rules = []
    for _ in range(count):
        chosen = [long[at] for at in random.integers(len(long), size=4)]
        gap = int(random.integers(9))
        first, second = ([turn[at : at + 2] for turn in chosen] for at in (0, 2 + gap))
        rules.append(f"({'|'.join(first)}).{{0,8}}({'|'.join(second)})")
    return rules


def regexes(turns: list[str], count: int, random: np.random.Generator, rounds: int) -> dict[str, float]:
    """(turn, rule) pairs that match."""
    rules, table = patterns(turns, count, random), make_table(turns)
    uses = [check_use(REGISTRY, "regex", {"pattern": rule}) for rule in rules]
    plan, compiled = Plan(uses), [re.compile(rule) for rule in rules]
    number = {plan.id_of(use): at for at, use in enumerate(uses)}
    database: Any = hyperscan.Database()
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH
    database.compile(
        [rule.encode() for rule in rules], list(range(len(rules))), len(rules), [flags] * len(rules)
    )
    encoded = [turn.encode() for turn in turns]

    def per_rule() -> list[tuple[int, int]]:
        return [
            (t, r) for t, text in enumerate(turns) for r, rule in enumerate(compiled) if rule.search(text)
        ]

    def per_turn() -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for turn, text in enumerate(encoded):
            database.scan(
                text, match_event_handler=lambda r, _s, _e, _f, t: found.append((t, r)), context=turn
            )
        return found

    def ours(evidence: Any) -> set[tuple[int, ...]]:
        hits = evidence.hits
        return {(turn, number[use]) for turn, use in zip(hits.turn.tolist(), hits.use.tolist(), strict=True)}

    sides = {
        "earshot": Side(lambda: plan.evaluate(table), ours),
        "re, rule by rule": Side(per_rule, set),
        "hyperscan per turn": Side(per_turn, set),
    }
    return compare(sides, rounds)


def make_speech(calls: int, random: np.random.Generator) -> CallTable:
    """Calls of 12 speech segments a side and no turns."""
    gaps = random.integers(0, 8000, (calls * 2, 24)).cumsum(axis=1)
    nothing = np.zeros(0, np.int64)
    empty = call("")
    return replace(
        empty,
        call_ids=tuple(str(number) for number in range(calls)),
        duration_ms=gaps[:, -1].reshape(-1, 2).max(axis=1),
        has_times=np.ones(calls, np.bool_), separated=np.ones(calls, np.bool_),
        has_audio=np.ones(calls, np.bool_),
        turn_offsets=np.zeros(calls + 1, np.int64), turn_start_ms=nothing, turn_end_ms=nothing,
        speech_offsets=np.arange(0, calls * 24 + 1, 12), speech_start_ms=gaps[:, 0::2].ravel().copy(),
        speech_end_ms=gaps[:, 1::2].ravel().copy(),
    )  # fmt: skip


def silences_by_numpy(table: CallTable, at_least_ms: int) -> list[NDArray[np.int64]]:
    """(call, start, end) of the silences, a chunk of calls at a time."""
    found = []
    for first in range(0, table.n_calls, CHUNK_CALLS):
        last = min(first + CHUNK_CALLS, table.n_calls)
        rows = slice(table.speech_offsets[first * 2], table.speech_offsets[last * 2])
        side = np.repeat(
            np.arange(first * 2, last * 2), np.diff(table.speech_offsets[first * 2 : last * 2 + 1])
        )
        number, start, end = side // 2, table.speech_start_ms[rows], table.speech_end_ms[rows]
        order = np.lexsort((start, number))
        number, start, end = number[order], start[order], end[order]
        lift = number << 40  # later calls lie higher, so the running maximum never crosses from call to call
        until = np.maximum.accumulate(end + lift)[:-1] - lift[:-1]
        hole = (number[1:] == number[:-1]) & (start[1:] - until >= at_least_ms)
        found.append(np.stack([number[1:][hole], until[hole], start[1:][hole]], axis=1))
    return found


def intervals(calls: int, random: np.random.Generator, rounds: int) -> dict[str, float]:
    """Silences of at least 3 s."""
    table = make_speech(calls, random)
    plan = Plan([check_use(REGISTRY, "silence", {})])

    def ours(evidence: Any) -> set[tuple[int, ...]]:
        hits = evidence.hits
        return set(zip(hits.call.tolist(), hits.start_ms.tolist(), hits.end_ms.tolist(), strict=True))

    sides = {
        "earshot": Side(lambda: plan.evaluate(table), ours),
        "numpy in chunks": Side(
            lambda: silences_by_numpy(table, 3000),
            lambda parts: set(map(tuple, np.concatenate(parts).tolist())),
        ),
    }
    return compare(sides, rounds)


def main() -> None:
    """Run the comparisons and print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--turns", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0)
    asked = parser.parse_args()
    turns_count, rounds = (
        asked.turns or (40_000 if asked.quick else 100_000),
        asked.rounds or (3 if asked.quick else 5),
    )
    random = np.random.default_rng(7)
    turns = make_turns(turns_count, random)
    rules = 100 if asked.quick else 300
    seconds = {
        "keywords": keywords(turns, random, rounds),
        "regex": regexes(turns[: turns_count // 5], rules, random, rounds),
        "intervals": intervals(turns_count, random, rounds),
    }
    shown = Table(
        "kernel", "side", "CPU ms", "earshot is faster by", title=f"{turns_count} turns, best of {rounds}"
    )
    for kernel, sides in seconds.items():
        for side, spent in sides.items():
            shown.add_row(kernel, side, f"{spent * 1e3:.1f}", f"{spent / sides['earshot']:.2f}")
    Console().print(shown)
    over = {kernel: {s: t / sides["earshot"] for s, t in sides.items()} for kernel, sides in seconds.items()}
    libraries = [over["keywords"][side] for side in over["keywords"] if side != "earshot"]
    figures = {
        "keywords_over_pyahocorasick": over["keywords"]["pyahocorasick per turn"],
        "keywords_over_best_library": min(libraries),
        "regex_over_re": over["regex"]["re, rule by rule"],
        "regex_over_hyperscan": over["regex"]["hyperscan per turn"],
        "intervals_over_numpy": over["intervals"]["numpy in chunks"],
    }
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
