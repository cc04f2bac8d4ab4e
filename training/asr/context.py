"""What context words do: names and products that no training text has, found with and without their list.

`python -m training.asr.context --data DIR --speech DIR --model model_repository/asr`: sentences of the
held-out writers with words that no training text contains are spoken in unseen voices on the telephone. The
list of a call holds these words and others that nobody says (made-up names, dictionary words).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jieba

from training.asr import grammar
from training.asr.corpus import HELD_OUT_WRITERS, Corpus, sentences, writers
from training.asr.evaluate import Item, align, recogniser, synthesized
from training.asr.vocabulary import Vocabulary, load

OTHERS = (0, 100, 1000, 5000)


@dataclass(slots=True)
class Lists:
    """Sentences with new words, sentences without any, the new words, and words that nobody says."""

    with_words: list[str]
    without: list[str]
    words: list[str]
    others: list[str] = field(default_factory=list)


def _others(rng: random.Random, said: str, corpus: Corpus, count: int) -> list[str]:
    """Names and dictionary words, half each, that no measured sentence contains."""
    found: dict[str, None] = {}
    dictionary = [word for word, _ in corpus.frequency if len(word) > 1]
    while len(found) < count:
        name = rng.choice(grammar.SURNAMES) + "".join(rng.choices(grammar.GIVEN, k=rng.choice((1, 2, 2))))
        for word in (name, rng.choice(dictionary)):
            if word not in said:
                found[word] = None
    return list(found)[:count]


def lists(
    data: Path, vocabulary: Vocabulary, measured: tuple[int, ...] = HELD_OUT_WRITERS, seed: int = 1
) -> Lists:
    """Sentences of the measured writers by whether they have a word of two characters or more that is new."""
    corpus = Corpus(data, writers=tuple(writer for writer in writers(data) if writer not in measured))
    known = "\n".join(text for texts in corpus.sentences.values() for text in texts)
    alphabet, words = set(vocabulary.chars), dict[str, None]()
    with_words: list[str] = []
    without: list[str] = []
    for text in sentences(data, measured):
        new = [
            word
            for word in jieba.cut(text)
            if len(word) > 1 and "，" not in word and word not in known and set(word) <= alphabet
        ]
        words |= dict.fromkeys(new)
        (with_words if new else without).append(text)
    said = "\n".join(with_words + without)
    others = _others(random.Random(seed), said, corpus, max(OTHERS))
    return Lists(with_words, without, list(words), others)


def _hits(texts: Sequence[str], references: Sequence[str], words: Sequence[str]) -> tuple[int, int, int]:
    """Of the words said: how many there are, how many are heard; and words heard that were not said."""
    said = heard = false = 0
    for text, reference in zip(texts, references, strict=True):
        for word in words:
            there, here = reference.count(word), text.count(word)
            said, heard, false = said + there, heard + min(there, here), false + max(0, here - there)
    return said, heard, false


def _heard(model: Any, items: list[Item], words: Sequence[str]) -> list[str]:
    """Texts of all items, asked with these context words."""
    context = model.context(tuple(words))
    units = model.recognise([item.pcm for item in items], [context] * len(items))
    return ["".join(answer.characters) for answer in units]


def _row(texts: list[str], plain: list[str], items: list[Item], words: Sequence[str], sent: int) -> str:
    """Figures of one list: error, words found, and words falsely heard with and without it."""
    references = [item.text for item in items]
    errors = sum(align(text, reference)[0] for text, reference in zip(texts, references, strict=True))
    characters = sum(map(len, references))
    said, heard, false = _hits(texts, references, words)
    share = f"{100 * heard / said:.1f}" if said else "–"
    before = _hits(plain, references, words)[2]
    per_mille = f"{1000 * false / characters:.1f} | {1000 * before / characters:.1f}"
    return f"{sent} | {100 * errors / characters:.1f} | {share} | {per_mille} |"


def table(model: Any, vocabulary: Vocabulary, made: Lists, count: int) -> list[str]:
    """Markdown rows for both kinds of sentences and every length of list."""
    rows = []
    for name, texts, seed in (("with new words", made.with_words, 301), ("without", made.without, 302)):
        items = synthesized(vocabulary, texts, count, seed, True, False)
        plain = _heard(model, items, ())
        rows.append(f"| {name} | " + _row(plain, plain, items, made.words, 0))
        for others in OTHERS:
            words = [*made.words, *made.others[:others]]
            rows.append(f"| {name} | " + _row(_heard(model, items, words), plain, items, words, len(words)))
    return rows


def run(data: Path, speech: Path, model_folder: Path, count: int) -> str:
    """Markdown table: error, words found, words falsely heard per 1,000 characters, by length of the list."""
    vocabulary, model = load(speech / "vocabulary.json"), recogniser(model_folder)
    made = lists(data, vocabulary)
    return "\n".join(
        [
            f"{len(made.words)} new words in {len(made.with_words)} sentences\n",
            "| sentences | words sent | error % | words found % | falsely heard | without the list |",
            "| --- | --- | --- | --- | --- | --- |",
            *table(model, vocabulary, made, count),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("model_repository/asr"))
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    print(run(options.data, options.speech, options.model, options.count))
