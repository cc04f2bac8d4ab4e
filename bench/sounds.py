"""What it costs to look for words by sound, beside looking for the same words by character.

    python -m bench.sounds [--quick] [--turns N] [--rounds N]

200 words in made-up turns (those of ``bench.kernels``), in one process, in turn, round by round; a ratio is
that of the best rounds. The time is the whole operator's: ``Plan.evaluate`` from the table to sorted hits, so
what is found in addition is paid for too. Every word found by character must also be found by syllable, and
what is found by syllable also by confused syllable; otherwise nothing is printed.
"""

import argparse
import json
from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.kernels import REGISTRY, cut_words, make_table, make_turns
from operators.chain import Evidence, Plan, check_use

MATCHES = ("exact", "pinyin", "fuzzy")
WORDS = 200


def places(evidence: Evidence) -> set[tuple[int, ...]]:
    """(turn, first character, end) of every hit."""
    hits = evidence.hits
    return set(zip(hits.turn.tolist(), hits.char_start.tolist(), hits.char_end.tolist(), strict=True))


def measure(turns: list[str], random: np.random.Generator, rounds: int) -> dict[str, tuple[float, int]]:
    """Way of matching → best CPU seconds, number of hits.

    Raises:
        SystemExit: a nearer way of matching finds what a freer one does not.
    """
    words, table = cut_words(turns, WORDS, random), make_table(turns)
    uses = {match: check_use(REGISTRY, "keyword", {"any": words, "match": match}) for match in MATCHES}
    plans = {match: Plan([use]) for match, use in uses.items()}
    found = {match: places(plan.evaluate(table)) for match, plan in plans.items()}
    if not found["exact"] <= found["pinyin"] <= found["fuzzy"]:
        raise SystemExit("a hit by character is missing by sound\nhelp: mend it before it is timed")
    best = dict.fromkeys(MATCHES, float("inf"))
    for _ in range(rounds):
        for match, plan in plans.items():
            begin = process_time()
            plan.evaluate(table)
            best[match] = min(best[match], process_time() - begin)
    return {match: (best[match], len(found[match])) for match in MATCHES}


def main() -> None:
    """Run the comparison and print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--turns", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0)
    asked = parser.parse_args()
    count, rounds = asked.turns or (40_000 if asked.quick else 100_000), asked.rounds or 5
    random = np.random.default_rng(7)
    sides = measure(make_turns(count, random), random, rounds)
    exact = sides["exact"][0]
    shown = Table(
        "match", "CPU ms", "hits", "of exact's time", title=f"{WORDS} words, {count} turns, best of {rounds}"
    )
    for match, (spent, hits) in sides.items():
        shown.add_row(match, f"{spent * 1e3:.1f}", str(hits), f"{spent / exact:.2f}")
    Console().print(shown)
    print(json.dumps({f"{m}_over_exact": round(sides[m][0] / exact, 2) for m in MATCHES[1:]}))


if __name__ == "__main__":
    main()
