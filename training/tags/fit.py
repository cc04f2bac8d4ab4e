"""Fine-tune the encoder on labelled talks, and decide on turns with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.tags.batches import NOTHING, Batch, Lines, batches
from training.tags.disturb import Disturber
from training.tags.letters import WINDOW, Alphabet
from training.tags.network import VECTOR, Size, Tagger

TURNS_A_STEP = 96
POSITIVE_WEIGHT = 3.0
"""How much a tag that is there weighs against one that is not: tags are rare."""
SMOOTH = 0.01
"""Doubt in every label."""
HEADS = ("ages", "gist", "call_block", "evidence", "last_norm")
"""Parts that pre-training does not reach."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """How long and how fast to learn."""

    passes: float = 6.0
    rate: float = 6e-4
    drop: float = 0.15
    seed: int = 0
    foreign_share: float = 0.5
    """Share of the foreign talks (examples, harmless talk) that a pass takes."""


def states_of(
    network: Tagger, alphabet: Alphabet, plain: Sequence[str], roles: Sequence[int], groups: int
) -> tuple[Tensor, Tensor]:
    """States [U, T, d] of turns and which are real, computed in groups of like length."""
    order = np.argsort([len(text) for text in plain], kind="stable")
    states, real = [], []
    for some in np.array_split(order, groups):
        characters, sounds = alphabet.rows([plain[place] for place in some])
        sides = torch.tensor([roles[place] for place in some])
        found = network.encoder(torch.from_numpy(characters), torch.from_numpy(sounds), sides)
        states.append(found[0])
        real.append(found[1])
    longest = max(part.shape[1] for part in states)
    back = torch.from_numpy(np.argsort(order, kind="stable"))
    joined = torch.cat([functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in states])
    return joined[back], torch.cat([functional.pad(part, (0, longest - part.shape[1])) for part in real])[
        back
    ]


def logits_of(network: Tagger, alphabet: Alphabet, some: Batch) -> Tensor:
    """[B, N] of all turns of a batch."""
    states, real = states_of(network, alphabet, some.plain, some.roles, 3 if len(some.plain) > 24 else 1)
    return network.tag(states, real, network.gists(states, real), some.before)


def new_network(alphabet: Alphabet, tags: int, drop: float, pretrained: Path | None) -> Tagger:
    """A network with the encoder of a pre-training, or a random one."""
    network = Tagger(alphabet.n_characters, alphabet.n_sounds, tags, size=Size(), vector=VECTOR, drop=drop)
    if pretrained is not None:
        stored = torch.load(pretrained, weights_only=True)
        network.load_state_dict({k: v for k, v in stored.items() if not k.startswith(HEADS)}, strict=False)
    return network


def fit(
    network: Tagger,
    own: Sequence[Lines],
    foreign: Sequence[Lines],
    alphabet: Alphabet,
    disturber: Disturber,
    *,
    course: Course,
) -> Tagger:
    """Teach a network ``own`` talks, less often ``foreign`` ones; it ends as the mean of its last steps."""
    torch.manual_seed(course.seed)
    rng = np.random.default_rng(course.seed)
    network.train()
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = _optimiser(network)
    turns = sum(len(talk.plain) for talk in own)
    turns += int(course.foreign_share * sum(len(talk.plain) for talk in foreign))
    steps, step = int(course.passes * turns / TURNS_A_STEP), 0
    while step < steps:
        talks = [*own, *(talk for talk in foreign if rng.random() < course.foreign_share)]
        shuffled = [talks[place] for place in rng.permutation(len(talks))]
        for some in islice(batches(shuffled, TURNS_A_STEP, disturber, rng), steps - step):
            _schedule(optimiser, course.rate, step, steps)
            _learn(network, alphabet, optimiser, some)
            keep = min(0.995, 1 - 1 / (10 + 0.1 * step))
            with torch.no_grad():
                for name, value in network.state_dict().items():
                    mean[name].lerp_(value, 1 - keep)
            step += 1
    network.load_state_dict(mean)
    network.eval()
    return network


def _optimiser(network: Tagger) -> torch.optim.Optimizer:
    heads = [value for name, value in network.named_parameters() if name.startswith(HEADS)]
    rest = [value for name, value in network.named_parameters() if not name.startswith(HEADS)]
    groups = [{"params": rest, "share": 0.7}, {"params": heads, "share": 1.3}]
    return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.02, betas=(0.9, 0.98))


def _schedule(optimiser: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    """Sixty steps up, then straight down to a fiftieth."""
    now = rate * min(1.0, (step + 1) / 60) * max(0.02, 1 - step / steps)
    for group in optimiser.param_groups:
        group["lr"] = now * group["share"]


def _learn(network: Tagger, alphabet: Alphabet, optimiser: torch.optim.Optimizer, some: Batch) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        logits = logits_of(network, alphabet, some).float()
    wanted = some.carried * (1 - 2 * SMOOTH) + SMOOTH / 2
    heavy = torch.full((some.carried.shape[1],), POSITIVE_WEIGHT)
    costs = functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=heavy, reduction="none")
    optimiser.zero_grad(set_to_none=True)
    ((costs * some.weight).sum() / len(some.plain)).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


def decide(network: Tagger, alphabet: Alphabet, talks: Sequence[Lines]) -> Floats:
    """Logits [turns of all talks, N]."""
    network.eval()
    found = [np.zeros((0, talks[0].carried.shape[1]), np.float32)] if talks else []
    with torch.no_grad():
        for some in batches(talks, TURNS_A_STEP, None, np.random.default_rng(0)):
            found.append(logits_of(network, alphabet, some).numpy())
    return np.concatenate(found)


def reworded(talk: Lines, word: Callable[[str], str]) -> Lines:
    """The talk with other texts."""
    return replace(talk, plain=tuple(word(text)[:WINDOW] or NOTHING for text in talk.plain))


def cut(talks: Sequence[Lines], share: float, rng: np.random.Generator) -> list[Lines]:
    """A random share of the talks, for a curve over how much was written."""
    kept = rng.permutation(len(talks))[: int(share * len(talks))]
    return [talks[place] for place in sorted(kept)]
