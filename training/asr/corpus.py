"""Training text: the project's dialogues (writers 1–6), open dialogue corpora, grammar, word salad.

Writers 7 and 8 are held out: only `sentences` reads them, for measuring. The language model reads all
other writers there are, speech only the first six.
"""

from __future__ import annotations

import csv
import json
import random
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jieba

from training.asr import grammar

HELD_OUT_WRITERS = (7, 8)
TRAIN_WRITERS = (1, 2, 3, 4, 5, 6)
# How often a sentence is drawn from each source for speech; the language model has its own weights.
SPEECH_WEIGHTS = {
    "dialogues": 34,
    "grammar": 15,
    "tele": 9,
    "cped": 8,
    "crosswoz": 6,
    "kdconv": 5,
    "aishell": 6,
    "cold": 2,
    "rasa": 1,
    "salad": 9,
    "short": 5,
}
_HANZI = re.compile(r"[一-龥]+")


def writers(folder: Path) -> tuple[int, ...]:
    """Writers there are text of, those held out apart."""
    found = (int(path.stem.removeprefix("writer_")) for path in (folder / "dialogues").glob("writer_*.txt"))
    return tuple(sorted(set(found) - set(HELD_OUT_WRITERS)))


def _turns(folder: Path, writers: tuple[int, ...]) -> Iterator[str]:
    for writer in writers:
        for line in (folder / "dialogues" / f"writer_{writer}.txt").read_text(encoding="utf8").splitlines():
            if line[:2] in ("a|", "c|"):
                yield line.split("|")[1].strip()


def sentences(folder: Path, writers: tuple[int, ...] = HELD_OUT_WRITERS, longest: int = 45) -> list[str]:
    """Cleaned sentences of some writers' turns, up to `longest` characters, for measuring."""
    rng = random.Random(1)
    cleaned = (sentence for turn in _turns(folder, writers) for sentence in clean(turn, rng))
    return [sentence for sentence in cleaned if len(sentence) <= longest]


def _raw(folder: Path, writers: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """(source, text) of every training source, uncleaned."""
    text = folder / "text"
    yield from (("dialogues", turn) for turn in _turns(folder, writers))
    for line in _lines(text / "teleantifraud_synthetic", "*.jsonl"):
        call = json.loads(line)
        yield from (("tele", turn) for side in ("left", "right") for turn in call.get(side, []))
    for source, column in (("cped", "Utterance"), ("cold", "TEXT")):
        for path in sorted((text / source).glob("*.csv")):
            with path.open(encoding="utf-8-sig") as rows:
                yield from ((source, row[column]) for row in csv.DictReader(rows))
    for path in sorted((text / "crosswoz").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                for dialogue in json.loads(archive.read(name)).values():
                    yield from (("crosswoz", message["content"]) for message in dialogue.get("messages", []))
    yield from (("kdconv", line) for line in _lines(text / "kdconv", "*.txt"))
    phrases = _lines(text / "collection_rasa_yalong", "nlu*.md")
    yield from (("rasa", line[2:]) for line in phrases if line.startswith("- "))
    transcripts = _lines(text / "aishell1_test_transcripts", "*.txt")
    yield from (("aishell", json.loads(line)["text"]) for line in transcripts)


def _lines(folder: Path, pattern: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        yield from path.read_text(encoding="utf8").splitlines()


def clean(text: str, rng: random.Random) -> list[str]:
    """Sentences of hanzi with ， between phrases; anything else is dropped."""
    found = []
    for part in re.split(
        r"[。？！；;?!\n…]", grammar.spoken(re.sub(r"(?<=[一-龥]) +(?=[一-龥])", "，", text), rng)
    ):
        part = re.sub(r"[,，、：:\-—~]+", "，", re.sub(r"[“”\"\s（）()《》<>‘’'【】\[\]·.]", "", part)).strip(
            "，"
        )
        if part and all(_HANZI.fullmatch(phrase) for phrase in part.split("，") if phrase):
            found.append(re.sub("，+", "，", part))
    return found


class Corpus:
    """Cleaned sentences by source and random draws from their mixture."""

    def __init__(self, folder: Path, seed: int = 1, writers: tuple[int, ...] = TRAIN_WRITERS) -> None:
        rng = random.Random(seed)
        self.sentences: dict[str, list[str]] = {source: [] for source in SPEECH_WEIGHTS}
        for source, text in _raw(folder, writers):
            self.sentences[source].extend(clean(text, rng))
        self.sentences["short"] = list(grammar.SHORT)
        self.frequency = _word_list()
        self._words = [word for word, _ in self.frequency]
        self._chances = [count**0.4 for _, count in self.frequency]

    def characters(self, size: int) -> list[str]:
        """The `size` most useful characters: everything in dialogues and grammar, then by frequency."""
        must = set(
            "".join(self.sentences["dialogues"])
            + "".join(grammar.SHORT)
            + grammar.DIGITS
            + grammar.SURNAMES[:180]
            + grammar.GIVEN
            + "".join(grammar.TEMPLATES)
            + "幺两十百千万亿元块钱角分点半"
            + "".join(grammar.BANKS + grammar.PRODUCTS + grammar.DAYS + grammar.KIN + grammar.TITLES)
        )
        must = {char for char in must if _HANZI.fullmatch(char)}
        count: Counter[str] = Counter()
        for word, number in self.frequency:
            count.update(dict.fromkeys(word, number))
        for source in ("tele", "cped", "crosswoz", "aishell"):
            count.update({char: 300 * n for char, n in Counter("".join(self.sentences[source])).items()})
        ranked = [char for char, _ in count.most_common() if _HANZI.fullmatch(char) and char not in must]
        return sorted(must | set(ranked[: max(0, size - len(must))]))

    def draw(self, rng: random.Random) -> str:
        """One random sentence of the speech mixture, at most about 36 characters."""
        source = rng.choices(list(SPEECH_WEIGHTS), list(SPEECH_WEIGHTS.values()))[0]
        if source == "grammar":
            return grammar.sentence(rng)
        if source == "salad":
            return "".join(rng.choices(self._words, self._chances, k=rng.randint(1, 6)))
        text = rng.choice(self.sentences[source])
        return _vary(text, rng) if len(text) > 8 else text


def _vary(text: str, rng: random.Random) -> str:
    """Cut long sentences to a random span of whole words and put in some pauses."""
    words = list(jieba.cut(text, HMM=False))
    limit = rng.randint(14, 36)
    start = 0 if rng.random() < 0.4 else rng.randrange(len(words))
    out, since = "", 0
    for word in words[start:]:
        if len(out) + len(word) > limit and out:
            break
        if since > 4 and word != "，" and rng.random() < 0.06:
            out, since = out + "，", 0
        out, since = out + word, 0 if word == "，" else since + len(word)
    return out.strip("，")


def _word_list() -> list[tuple[str, int]]:
    """(word, frequency) of jieba's dictionary: hanzi only, up to four characters, not rare."""
    words = []
    with jieba.get_dict_file() as lines:
        for raw in lines:
            word, count, _ = raw.decode("utf8").split()
            if _HANZI.fullmatch(word) and len(word) <= 4 and int(count) >= (3 if len(word) == 1 else 20):
                words.append((word, int(count)))
    return words
