"""Speak the corpus into shards of A-law audio with characters, syllables and their times.

`python -m training.asr.speech --data DIR --out DIR --hours H --workers N`. libespeak crashes now and
then, so every worker is a chain of child processes that each make a few shards; a shard that crashed is
made again from another seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.asr.corpus import Corpus
from training.asr.vocabulary import Vocabulary, build, load
from training.synth import Channel, Engine, Reading, alaw_bytes, read, voices
from training.synth.espeak import NATIVE_RATE_HZ

UNSEEN_VOICES = ("m7", "f2", "croak", "Alicia", "Mike", "linda", "steph2", "david", "Lee", "edward")
PLAIN_VOICES = ("", "m1", "m2", "m3", "m4", "m5", "m6", "m8", "f1", "f3", "f4", "f5")
SHARD_HOURS = 0.5
MAX_SECONDS = 19.0
FRAME_MS = 80
Floats = npt.NDArray[np.float32]


@dataclass(slots=True)
class Utterance:
    """8 kHz signal [n], its text, classes [u] (0: none), (start, end) ms [u, 2] (-1: unknown)."""

    signal: Floats
    text: str
    chars: list[int]
    syllables: list[int]
    times_ms: npt.NDArray[np.float32]


@dataclass(slots=True)
class _Sentence:
    pcm: npt.NDArray[np.int16]
    text: str
    syllables: tuple[str, ...]
    times_ms: Floats


@dataclass(slots=True)
class _Style:
    voice: str
    rate: int
    pitch: int
    pitch_range: int
    gap: int
    warp: float


class Speaker:
    """Draws texts and styles and speaks them."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        draw: Callable[[random.Random], str],
        seed: int,
        unseen: bool = False,
        strict: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        self._draw = draw
        self._unseen, self._strict = unseen, strict
        self._engine = Engine()
        self.channel = Channel(np.random.default_rng(seed))
        self._char_ids, self._syllable_ids = vocabulary.char_ids(), vocabulary.syllable_ids()
        self._seen = [voice for voice in voices() if voice not in UNSEEN_VOICES]

    def style(self) -> _Style:
        """A random speaker, rate, pitch and formant warp."""
        rng = self.rng
        pool = UNSEEN_VOICES if self._unseen else (PLAIN_VOICES if rng.random() < 0.35 else self._seen)
        rate = rng.randint(140, 335) if rng.random() < 0.92 else rng.randint(110, 390)
        return _Style(
            rng.choice(pool),
            rate,
            rng.randint(10, 90),
            rng.randint(20, 80),
            0 if rng.random() < 0.8 else rng.randint(1, 6),
            1.0 if self._unseen else float(np.exp(rng.uniform(-0.16, 0.16))),
        )

    def _sentence(self, style: _Style) -> _Sentence | None:
        reading = read(self._draw(self.rng))
        if reading is None or (self._strict and not self._known(reading)):
            return None
        join = self.rng.choice((0.0, 0.35, 0.35, 0.6))
        pcm, times = self._engine.speak(
            reading,
            style.voice,
            style.rate,
            style.pitch,
            style.pitch_range,
            style.gap,
            join,
            self.rng.randrange(1 << 30),
        )
        marks = np.array(times if times is not None else [(-1.0, -1.0)] * len(reading.chars), np.float32)
        return _Sentence(pcm, reading.chars, reading.syllables, marks)

    def _known(self, reading: Reading) -> bool:
        """Whether the model has a class for everything in it."""
        return all(char in self._char_ids for char in reading.chars) and all(
            syllable in self._syllable_ids for syllable in reading.syllables
        )

    def _quiet(self, longest_s: float) -> npt.NDArray[np.int16]:
        """Leading or trailing silence, mostly short."""
        return np.zeros(int(NATIVE_RATE_HZ * self.rng.uniform(0, longest_s) * self.rng.random()), np.int16)

    def utterance(self, clean: bool, sentences: int) -> Utterance | None:
        """One segment of up to `sentences` sentences with pauses, or None if it does not fit the model."""
        style, pieces = self.style(), [self._quiet(0.6)]
        text, syllables, times = "", [], []
        for index in range(sentences):
            spoken = self._sentence(style)
            if spoken is None:
                return None
            if index:
                pieces.append(np.zeros(int(NATIVE_RATE_HZ * self.rng.uniform(0.05, 1.3)), np.int16))
            offset_ms = sum(map(len, pieces)) * 1000 / NATIVE_RATE_HZ
            times.append(np.where(spoken.times_ms < 0, -1.0, spoken.times_ms + offset_ms) / style.warp)
            pieces.append(spoken.pcm)
            text += spoken.text
            syllables += [self._syllable_ids.get(syllable, 0) for syllable in spoken.syllables]
        pcm = np.concatenate([*pieces, self._quiet(0.5)])
        if not 0.2 < len(pcm) / NATIVE_RATE_HZ / style.warp < MAX_SECONDS:
            return None
        signal = self.channel.apply(pcm, NATIVE_RATE_HZ, clean, style.warp)
        repeats = sum(a == b for a, b in pairwise(syllables))
        if self._strict and len(signal) / 8 / FRAME_MS < len(syllables) + repeats + 1:
            return None
        chars = [self._char_ids.get(char, 0) for char in text]
        return Utterance(signal, text, chars, syllables, np.concatenate(times).astype(np.float32))

    def silence(self) -> Utterance:
        """Silence, noise, ringback, busy tone, keypad tones or chords, with nothing said."""
        rng = self.rng
        count = int(8000 * rng.uniform(0.3, 8))
        time = np.arange(count) / 8000
        kind = rng.random()
        if kind < 0.3:
            signal = self.channel.noise(count) * 10 ** (rng.uniform(-75, -20) / 20)
        elif kind < 0.4:
            signal = np.zeros(count)
        elif kind < 0.7:
            on_s, off_s = rng.choice(((1.0, 4.0), (0.35, 0.35), (0.1, 0.1), (9.0, 0.1)))
            frequencies = rng.choice(((450,), (440, 480), (400,), (697, 1209), (852, 1477), (950,), (1400,)))
            signal = sum(np.sin(2 * np.pi * hz * time) for hz in frequencies) * (
                ((time + rng.random() * 4) % (on_s + off_s)) < on_s
            )
            signal = signal * 10 ** (rng.uniform(-45, -10) / 20)
        else:
            signal = self._chords(count) * 10 ** (rng.uniform(-45, -12) / 20)
        if rng.random() < 0.5:
            signal = signal + self.channel.noise(count) * 10 ** (rng.uniform(-75, -35) / 20)
        return Utterance(np.clip(signal, -1, 1).astype(np.float32), "", [], [], np.zeros((0, 2), np.float32))

    def _chords(self, count: int) -> npt.NDArray[np.float64]:
        """Hold music: random chords of harmonic tones."""
        rng, signal, position = self.rng, np.zeros(count), 0
        while position < count:
            length = min(count - position, int(8000 * rng.uniform(0.15, 0.8)))
            time = np.arange(length) / 8000
            for _ in range(rng.randint(1, 4)):
                root = 110 * 2 ** (rng.randint(0, 36) / 12)
                for harmonic in range(1, 5):
                    signal[position : position + length] += (
                        np.sin(2 * np.pi * root * harmonic * time)
                        / harmonic
                        * np.exp(-time * rng.uniform(0.5, 6))
                    )
            position += length
        signal /= np.abs(signal).max() + 1e-9
        return signal

    def any(self) -> Utterance | None:
        """One random training segment."""
        if self.rng.random() < 0.025:
            return self.silence()
        sentences = self.rng.choices((1, 2, 3, 4, 6), (62, 22, 9, 5, 2))[0]
        return self.utterance(self.rng.random() < 0.3, sentences)


def save(path: Path, utterances: list[Utterance]) -> None:
    """Write a shard: A-law audio end to end and index arrays."""
    audio = [alaw_bytes(item.signal) for item in utterances]
    np.savez(
        path.with_suffix(".tmp.npz"),
        audio=np.concatenate(audio),
        ends=np.cumsum([len(item) for item in audio]),
        unit_ends=np.cumsum([len(item.chars) for item in utterances]),
        chars=np.array([unit for item in utterances for unit in item.chars], np.int16),
        syllables=np.array([unit for item in utterances for unit in item.syllables], np.int16),
        times_ms=np.concatenate([item.times_ms for item in utterances]).astype(np.float32),
    )
    path.with_suffix(".tmp.npz").rename(path)


def _make(data: Path, out: Path, numbers: list[int], attempt: int) -> None:
    """Child process: make the shards of these numbers that do not exist yet."""
    corpus, vocabulary = Corpus(data), load(out / "vocabulary.json")
    for number in numbers:
        path = out / f"shard{number:04d}.npz"
        if path.exists():
            continue
        speaker = Speaker(vocabulary, corpus.draw, 1000 * attempt + number)
        items: list[Utterance] = []
        seconds = 0.0
        while seconds < SHARD_HOURS * 3600:
            item = speaker.any()
            if item is not None:
                items.append(item)
                seconds += len(item.signal) / 8000
        save(path, items)
        print(f"shard {number}: {len(items)} segments", flush=True)


def run(data: Path, out: Path, hours: float, workers: int) -> None:
    """Make `hours` of training audio in `out` with `workers` processes."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "vocabulary.json").exists():
        build(Corpus(data)).save(out / "vocabulary.json")
    numbers = list(range(int(np.ceil(hours / SHARD_HOURS))))
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(_chain, data, out, numbers[index::workers]) for index in range(workers)]:
            done.result()


def _chain(data: Path, out: Path, numbers: list[int]) -> None:
    """Make shards in child processes, a fresh child after every crash."""
    context = multiprocessing.get_context("spawn")
    for attempt in range(100):
        missing = [number for number in numbers if not (out / f"shard{number:04d}.npz").exists()]
        if not missing:
            return
        child = context.Process(target=_make, args=(data, out, missing, attempt))
        child.start()
        child.join()
    raise RuntimeError("the synthesizer kept crashing")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=160)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    run(options.data, options.out, options.hours, options.workers)
