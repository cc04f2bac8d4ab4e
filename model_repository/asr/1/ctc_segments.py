"""Cut a recogniser's output into one segment a syllable and offer candidate characters for each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from char_trigram import compiled
from numpy.typing import NDArray

MAX_CANDIDATES = 40
FLOOR = -13.0
LIKELY_SYLLABLE, SURE_SYLLABLE, LIKELY_CHAR = -8.0, -3.5, -5.0


class Readings(NamedTuple):
    """Characters a syllable may be, with log P(syllable | character), and toneless groups."""

    start: NDArray[np.int32]
    chars: NDArray[np.int32]
    log_prior: NDArray[np.float32]
    group: NDArray[np.int32]


@compiled
def top(values: Any, count: int, most: int, order: Any) -> int:
    """Write positions of the `most` highest of values[:count] to `order`; returns how many."""
    kept = 0
    for place in range(count):
        if kept == most and values[place] <= values[order[kept - 1]]:
            continue
        spot = kept if kept < most else kept - 1
        while spot > 0 and values[order[spot - 1]] < values[place]:
            order[spot] = order[spot - 1]
            spot -= 1
        order[spot] = place
        if kept < most:
            kept += 1
    return kept


@compiled
def segment(chars: Any, syllables: Any, threshold: float, forced: int) -> Any:
    """Frame ranges [n, 2] in which one syllable is spoken, their labels [n] and each frame's weight [T].

    Frame 0 is taken to speak `forced`, unless that is -1. The last range is open if it ends at T.
    """
    bounds = np.zeros((len(chars), 2), np.int64)
    labels, speaking = np.zeros(len(chars), np.int64), np.zeros(len(chars), np.float64)
    count, previous = 0, -1
    for frame in range(len(chars)):
        speaking[frame] = 1.0 - 0.5 * (np.exp(chars[frame, 0]) + np.exp(syllables[frame, 0]))
        label = forced
        if frame > 0 or forced < 0:
            if speaking[frame] < threshold:
                previous = -1
                continue
            label = 1
            for index in range(2, syllables.shape[1]):
                if syllables[frame, index] > syllables[frame, label]:
                    label = index
        if label == previous:
            bounds[count - 1, 1] = frame + 1
        else:
            bounds[count, 0], bounds[count, 1], labels[count] = frame, frame + 1, label
            count += 1
        previous = label
    return bounds[:count], labels[:count], speaking


@compiled
def best(log_probs: Any, first: int, last: int) -> Any:
    """Highest log probability of each class over a segment's frames; of the blank (class 0) the lowest."""
    row = log_probs[first].copy()
    for frame in range(first + 1, last):
        for index in range(len(row)):
            if index == 0:
                row[0] = min(row[0], log_probs[frame, 0])
            else:
                row[index] = max(row[index], log_probs[frame, index])
    return row


@compiled
def _spread(
    scores: Any, touched: Any, count: int, readings: Any, syllable: int, score: float, weight: float
) -> int:
    """Offer a syllable's score to its characters; returns the new count of touched characters."""
    for place in range(readings.start[syllable], readings.start[syllable + 1]):
        char = readings.chars[place]
        value = score + weight * readings.log_prior[place]
        if scores[char] <= FLOOR:
            touched[count] = char
            count += 1
            scores[char] = max(value, FLOOR + 1e-3)
        elif value > scores[char]:
            scores[char] = value
    return count


@compiled
def _gather(char_row: Any, syllable_row: Any, readings: Any, weights: Any, scores: Any, touched: Any) -> int:
    """Syllable score of every character worth trying, written to scores and touched; returns how many."""
    count = 0
    for syllable in range(1, len(syllable_row)):
        score = syllable_row[syllable]
        if score > LIKELY_SYLLABLE:
            count = _spread(scores, touched, count, readings, syllable, score, weights.reading)
    for syllable in range(1, len(syllable_row)):
        score = syllable_row[syllable] - weights.tone_cost
        if syllable_row[syllable] > SURE_SYLLABLE:
            for other in range(1, len(syllable_row)):
                if other != syllable and readings.group[other] == readings.group[syllable]:
                    count = _spread(scores, touched, count, readings, other, score, weights.reading)
    for char in range(1, len(char_row)):
        if char_row[char] > LIKELY_CHAR and scores[char] <= FLOOR:
            scores[char] = FLOOR + 1e-3
            touched[count] = char
            count += 1
    return count


@compiled
def candidates(
    char_row: Any,
    syllable_row: Any,
    readings: Any,
    unigram: Any,
    favour: Any,
    weights: Any,
    offered: Any,
    acoustic: Any,
) -> int:
    """Write one segment's candidate characters and scores, best first; class 0: nothing said."""
    scores = np.full(len(char_row), FLOOR, np.float32)
    touched = np.zeros(len(char_row) + 1, np.int64)
    count = _gather(char_row, syllable_row, readings, weights, scores, touched)
    total, rank = np.zeros(count + 1, np.float32), np.zeros(count + 1, np.float32)
    share = weights.syllable
    for place in range(count):
        char = touched[place]
        total[place] = share * scores[char] + (1 - share) * max(char_row[char], FLOOR)
        rank[place] = total[place] + 0.5 * weights.language * unigram[char] + weights.bonus
        rank[place] += weights.context * favour[char]
    total[count], rank[count] = share * syllable_row[0] + (1 - share) * char_row[0], 100.0
    touched[count] = 0
    order = np.zeros(MAX_CANDIDATES, np.int64)
    kept = top(rank, count + 1, MAX_CANDIDATES, order)
    for place in range(kept):
        offered[place], acoustic[place] = touched[order[place]], total[order[place]]
    return kept


@compiled
def offer(
    chars: Any,
    syllables: Any,
    bounds: Any,
    readings: Any,
    unigram: Any,
    favour: Any,
    weights: Any,
    offered: Any,
    scores: Any,
    counts: Any,
) -> None:
    """Candidates of every segment, written to offered and scores [n, MAX_CANDIDATES] and counts [n]."""
    for index in range(len(bounds)):
        first, last = bounds[index]
        counts[index] = candidates(
            best(chars, first, last),
            best(syllables, first, last),
            readings,
            unigram,
            favour,
            weights,
            offered[index],
            scores[index],
        )
