"""Talks as arrays: ids, turns before, tags, and which tags are certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.tags.corpus import Talk
from training.tags.disturb import Disturber
from training.tags.letters import ROLES, TURNS_BEFORE, WINDOW, normalise

SIDES = {"a_": "agent", "c_": "customer"}
NOTHING = "嗯"
"""Stands for a turn without any letter."""


@dataclass(frozen=True)
class Lines:
    """A talk read once: normalised turns, places of their roles, and their tags."""

    plain: tuple[str, ...]
    roles: tuple[int, ...]
    carried: NDArray[np.float32]
    """[T, N] 1 where a turn carries a tag."""
    weight: NDArray[np.float32]
    """[T, N] the talk's weight where a tag's presence or absence is certain, else 0."""


@dataclass(frozen=True)
class Batch:
    """Turns of some talks; places in ``before`` count from the batch's first turn."""

    plain: list[str]
    roles: list[int]
    before: Tensor
    carried: Tensor
    weight: Tensor


def lines(talk: Talk, labels: Sequence[str]) -> Lines:
    """Read a talk; a turn longer than a window keeps its beginning."""
    plain = tuple(normalise(turn.text)[:WINDOW] or NOTHING for turn in talk.turns)
    roles = tuple(ROLES.index(turn.role) for turn in talk.turns)
    carried = np.array([[tag in turn.tags for tag in labels] for turn in talk.turns], np.float32)
    certain = [
        [SIDES[tag[:2]] == turn.role and (turn.known is None or tag in turn.known) for tag in labels]
        for turn in talk.turns
    ]
    return Lines(plain, roles, carried, np.array(certain, np.float32) * np.float32(talk.weight))


def neutral(talks: Sequence[Lines]) -> dict[int, list[str]]:
    """Turns without any tag, by role: what may stand before or behind any other turn."""
    found: dict[int, list[str]] = {}
    for talk in talks:
        for text, role, carried, weight in zip(
            talk.plain, talk.roles, talk.carried, talk.weight, strict=True
        ):
            if weight.any() and not carried.any() and len(text) > 3:
                found.setdefault(role, []).append(text)
    return found


def batch(talks: Sequence[Lines], disturber: Disturber | None, rng: np.random.Generator) -> Batch:
    """Join talks. With a disturber, texts change and some turns lose the farther turns before them."""
    plain: list[str] = []
    roles: list[int] = []
    before: list[list[int]] = []
    for talk in talks:
        first, reach = len(plain), TURNS_BEFORE
        for place, (text, role) in enumerate(zip(talk.plain, talk.roles, strict=True)):
            if disturber is not None:
                text = disturber.turn(text, role, WINDOW)
                whole = rng.random() < 0.8
                reach = TURNS_BEFORE if whole else int(rng.integers(TURNS_BEFORE + 1))
            plain.append(text)
            ages = range(1, TURNS_BEFORE + 1)
            before.append([first + place - age if age <= min(place, reach) else -1 for age in ages])
        roles += talk.roles
    carried, weight = (
        np.concatenate([getattr(talk, name) for talk in talks]) for name in ("carried", "weight")
    )
    return Batch(plain, roles, torch.tensor(before), torch.from_numpy(carried), torch.from_numpy(weight))


def batches(
    talks: Sequence[Lines], turns: int, disturber: Disturber | None, rng: np.random.Generator
) -> Iterator[Batch]:
    """Batches of whole talks, in order, each of at least ``turns`` turns (the last may have fewer)."""
    some: list[Lines] = []
    for talk in talks:
        some.append(talk)
        if sum(len(one.plain) for one in some) >= turns:
            yield batch(some, disturber, rng)
            some = []
    if some:
        yield batch(some, disturber, rng)
