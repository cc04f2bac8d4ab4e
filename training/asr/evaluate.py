"""Character error of the exported model: synthesized held-out dialogue and human speech, greedy and with
the trigram.

`python -m training.asr.evaluate --data DIR --speech DIR --model model_repository/asr`
"""

from __future__ import annotations

import argparse
import csv
import importlib
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from training.asr.corpus import TRAIN_WRITERS, sentences
from training.asr.speech import Speaker
from training.asr.vocabulary import Vocabulary, load
from training.synth import alaw_decode, read, resample
from training.synth.channel import alaw_bytes

Pcm = npt.NDArray[np.int16]


@dataclass(slots=True)
class Item:
    """One test segment: int16 at 8 kHz, what is said, (start, end) ms [u, 2] if known, what was added."""

    pcm: Pcm
    text: str
    times_ms: npt.NDArray[np.float32] | None
    added: str = "nothing"


def recogniser(model: Path) -> Any:
    """The shipped recogniser of a model folder."""
    sys.path.insert(0, str((model / "1").resolve()))
    return importlib.import_module("recogniser").Recogniser(model / "1")


def align(hypothesis: Sequence[str], reference: Sequence[str]) -> tuple[int, list[int]]:
    """Edit distance, and for each hypothesis unit the reference position it matches or -1."""
    cost = np.zeros((len(hypothesis) + 1, len(reference) + 1), np.int64)
    cost[:, 0], cost[0] = np.arange(len(hypothesis) + 1), np.arange(len(reference) + 1)
    for i, unit in enumerate(hypothesis, 1):
        for j, wanted in enumerate(reference, 1):
            cost[i, j] = min(cost[i - 1, j] + 1, cost[i, j - 1] + 1, cost[i - 1, j - 1] + (unit != wanted))
    matched, i, j = [-1] * len(hypothesis), len(hypothesis), len(reference)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (hypothesis[i - 1] != reference[j - 1]):
            matched[i - 1] = j - 1 if hypothesis[i - 1] == reference[j - 1] else -1
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return int(cost[-1, -1]), matched


def greedy(log_probs: npt.NDArray[np.float32], names: Sequence[str]) -> list[str]:
    """Best path of one CTC head [T, classes]."""
    best = log_probs.argmax(1)
    kept = best[(best != 0) & (best != np.concatenate([[-1], best[:-1]]))]
    return [names[index - 1] for index in kept]


def synthesized(
    vocabulary: Vocabulary,
    texts: list[str],
    count: int,
    seed: int,
    unseen: bool,
    clean: bool,
    joined: int = 1,
) -> list[Item]:
    """`count` segments in random voices, rates 140–335, pitches and (unless clean) channels."""
    draw: Callable[[random.Random], str] = lambda rng: rng.choice(texts)  # noqa: E731
    speaker = Speaker(vocabulary, draw, seed, unseen, strict=False)
    items: list[Item] = []
    while len(items) < count:
        made = speaker.utterance(clean, joined)
        if made is not None:
            pcm = alaw_decode(alaw_bytes(made.signal))
            items.append(Item(pcm, made.text, made.times_ms, speaker.channel.added))
    return items


def human(data: Path) -> dict[str, list[Item]]:
    """Human speech resampled to 8 kHz, nothing else done to it."""
    read_items, folder = [], data / "speech" / "mandarin_aishell"
    with (folder / "labels.tsv").open(encoding="utf8") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            text = re.sub(r"[^一-龥]", "", row["text"])
            path = folder / next(value for key, value in row.items() if key in ("path", "file", "name"))
            if text and path.exists():
                read_items.append(Item(_load(path), text, None))
    words = sorted((data / "speech" / "audio_cmn" / "hsk").glob("*.mp3"))[::4]
    return {
        "human: read sentences (AISHELL)": read_items,
        "human: single words (audio-cmn)": [
            Item(_load(path), path.stem.removeprefix("cmn-"), None) for path in words
        ],
    }


def _load(path: Path) -> Pcm:
    samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    mono = np.clip(samples.mean(1) * 32767, -32768, 32767).astype(np.int16)
    return resample(mono, rate, 8000)[: 30 * 8000]


@dataclass(slots=True)
class Tally:
    """Sums over a test set."""

    characters: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    sure: list[tuple[float, bool]] = field(default_factory=list)
    start_errors_ms: list[float] = field(default_factory=list)

    def add(self, item: Item, units: Any, rows: Any, vocabulary: Vocabulary) -> None:
        """Count one answer: `units` of the whole recogniser, `rows` both heads' log probabilities."""
        reading = read(item.text)
        spoken = list(reading.syllables) if reading else []
        heard = greedy(rows[1], vocabulary.syllables)
        errors, matched = align(units.characters, item.text)
        self.characters += len(item.text)
        self.errors["language model"] += errors
        self.errors["char greedy"] += align(greedy(rows[0], vocabulary.chars), item.text)[0]
        self.errors["syllable"] += align(heard, spoken)[0]
        self.errors["toneless"] += align([unit[:-1] for unit in heard], [unit[:-1] for unit in spoken])[0]
        self.sure += [(float(p), place >= 0) for p, place in zip(units.confidence, matched, strict=True)]
        if item.times_ms is not None and item.times_ms.min(initial=0) >= 0:
            for index, place in enumerate(matched):
                if place >= 0:
                    self.start_errors_ms.append(abs(float(units.start_ms[index] - item.times_ms[place, 0])))


def measure(model: Any, vocabulary: Vocabulary, items: list[Item]) -> dict[str, float]:
    """Error rates in % of characters, timing in ms, speed in × real time, calibration gap."""
    tally, segments = Tally(), [item.pcm for item in items]
    started = time.process_time()
    answers = model.recognise(segments)
    spent_s = time.process_time() - started
    for item, units, rows in zip(items, answers, model.log_probabilities(segments), strict=True):
        tally.add(item, units, rows, vocabulary)
    result = {key: 100 * count / tally.characters for key, count in tally.errors.items()}
    result["characters"] = tally.characters
    result["calibration gap"] = calibration(tally.sure)
    late = tally.start_errors_ms or [np.nan]
    result["start error ms"], result["median"] = float(np.mean(late)), float(np.median(late))
    result["speed"] = sum(map(len, segments)) / 8000 / spent_s
    return result


def calibration(sure: list[tuple[float, bool]]) -> float:
    """Expected calibration error over ten equal bins."""
    if not sure:
        return float("nan")
    values, right = np.array([value for value, _ in sure]), np.array([flag for _, flag in sure])
    bins = np.minimum((values * 10).astype(int), 9)
    return float(
        sum(abs(values[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins))
    )


def sets(data: Path, vocabulary: Vocabulary, count: int) -> dict[str, list[Item]]:
    """Every test set by name."""
    texts, seen_texts = sentences(data), sentences(data, TRAIN_WRITERS)
    return {
        "held-out dialogue, unseen voices, telephone": synthesized(
            vocabulary, texts, count, 101, True, False
        ),
        "held-out dialogue, unseen voices, clean": synthesized(vocabulary, texts, count, 102, True, True),
        "held-out dialogue, seen voices, telephone": synthesized(vocabulary, texts, count, 103, False, False),
        "held-out dialogue, 3 sentences a segment, unseen voices, telephone": synthesized(
            vocabulary, [text for text in texts if len(text) <= 20], count // 3, 104, True, False, 3
        ),
        "held-out dialogue, up to 4 characters, unseen voices, telephone": synthesized(
            vocabulary, [text for text in texts if len(text) <= 4], count, 105, True, False
        ),
        "training dialogue, unseen voices, telephone": synthesized(
            vocabulary, seen_texts, count, 106, True, False
        ),
        **human(data),
    }


def by_addition(model: Any, items: list[Item]) -> str:
    """Character error of one set by what its channel added."""
    parts = []
    for added in sorted({item.added for item in items}):
        chosen = [item for item in items if item.added == added]
        answers = model.recognise([item.pcm for item in chosen])
        errors = sum(
            align(units.characters, item.text)[0] for item, units in zip(chosen, answers, strict=True)
        )
        characters = sum(len(item.text) for item in chosen)
        parts.append(f"{added} {100 * errors / characters:.1f} % of {characters}")
    return ", ".join(parts)


def silence_units(model: Any, vocabulary: Vocabulary, count: int = 300) -> tuple[float, float]:
    """Minutes of silence, noise, tones and music, and units heard in them."""
    speaker = Speaker(vocabulary, lambda rng: "", 107)
    signals = [alaw_decode(alaw_bytes(speaker.silence().signal)) for _ in range(count)]
    units = sum(len(answer.characters) for answer in model.recognise(signals))
    return sum(map(len, signals)) / 8000 / 60, units


def run(data: Path, speech: Path, model_folder: Path, count: int) -> str:
    """Markdown table of all figures."""
    vocabulary, model = load(speech / "vocabulary.json"), recogniser(model_folder)
    model.warm_up()
    keys = (
        "char greedy",
        "syllable",
        "toneless",
        "language model",
        "calibration gap",
        "start error ms",
        "median",
        "speed",
    )
    parts = ""
    lines = ["| set | characters | " + " | ".join(keys) + " |", "|" + " --- |" * (len(keys) + 2)]
    for name, items in sets(data, vocabulary, count).items():
        figures = measure(model, vocabulary, items)
        lines.append(
            f"| {name} | {figures['characters']:.0f} | "
            + " | ".join(f"{figures[key]:.3g}" for key in keys)
            + " |"
        )
        print(lines[-1], flush=True)
        if not parts:
            parts = by_addition(model, items)
            print(parts, flush=True)
    lines.append(f"\nFirst set by what the channel added: {parts}.")
    minutes, units = silence_units(model, vocabulary)
    lines.append(f"\nSilence, noise, tones and music: {units:.0f} units heard in {minutes:.1f} minutes.")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("model_repository/asr"))
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    print(run(options.data, options.speech, options.model, options.count))
