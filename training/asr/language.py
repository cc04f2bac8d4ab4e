"""Build the character trigram and the syllable-to-character table from training text only.

Counts of several sources are mixed with weights, smoothed (Kneser and Ney), pruned by how much
each n-gram changes the model, and packed into bytes. Format: `model_repository/asr/1/char_trigram.py`.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_tone3

from training.asr import grammar
from training.asr.corpus import Corpus
from training.asr.vocabulary import Vocabulary
from training.synth import read

SOURCE_WEIGHTS = {
    "dialogues": 20.0,
    "grammar": 0.2,
    "tele": 0.8,
    "cped": 0.8,
    "crosswoz": 0.25,
    "kdconv": 0.25,
    "aishell": 0.2,
    "cold": 0.3,
    "rasa": 3.0,
    "short": 6.0,
}
GRAMMAR_SENTENCES = 50_000
WORD_WEIGHT = 0.05
RARE = 20  # a reading heard in text counts as much as this many dictionary entries
STEP, ZERO = 16.0, 128
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


def _stream(corpus: Corpus, ids: dict[str, int], seed: int) -> tuple[Longs, Floats]:
    """All text as class numbers with two 0 (start) before each sentence, and a weight for each position."""
    rng = random.Random(seed)
    texts = dict(corpus.sentences)
    texts["grammar"] = [grammar.sentence(rng) for _ in range(GRAMMAR_SENTENCES)]
    codes: list[int] = []
    weights: list[float] = []
    for source, weight in SOURCE_WEIGHTS.items():
        for text in texts[source]:
            sentence = [ids.get(char, -1) for char in text if char != "，"]
            codes += [0, 0, *sentence]
            weights += [weight] * (len(sentence) + 2)
    for word, count in corpus.frequency:
        if len(word) > 1:
            codes += [-1, -1, *(ids.get(char, -1) for char in word)]
            weights += [WORD_WEIGHT * count**0.5] * (len(word) + 2)
    return np.array(codes), np.array(weights)


def _count(keys: Longs, weights: Floats) -> tuple[Longs, Floats, Floats]:
    """Distinct keys, sorted, their summed weights, and the mean weight of one occurrence."""
    distinct, place, times = np.unique(keys, return_inverse=True, return_counts=True)
    total = np.bincount(place, weights)
    mean: Floats = total / times
    return distinct, np.asarray(total, np.float64), mean


class _Model:
    """Smoothed probabilities of every n-gram seen: keys sorted, P in the full interpolated model."""

    def __init__(self, codes: Longs, weights: Floats, size: int, discount: float) -> None:
        base = size + 1
        self.base = base
        known = codes > 0
        pairs = known[1:] & (codes[:-1] >= 0)
        triples = pairs[1:] & (codes[:-2] >= 0) & ~(codes[1:-1] == 0)
        self.pair_keys, pair_counts, once = _count((codes[:-1] * base + codes[1:])[pairs], weights[1:][pairs])
        keys = (codes[:-2] * base + codes[1:-1]) * base + codes[2:]
        self.triple_keys, triple_counts, once_each = _count(keys[triples], weights[2:][triples])
        unigram = np.bincount(self.pair_keys % base, once, minlength=base)[1:] + 0.5
        self.unigram = np.concatenate([[1e-9], unigram / unigram.sum()])
        pair_counts = self._continuations(pair_counts, once_each)
        once = np.minimum(once, pair_counts)
        first, char = self.pair_keys // base, self.pair_keys % base
        self.pair, self.pair_share = _smooth(first, pair_counts, discount * once, self.unigram[char])
        context, char = self.triple_keys // base, self.triple_keys % base
        lower = self.pair[np.searchsorted(self.pair_keys, context % base * base + char)]
        self.triple, self.triple_share = _smooth(context, triple_counts, discount * once_each, lower)
        self.triple_lower = lower
        self.triple_counts, self.pair_counts = triple_counts, pair_counts

    def _continuations(self, counts: Floats, once: Floats) -> Floats:
        """Counts of pairs by what they follow (Kneser and Ney, 1995); pairs at a sentence's start as seen."""
        inside = np.searchsorted(self.pair_keys, self.triple_keys % self.base**2)
        followed = np.bincount(inside, once, minlength=len(counts))
        kept = (followed == 0) | (self.pair_keys < self.base)
        return np.where(kept, counts, followed)


def _smooth(context: Longs, counts: Floats, discounts: Floats, lower: Floats) -> tuple[Floats, Floats]:
    """Absolute discounting: P of each n-gram, and the share left to the lower order in its context."""
    _, place = np.unique(context, return_inverse=True)
    total, taken = np.bincount(place, counts), np.bincount(place, discounts)
    share = (taken / total)[place]
    return (counts - discounts) / total[place] + share * lower, share


def _keep(model: _Model, pairs: int, triples: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The n-grams that change the model most: weight × |log P − log of what backing off would give|."""
    gain = model.triple_counts * np.abs(
        np.log(model.triple) - np.log(model.triple_share * model.triple_lower)
    )
    kept_triples = gain >= np.sort(gain)[-min(triples, len(gain))]
    char = model.pair_keys % model.base
    gain = model.pair_counts * np.abs(np.log(model.pair) - np.log(model.pair_share * model.unigram[char]))
    context = np.unique(model.triple_keys[kept_triples] // model.base)
    gain[np.searchsorted(model.pair_keys, context[np.isin(context, model.pair_keys)])] += 1e6
    return gain >= np.sort(gain)[-min(pairs, len(gain))], kept_triples


def _backoff(context: Longs, kept: Floats, lower: Floats, wanted: Longs) -> Floats:
    """Log back-off weight of each wanted context: what kept successors leave, over that below."""
    found, place = np.unique(context, return_inverse=True)
    left = np.maximum(1e-4, 1 - np.bincount(place, kept)) / np.maximum(1e-4, 1 - np.bincount(place, lower))
    spot = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    return np.where(found[spot] == wanted, np.log(left)[spot], 0.0)


def _code(log_probability: Floats) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.clip(np.rint(-log_probability * STEP), 0, 255).astype(np.uint8)
    return codes


def _code_backoff(weight: Floats) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.clip(np.rint(weight * STEP + ZERO), 0, 255).astype(np.uint8)
    return codes


def train(
    corpus: Corpus,
    vocabulary: Vocabulary,
    pairs: int = 135_000,
    triples: int = 450_000,
    discount: float = 0.9,
) -> dict[str, NDArray[Any]]:
    """The packed arrays of the pruned trigram."""
    codes, weights = _stream(corpus, vocabulary.char_ids(), 7)
    model = _Model(codes, weights, len(vocabulary.chars), discount)
    keep_pair, keep_triple = _keep(model, pairs, triples)
    base, pair_keys, triple_keys = model.base, model.pair_keys[keep_pair], model.triple_keys[keep_triple]
    inside = np.isin(triple_keys // base, pair_keys)
    triple_keys, triple = triple_keys[inside], model.triple[keep_triple][inside]
    pair, lower = model.pair[keep_pair], model.triple_lower[keep_triple][inside]
    one = _backoff(pair_keys // base, pair, model.unigram[pair_keys % base], np.arange(base))
    two = _backoff(triple_keys // base, triple, lower, pair_keys)
    return {
        "unigram": _code(np.log(model.unigram)),
        "unigram_backoff": _code_backoff(one),
        "bigram_counts": np.bincount(pair_keys // base, minlength=base).astype(np.uint16),
        "bigram_next": (pair_keys % base).astype(np.uint16),
        "bigram_score": _code(np.log(pair)),
        "bigram_backoff": _code_backoff(two),
        "trigram_counts": np.bincount(
            np.searchsorted(pair_keys, triple_keys // base), minlength=len(pair_keys)
        ).astype(np.uint16),
        "trigram_next": (triple_keys % base).astype(np.uint16),
        "trigram_score": _code(np.log(triple)),
    }


def _reading_counts(corpus: Corpus, vocabulary: Vocabulary, draws: int) -> dict[str, Counter[str]]:
    """How often each character is read as each syllable; dictionary readings count a little."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    rng = random.Random(11)
    for _ in range(draws):
        reading = read(corpus.draw(rng))
        for char, syllable in zip(reading.chars, reading.syllables, strict=True) if reading else ():
            counts[char][syllable] += RARE
    for char in vocabulary.chars:
        for marked in PINYIN_DICT.get(ord(char), "").split(","):
            if marked:
                counts[char][to_tone3(marked, neutral_tone_with_five=True).replace("ü", "v")] += 1
    return counts


def readings(corpus: Corpus, vocabulary: Vocabulary, draws: int = 60_000) -> dict[str, NDArray[Any]]:
    """For each syllable its characters with 16 × −log P(syllable | character), and toneless groups."""
    ids, rows = vocabulary.syllable_ids(), []
    counts = _reading_counts(corpus, vocabulary, draws)
    for number, char in enumerate(vocabulary.chars, 1):
        total = counts[char].total()
        for syllable, count in counts[char].items():
            if syllable in ids:
                rows.append((ids[syllable], number, np.log(count / total)))
    rows.sort()
    toneless = sorted({syllable[:-1] for syllable in vocabulary.syllables})
    group = [-1, *(toneless.index(syllable[:-1]) for syllable in vocabulary.syllables)]
    starts = np.bincount([row[0] for row in rows], minlength=len(vocabulary.syllables) + 1)
    return {
        "reading_counts": starts.astype(np.uint16),
        "reading_chars": np.array([row[1] for row in rows], np.uint16),
        "reading_score": _code(np.array([row[2] for row in rows])),
        "group": np.array(group, np.int16),
    }


def save(path: Path, corpus: Corpus, vocabulary: Vocabulary) -> None:
    """Write trigram and readings as one compressed file."""
    np.savez_compressed(path, **train(corpus, vocabulary), **readings(corpus, vocabulary))
