"""From the two heads' log probabilities to characters with times and confidences.

The frames where either head speaks are cut into segments, one a syllable. Each segment gets candidate
characters: those of its likely syllables (other tones at a cost) and those of the character head, scored
log-linearly by both. A beam search with the character trigram picks one candidate or none a segment.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from char_trigram import Trigram, compiled, step
from context_words import Context, walk
from ctc_lattice import Lattice, extend, start
from ctc_segments import MAX_CANDIDATES, Readings, top
from numpy.typing import NDArray

FRAME_MS = 80.0


class Weights(NamedTuple):
    """Log-linear weights, tuned on a development writer."""

    syllable: float = 0.7
    language: float = 0.45
    bonus: float = 3.0
    tone_cost: float = 0.2
    reading: float = 0.5
    speaks: float = 0.2
    beam: int = 24
    temperature: float = 1.0
    context: float = 1.5


class Units(NamedTuple):
    """Character classes [n], start and end in ms [n], confidence [n] in 0..1."""

    chars: NDArray[np.int32]
    start_ms: NDArray[np.int32]
    end_ms: NDArray[np.int32]
    confidence: NDArray[np.float32]


@compiled
def _extend(
    offered: Any,
    scores: Any,
    states: Any,
    total: Any,
    model: Any,
    context: Any,
    weights: Any,
    new: Any,
    new_total: Any,
) -> int:
    """Every state with every candidate, merged by the last two characters and the place in context words.

    Rows: pair, last, from, taken, node.
    """
    made = 0
    for take in range(len(offered)):
        char, first = offered[take], made
        for state in range(len(total)):
            value, pair, last, node = (
                total[state] + scores[take],
                states[0, state],
                states[1, state],
                states[2, state],
            )
            same = -1
            if char != 0:
                boost, node = walk(context, node, char)
                for other in range(first, made):
                    if states[1, new[2, other]] == last and new[4, other] == node:
                        same = other
                gain, pair = step(model, pair, last, char)
                value += weights.language * gain + weights.bonus + weights.context * boost
                last = char
            if same < 0:
                same = made
                made += 1
            elif value <= new_total[same]:
                continue
            new_total[same] = value
            new[0, same], new[1, same], new[2, same], new[3, same] = pair, last, state, take
            new[4, same] = node
    return made


@compiled
def search(offered: Any, scores: Any, counts: Any, model: Any, context: Any, weights: Any) -> Any:
    """Best candidate index of every segment; offered and scores are [n, MAX_CANDIDATES]."""
    length, beam = len(counts), weights.beam
    states, total = np.zeros((3, beam), np.int64), np.zeros(beam)
    states[0, 0] = -1
    alive = 1
    back, taken = np.zeros((length, beam), np.int64), np.zeros((length, beam), np.int64)
    new, new_total = np.zeros((5, beam * MAX_CANDIDATES), np.int64), np.zeros(beam * MAX_CANDIDATES)
    order = np.zeros(beam, np.int64)
    for index in range(length):
        row, values = offered[index, : counts[index]], scores[index, : counts[index]]
        made = _extend(row, values, states, total[:alive], model, context, weights, new, new_total)
        alive = top(new_total, made, beam, order)
        for place in range(alive):
            source = order[place]
            total[place] = new_total[source]
            states[0, place], states[1, place], states[2, place] = (
                new[0, source],
                new[1, source],
                new[4, source],
            )
            back[index, place], taken[index, place] = new[2, source], new[3, source]
    for place in range(alive):  # a word cut off by the end has earned nothing
        total[place] -= weights.context * context.pending[states[2, place]]
    path, state = np.zeros(length, np.int64), np.argmax(total[:alive])
    for index in range(length - 1, -1, -1):
        path[index] = taken[index, state]
        state = back[index, state]
    return path


@compiled
def _around(model: Any, context: Any, char: int) -> float:
    """Log P of two left characters, `char` (0: none) and two right ones; -1: no neighbour."""
    pair, last, total = -1, 0, 0.0
    for place in range(5):
        token = char if place == 2 else context[place]
        if token < 0 or (place == 2 and char == 0):
            continue
        gain, pair = step(model, pair, last, token)
        last = token
        total += gain
    return total


@compiled
def _context(said: Any, index: int, context: Any) -> None:
    """Fill in the two characters said before and after a segment, -1 where there is none."""
    for direction in (-1, 1):
        at, place = index + direction, 2 + direction
        while 0 <= place < 5:
            context[place] = -1
            while 0 <= at < len(said) and said[at] == 0:
                at += direction
            if 0 <= at < len(said):
                context[place] = said[at]
            at += direction
            place += direction


@compiled
def confidences(offered: Any, scores: Any, counts: Any, path: Any, model: Any, weights: Any) -> Any:
    """Posterior of the chosen candidate among the segment's candidates, its neighbours held fixed, [n]."""
    said = np.zeros(len(path), np.int64)
    for index in range(len(path)):
        said[index] = offered[index, path[index]]
    result = np.zeros(len(path), np.float32)
    context, values = np.zeros(5, np.int64), np.zeros(MAX_CANDIDATES)
    for index in range(len(path)):
        if said[index] == 0:
            continue
        _context(said, index, context)
        for take in range(counts[index]):
            char = offered[index, take]
            bonus = weights.bonus if char != 0 else 0.0
            values[take] = scores[index, take] + bonus + weights.language * _around(model, context, char)
        chosen, total = values[path[index]], 0.0
        for take in range(counts[index]):
            total += np.exp((values[take] - chosen) / weights.temperature)
        result[index] = 1.0 / total
    return result


def _times(peaks: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Start and end of each unit in ms, from centres in ms; a head fires at about 60 % of its syllable."""
    gaps = np.diff(peaks)
    usual = float(np.clip(np.median(gaps[gaps < 400]) if (gaps < 400).any() else 200.0, 80.0, 320.0))
    before = np.minimum(np.concatenate([[usual], gaps]), usual * 1.6)
    after = np.minimum(np.concatenate([gaps, [usual]]), usual * 1.6)
    start, end = np.maximum(peaks - 0.6 * before, 0), peaks + 0.4 * after
    return np.rint(start).astype(np.int32), np.rint(np.maximum(end, start + 10)).astype(np.int32)


def best(lattice: Lattice, model: Trigram, context: Context, weights: Weights) -> Units:
    """Units of the closed syllables of `lattice`."""
    if not len(lattice.counts):
        return empty()
    offered, scores, counts = lattice.offered, lattice.scores, lattice.counts
    path = search(offered, scores, counts, model, context, weights)
    sure = confidences(offered, scores, counts, path, model, weights)
    said = offered[np.arange(len(path)), path]
    kept = said != 0
    if not kept.any():
        return empty()
    start_ms, end_ms = _times(lattice.centres[kept] * FRAME_MS + FRAME_MS / 2)
    return Units(said[kept].astype(np.int32), start_ms, end_ms, sure[kept])


def decode(
    chars: NDArray[np.float32],
    syllables: NDArray[np.float32],
    readings: Readings,
    model: Trigram,
    context: Context,
    weights: Weights,
) -> Units:
    """Units heard in log probabilities [T, C] and [T, S] of one utterance."""
    whole = extend(start(), chars, syllables, readings, model, context, weights, last=True)
    return best(whole, model, context, weights)


def empty() -> Units:
    """Nothing heard."""
    none = np.zeros(0, np.int32)
    return Units(none, none, none, np.zeros(0, np.float32))
