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
from training.asr.corpus import Corpus, sentences, writers
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


def lists(data: Path, vocabulary: Vocabulary, seed: int = 1) -> Lists:
    """The held-out writers' sentences by whether they have a word of two characters or more that is new."""
    corpus = Corpus(data, writers=writers(data))
    known = "\n".join(text for texts in corpus.sentences.values() for text in texts)
    alphabet, words = set(vocabulary.chars), dict[str, None]()
    with_words: list[str] = []
    without: list[str] = []
    for text in sentences(data):
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


def _row(model: Any, items: list[Item], words: Sequence[str], sent: Sequence[str]) -> str:
    """One line of figures: what a list of words does to some sentences."""
    context = model.context(tuple(sent))
    units = model.recognise([item.pcm for item in items], [context] * len(items))
    texts = ["".join(answer.characters) for answer in units]
    references = [item.text for item in items]
    errors = sum(align(text, reference)[0] for text, reference in zip(texts, references, strict=True))
    characters = sum(map(len, references))
    said, heard, false = _hits(texts, references, sent or words)
    share = f"{100 * heard / said:.1f}" if said else "–"
    return f"{len(sent)} | {100 * errors / characters:.1f} | {share} | {1000 * false / characters:.2f} |"


def run(data: Path, speech: Path, model_folder: Path, count: int) -> str:
    """Markdown table: error, words found, words falsely heard per 1,000 characters, by length of the list."""
    vocabulary, model = load(speech / "vocabulary.json"), recogniser(model_folder)
    made = lists(data, vocabulary)
    lines = [
        f"{len(made.words)} new words in {len(made.with_words)} sentences",
        "| sentences | list | error % | words found % | falsely heard per 1,000 characters |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, texts, seed in (("with new words", made.with_words, 301), ("without", made.without, 302)):
        items = synthesized(vocabulary, texts, count, seed, True, False)
        lines.append(f"| {name} | " + _row(model, items, made.words, ()))
        for others in OTHERS:
            lines.append(
                f"| {name} | " + _row(model, items, made.words, [*made.words, *made.others[:others]])
            )
            print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("model_repository/asr"))
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    print(run(options.data, options.speech, options.model, options.count))
