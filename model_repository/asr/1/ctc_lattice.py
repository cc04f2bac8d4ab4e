"""What has been heard of an utterance so far: each syllable's candidate characters and its place.

It grows frame by frame or window by window and comes out the same; between two windows of a stream it
travels as bytes.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from char_trigram import Trigram
from context_words import Context
from ctc_segments import MAX_CANDIDATES, Readings, best, offer, segment
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FEWEST = 1e-6


class Tail(NamedTuple):
    """The syllable still being spoken: its label, weight, centre in frames, and both heads' best rows."""

    label: int
    weight: float
    centre: float
    chars: Floats
    syllables: Floats


class Lattice(NamedTuple):
    """Frames taken in; of every syllable its candidates and their scores [n, MAX_CANDIDATES] and their
    count [n], and the syllable's centre in frames [n]."""

    frames: int
    offered: NDArray[np.int64]
    scores: NDArray[np.float64]
    counts: NDArray[np.int64]
    centres: NDArray[np.float64]
    tail: Tail | None = None


class BadState(ValueError):
    """Bytes that are no lattice of this model."""


def start() -> Lattice:
    """Nothing heard yet."""
    rows = (0, MAX_CANDIDATES)
    return Lattice(0, np.zeros(rows, np.int64), np.zeros(rows), np.zeros(0, np.int64), np.zeros(0))


def extend(
    lattice: Lattice,
    chars: Floats,
    syllables: Floats,
    readings: Readings,
    model: Trigram,
    context: Context,
    weights: Any,
    *,
    last: bool,
) -> Lattice:
    """`lattice` with the next frames' log probabilities [T, C] and [T, S]; `last`: nothing follows."""
    tail, frames = lattice.tail, lattice.frames + len(chars)
    centre = np.arange(lattice.frames, frames, dtype=np.float64)
    if tail is not None:  # goes in front as one more frame
        chars, syllables = np.vstack([tail.chars[None], chars]), np.vstack([tail.syllables[None], syllables])
        centre = np.concatenate([[tail.centre], centre])
    bounds, labels, speaking = segment(chars, syllables, weights.speaks, -1 if tail is None else tail.label)
    speaking = speaking + FEWEST
    if tail is not None:
        speaking[0] = tail.weight
    if not len(bounds):
        return lattice._replace(frames=frames, tail=None)
    edges = bounds.ravel()
    mass = np.add.reduceat(np.append(speaking, 0.0), edges)[::2]
    centres = np.add.reduceat(np.append(speaking * centre, 0.0), edges)[::2] / mass
    tail = None
    if bounds[-1, 1] == len(chars) and not last:
        first, end = bounds[-1]
        rows = best(chars, first, end), best(syllables, first, end)
        tail = Tail(int(labels[-1]), float(mass[-1]), float(centres[-1]), *rows)
        bounds, centres = bounds[:-1], centres[:-1]
    offered = np.zeros((len(bounds), MAX_CANDIDATES), np.int64)
    scores, counts = np.zeros(offered.shape), np.zeros(len(bounds), np.int64)
    offer(chars, syllables, bounds, readings, model.unigram, context.favour, weights, offered, scores, counts)
    return Lattice(
        frames,
        np.concatenate([lattice.offered, offered]),
        np.concatenate([lattice.scores, scores]),
        np.concatenate([lattice.counts, counts]),
        np.concatenate([lattice.centres, centres]),
        tail,
    )


def pack(lattice: Lattice) -> NDArray[np.uint8]:
    """`lattice` as bytes [n]: about 250 a syllable and 17,000 for one that is still being spoken."""
    arrays: dict[str, Any] = {
        "frames": np.int64(lattice.frames),
        "offered": lattice.offered.astype(np.uint16),
        "scores": lattice.scores.astype(np.float32),
        "counts": lattice.counts.astype(np.uint8),
        "centres": lattice.centres,
    }
    if lattice.tail is not None:
        label, weight, centre, chars, syllables = lattice.tail
        arrays |= {"tail": np.array([label, weight, centre]), "chars": chars, "syllables": syllables}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return np.frombuffer(file.getvalue(), np.uint8)


def unpack(state: NDArray[np.uint8], characters: int, labels: int) -> Lattice:
    """The lattice of `pack`, its indices checked; no bytes: nothing heard yet.

    Raises:
        BadState: the bytes were not made by `pack` for a model with these classes.
    """
    if not len(state):
        return start()
    try:
        with np.load(io.BytesIO(state.tobytes()), allow_pickle=False) as file:
            tail = None
            if "tail" in file:
                label, weight, centre = file["tail"].tolist()
                tail = Tail(int(label), weight, centre, file["chars"], file["syllables"])
            lattice = Lattice(
                int(file["frames"]),
                file["offered"].astype(np.int64),
                file["scores"].astype(np.float64),
                file["counts"].astype(np.int64),
                file["centres"].astype(np.float64),
                tail,
            )
    except Exception as error:
        raise _bad(str(error)) from error
    _check(lattice, characters, labels)
    return lattice


def _check(lattice: Lattice, characters: int, labels: int) -> None:
    count = len(lattice.counts)
    shape, tail = (count, MAX_CANDIDATES), lattice.tail
    if lattice.offered.shape != shape or lattice.scores.shape != shape or lattice.centres.shape != (count,):
        raise _bad("its parts do not fit together")
    if count and (lattice.counts.min() < 1 or lattice.counts.max() > MAX_CANDIDATES):
        raise _bad("it has too many candidates or none")
    if lattice.offered.max(initial=0) > characters or lattice.frames < 0:
        raise _bad("a value is out of range")
    rows = (characters + 1,), (labels + 1,)
    if tail is not None and (
        (tail.chars.shape, tail.syllables.shape) != rows
        or any(row.dtype != np.dtype(np.float32) for row in (tail.chars, tail.syllables))
        or not 0 < tail.label <= labels
    ):
        raise _bad("its open syllable does not fit the model")


def _bad(reason: str) -> BadState:
    return BadState(
        f"STATE is not a state of this model: {reason}. help: send STATE of the last answer as it came, "
        "or start the segment again without one"
    )
