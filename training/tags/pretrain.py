"""Teach the encoder, on public text, to see in disturbed turns what a larger encoder sees in clean ones.

At each place it learns the teacher's state of the characters there, and for the whole text the teacher's
vector; characters and sounds of the text it reads are hidden or misheard. No label and no line of the
project's own calls is used, so writers stay unseen.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.tags.fit import new_network
from training.tags.letters import STRIDE, Alphabet
from training.tags.network import VECTOR, Tagger
from training.tags.teacher import Reading, Teacher

SHARES = {"fraud": 0.39, "phone": 0.12, "cped": 0.19, "comments": 0.21, "kdconv": 0.06, "crosswoz": 0.03}
"""Parts of the text by corpus: talk that is near to collection calls, above all."""
SHORTEST, LONGEST = 3, 50
PLACES = 192
"""Dimensions of the teacher's states that are learnt: the principal ones."""
CHARACTERS_A_STEP = 2400
RATE = 1.2e-3
HIDDEN, MISHEARD, SPELT = 0.12, 0.08, 0.04
"""Share of characters hidden with their sounds (or two in a row), replaced by a homophone, known by sound."""

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Basis:
    """Principal axes of vectors."""

    mean: Floats
    axes: Floats
    """[d, k]"""

    @classmethod
    def of(cls, rows: Floats, size: int) -> "Basis":
        """The ``size`` axes along which rows [n, d] vary most."""
        mean = rows.mean(0)
        _, axes = np.linalg.eigh(np.cov((rows - mean).T))
        return cls(mean, axes[:, ::-1][:, :size].astype(np.float32))

    def project(self, rows: Floats) -> Floats:
        """[n, k]"""
        projected: Floats = (rows - self.mean) @ self.axes
        return projected


@dataclass(frozen=True)
class Lesson:
    """One text and what the teacher sees in it."""

    characters: Ids
    sounds: Ids
    states: NDArray[np.float16]
    """[T / STRIDE, PLACES]"""
    vector: Floats
    """[VECTOR]"""


def choose(texts: dict[str, list[str]], count: int, rng: np.random.Generator) -> list[str]:
    """Distinct normalised texts of fit length in the SHARES, shuffled; fewer where a corpus is small."""
    chosen: list[str] = []
    for name, share in SHARES.items():
        fit = sorted({text for text in texts[name] if SHORTEST <= len(text) <= LONGEST})
        chosen += [fit[place] for place in rng.permutation(len(fit))[: int(share * count)]]
    return [chosen[place] for place in rng.permutation(len(chosen))]


def lessons(texts: Sequence[str], teacher: Teacher, alphabet: Alphabet) -> list[Lesson]:
    """Let the teacher read texts; the first thousand give the axes."""
    bases: tuple[Basis, Basis] | None = None
    made: list[Lesson] = []
    for start in range(0, len(texts), 1024):
        some = list(texts[start : start + 1024])
        readings = teacher.read(some)
        if bases is None:
            states = Basis.of(np.concatenate([reading.states for reading in readings]), PLACES)
            bases = states, Basis.of(np.stack([reading.mean for reading in readings]), VECTOR)
        made += [
            _lesson(text, reading, alphabet, *bases) for text, reading in zip(some, readings, strict=True)
        ]
    return made


def _lesson(text: str, reading: Reading, alphabet: Alphabet, states: Basis, vectors: Basis) -> Lesson:
    characters, sounds = (ids[0] for ids in alphabet.rows([text]))
    by_character = np.zeros((len(characters), PLACES), np.float32)
    for (start, end), state in zip(reading.spans, states.project(reading.states), strict=True):
        by_character[start:end] = state
    real = (characters > 0).reshape(-1, STRIDE).sum(1, keepdims=True)
    at_places = by_character.reshape(-1, STRIDE, PLACES).sum(1) / real
    return Lesson(characters, sounds, at_places.astype(np.float16), vectors.project(reading.mean[None])[0])


class _Noise:
    """Hides and mishears ids of characters and sounds."""

    def __init__(self, characters: str, syllables: dict[str, str], rng: np.random.Generator) -> None:
        place = {char: index for index, char in enumerate(characters, 2)}
        self._others = np.tile(np.arange(len(characters) + 2)[:, None], 14)
        for group in syllables.values():
            known = [place[char] for char in group if char in place]
            for index in known:
                self._others[index] = np.resize(known, 14)
        self._rng = rng

    def __call__(self, characters: Ids, sounds: Ids) -> tuple[Ids, Ids]:
        rng, real = self._rng, characters > 0
        draw = rng.random(characters.shape)
        poor = (rng.random(len(characters)) < 0.6)[:, None]
        other = self._others[characters, rng.integers(14, size=characters.shape)]
        heard = np.where(real & (draw < MISHEARD) & poor, other, characters)
        hidden = real & (draw > 1 - HIDDEN)
        hidden[:, 1:] |= hidden[:, :-1] & real[:, 1:] & (rng.random(hidden[:, 1:].shape) < 0.5)
        spelt = real & (draw > MISHEARD) & (draw < MISHEARD + SPELT)
        return np.where(hidden | spelt, 1, heard), np.where(hidden, 1, sounds)


def start_characters(network: Tagger, characters: str, teacher: Teacher) -> None:
    """Give characters the teacher's own vectors, on their principal axes, where it has them."""
    table = network.encoder.characters.weight
    found = {place: teacher.character(char) for place, char in enumerate(characters, 2)}
    rows = {place: row for place, row in found.items() if row is not None}
    projected = Basis.of(np.stack(list(rows.values())), table.shape[1]).project(np.stack(list(rows.values())))
    with torch.no_grad():
        table.zero_()
        table[list(rows)] = torch.from_numpy(projected / projected.std() * 0.3)
        network.encoder.sounds.weight.mul_(0.05)
        network.encoder.roles.weight.mul_(0.05)


def pretrain(
    network: Tagger, taught: Sequence[Lesson], noise: _Noise, *, minutes: float, seed: int
) -> Iterator[str]:
    """Learn for some minutes; each hundred steps tell the mean losses."""
    torch.manual_seed(seed)
    rng, began = np.random.default_rng(seed), time.monotonic()
    width = network.encoder.norm.normalized_shape[0]
    guess = nn.Linear(width, PLACES)
    parameters = [*network.parameters(), *guess.parameters()]
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=0.01, betas=(0.9, 0.98))
    scale = float(
        np.sqrt(np.mean(np.concatenate([lesson.states for lesson in taught[:3000]]).astype(float) ** 2))
    )
    told: list[tuple[float, float]] = []
    for step, some in enumerate(_groups(taught, rng)):
        gone = (time.monotonic() - began) / (60 * minutes)
        if gone >= 1:
            return
        optimiser.param_groups[0]["lr"] = RATE * min(1.0, step / 300) * max(0.02, 1 - gone)
        losses = _losses(network, guess, some, noise, scale, rng)
        optimiser.zero_grad(set_to_none=True)
        (losses[0] + 2 * losses[1]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        told.append((losses[0].item(), losses[1].item()))
        if len(told) == 100:
            yield "step {}: states {:.3f}, vectors {:.3f}".format(step + 1, *np.mean(told, 0))
            told = []


def _groups(taught: Sequence[Lesson], rng: np.random.Generator) -> Iterator[list[Lesson]]:
    """Lessons of like length, over and over, in another order each time."""
    while True:
        order = np.argsort([len(lesson.characters) + 2 * rng.random() for lesson in taught])
        groups: list[list[Lesson]] = [[]]
        for place in order:
            lesson = taught[place]
            if (len(groups[-1]) + 1) * len(lesson.characters) > CHARACTERS_A_STEP:
                groups.append([])
            groups[-1].append(lesson)
        for index in rng.permutation(len(groups)):
            yield groups[index]


def _losses(
    network: Tagger,
    guess: nn.Linear,
    some: list[Lesson],
    noise: _Noise,
    scale: float,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Mean squared error of states in units of their size, and one minus the cosine of vectors."""
    longest = max(len(lesson.characters) for lesson in some)
    characters = np.zeros((len(some), longest), np.int64)
    sounds, states = np.zeros_like(characters), np.zeros((len(some), longest // STRIDE, PLACES), np.float32)
    for row, lesson in enumerate(some):
        characters[row, : len(lesson.characters)] = lesson.characters
        sounds[row, : len(lesson.sounds)] = lesson.sounds
        states[row, : len(lesson.states)] = lesson.states
    roles = torch.from_numpy(rng.integers(3, size=len(some)))
    heard, sounded = (torch.from_numpy(ids) for ids in noise(characters, sounds))
    with torch.autocast("cpu", torch.bfloat16):
        found, real = network.encoder(heard, sounded, roles)
        guessed = guess(found).float()
    wrong = ((guessed - torch.from_numpy(states / scale)) ** 2).mean(-1)
    vectors = network.vectors(found.float(), real)
    wanted = torch.from_numpy(np.stack([lesson.vector for lesson in some]))
    return (wrong * real).sum() / real.sum(), 1 - functional.cosine_similarity(vectors, wanted).mean()


def run(
    texts: dict[str, list[str]],
    teacher_file: Path,
    characters: str,
    syllables: dict[str, str],
    alphabet: Alphabet,
    *,
    tags: int,
    count: int,
    minutes: float,
    seed: int,
    out: Path,
) -> None:
    """Pre-train on ``count`` texts for some minutes and write the network's state to ``out``."""
    rng = np.random.default_rng(seed)
    teacher = Teacher(teacher_file)
    taught = lessons(choose(texts, count, rng), teacher, alphabet)
    network = new_network(alphabet, tags, 0.05, None)
    start_characters(network, characters, teacher)
    print(f"pre-training: {len(taught)} texts, {sum(p.numel() for p in network.parameters())} parameters")
    for line in pretrain(network, taught, _Noise(characters, syllables, rng), minutes=minutes, seed=seed):
        print(line, flush=True)
    torch.save(network.state_dict(), out)
