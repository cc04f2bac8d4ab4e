"""From a network's scores to tokens with times: CTC's best path, and Paraformer's integrate-and-fire."""

import numpy as np
from numpy.typing import NDArray

from model_runtime.words import Token

Scores = NDArray[np.float32]

HOLD_MS = 240.0
"""A CTC token is heard as a peak: it is taken to last until the next one, at most so long behind its peak."""
_CIF_FIRES_AT = 1.0 - 1e-4


def probabilities(scores: Scores) -> Scores:
    """Softmax over the last axis; log probabilities come back as probabilities."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    answer: Scores = powers / powers.sum(-1, keepdims=True)
    return answer


def ctc(scores: Scores, step_ms: float, silent: tuple[int, ...], texts: list[str]) -> list[Token]:
    """Tokens of the best path through [steps, tokens]: repeats are one token, silent ones part them."""
    if not len(scores):
        return []
    best = scores.argmax(1)
    edges = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(edges[1:], len(best))
    heard = [(first, last) for first, last in zip(edges, ends, strict=True) if best[first] not in silent]
    tokens = []
    for place, (first, last) in enumerate(heard):
        follows_ms = heard[place + 1][0] * step_ms if place + 1 < len(heard) else np.inf
        end_ms = max(last * step_ms, min(follows_ms, last * step_ms + HOLD_MS))
        sure = float(probabilities(scores[first:last])[:, best[first]].max())
        tokens.append(Token(texts[best[first]], float(first * step_ms), float(end_ms), sure))
    return tokens


def cif(
    scores: Scores,
    weights: Scores | None,
    duration_ms: float,
    step_ms: float,
    silent: tuple[int, ...],
    texts: list[str],
) -> list[Token]:
    """Tokens of [tokens, vocabulary], one a row; each ends where the weights have added up to its number.

    Without weights (older exports) the tokens share the segment evenly.
    """
    ends = _even(len(scores), duration_ms) if weights is None else _fired(weights, len(scores), step_ms)
    best, sure = scores.argmax(1), probabilities(scores).max(1)
    starts = np.concatenate([[0.0], ends[:-1]])
    return [
        Token(texts[token], float(start), float(end), float(confidence))
        for token, start, end, confidence in zip(best, starts, ends, sure, strict=True)
        if token not in silent
    ]


def _even(count: int, duration_ms: float) -> NDArray[np.float64]:
    return np.arange(1, count + 1) * (duration_ms / max(1, count))


def _fired(weights: Scores, count: int, step_ms: float) -> NDArray[np.float64]:
    total = np.cumsum(weights, dtype=np.float64)
    places = np.searchsorted(total, np.arange(1, count + 1) * _CIF_FIRES_AT)
    return (np.minimum(places, len(weights) - 1) + 1) * step_ms
