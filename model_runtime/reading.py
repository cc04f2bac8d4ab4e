"""From a network's scores to tokens with times: CTC's best path, and Paraformer's integrate-and-fire."""

import numpy as np
from numpy.typing import NDArray

from model_runtime.words import Token

Scores = NDArray[np.float32]

HOLD_MS = 240.0
"""A CTC token is heard as a peak: it is taken to last until the next one, at most so long behind its peak."""
_CIF_FIRES_AT = 1.0 - 1e-4
_CIF_EARLIER, _CIF_LONGEST, _CIF_REST = 1.5, 12, 5
"""Frames: how much before its firing a token begins, how long it may last, what is silence at the end."""


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
    """Tokens of [tokens, vocabulary], one a row; their times come from the weights of the frames.

    Without weights (older exports) the tokens share the segment evenly.
    """
    best, sure = scores.argmax(1), probabilities(scores).max(1)
    kept = [place for place, token in enumerate(best) if token not in silent]
    if not kept:
        return []
    times = _even(len(kept), duration_ms) if weights is None else _fired(weights, len(kept)) * step_ms
    return [
        Token(texts[best[place]], float(start), float(end), float(sure[place]))
        for place, (start, end) in zip(kept, times, strict=True)
    ]


def _even(count: int, duration_ms: float) -> NDArray[np.float64]:
    edges = np.arange(count + 1) * (duration_ms / count)
    return np.stack([edges[:-1], edges[1:]], 1)


def _fired(weights: Scores, count: int) -> NDArray[np.float64]:
    """Start and end [count, 2] of tokens in frames: a token lasts from one firing to the next.

    The weights fire each time they have added up to one more; there is one firing more than tokens. Shift and
    longest token are FunASR's (utils/timestamp_tools, MIT).
    """
    fires = _firings(weights)
    if len(fires) != count + 1:
        fires = _firings(weights * ((count + 1) / max(float(weights.sum()), 1e-6)))[: count + 1]
    fires = np.pad(fires, (0, count + 1 - len(fires)), constant_values=len(weights)) - _CIF_EARLIER
    ends = np.minimum(fires[1:], fires[:-1] + _CIF_LONGEST)
    rest = len(weights) - fires[-1]
    ends[-1] = fires[-1] + rest / 2 if rest > _CIF_REST else len(weights)
    return np.stack([fires[:-1], np.maximum(ends, fires[:-1])], 1)


def _firings(weights: Scores) -> NDArray[np.float64]:
    total = np.cumsum(weights, dtype=np.float64) / _CIF_FIRES_AT
    return np.flatnonzero(np.diff(np.floor(total), prepend=0.0) > 0).astype(np.float64)
