"""CTC's best path, found on the device: only what was heard comes back."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_runtime.gpu.ragged import valid
from model_runtime.reading import HOLD_MS
from model_runtime.words import Token

FIELDS = 4
"""Token, first step, last step and confidence (the bits of a float) of each token, int32."""


class Heard(NamedTuple):
    """Tokens of one segment [n]: id, first and last step, the best step's probability."""

    ids: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    confidence: NDArray[np.float32]


def collapse(scores: Tensor, steps: Tensor, silent: Tensor) -> Tensor:
    """Scores [B, S, V] to int32 [B + FIELDS · B · S]: tokens of each row, then the rows' tokens in a row.

    Repeats are one token; ``silent`` [V] marks tokens that say nothing. Every shape is fixed, so that a CUDA
    graph can hold it: places behind the last token are left unset.
    """
    rows, width = scores.shape[:2]
    total = rows * width
    sure, ids = scores.softmax(-1, dtype=torch.float32).max(-1)
    ids = torch.where(valid(steps, width), ids, -1)
    edge = torch.ones_like(ids, dtype=torch.bool)
    edge[:, 1:] = ids[:, 1:] != ids[:, :-1]
    heard = edge & (ids >= 0) & ~silent[ids.clamp_min(0)]
    run = edge.flatten().cumsum(0) - 1
    place = torch.arange(total, device=scores.device)
    surest = torch.zeros(total, device=scores.device).scatter_reduce(0, run, sure.flatten(), "amax")
    last = torch.zeros_like(place).scatter_reduce(0, run, place, "amax")
    found = torch.stack(
        [ids.flatten().int(), (place % width).int(), (last % width)[run].int(), surest[run].view(torch.int32)]
    )
    # what is not heard goes to one place behind all others
    target = torch.where(heard.flatten(), heard.flatten().cumsum(0) - 1, total)
    packed = torch.zeros(FIELDS, total + 1, dtype=torch.int32, device=scores.device)
    packed = packed.scatter(1, target.expand(FIELDS, -1), found)[:, :total]
    return torch.cat([heard.sum(1).int(), packed.flatten()])


def unpack(packed: NDArray[np.int32], rows: int, wanted: int) -> list[Heard]:
    """The first ``wanted`` rows of what ``collapse`` packed."""
    ends = np.cumsum(packed[:wanted])
    ids, first, last, bits = packed[rows:].reshape(FIELDS, -1)[:, : ends[-1] if wanted else 0].copy()
    cuts = ends[:-1]
    columns = (np.split(column, cuts) for column in (ids, first, last, bits.view(np.float32)))
    return [Heard(*row) for row in zip(*columns, strict=True)]


def tokens(heard: Heard, step_ms: float, texts: list[str]) -> list[Token]:
    """Tokens with times, as reading.ctc gives them."""
    start_ms = heard.first * step_ms
    edge_ms = (heard.last + 1) * step_ms
    follows_ms = np.append(start_ms[1:], np.inf)
    end_ms = np.maximum(edge_ms, np.minimum(follows_ms, edge_ms + HOLD_MS))
    rows = zip(heard.ids.tolist(), start_ms.tolist(), end_ms.tolist(), heard.confidence.tolist(), strict=True)
    return [Token(texts[token], start, end, sure) for token, start, end, sure in rows]
