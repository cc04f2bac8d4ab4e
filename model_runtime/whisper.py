"""Whisper: encoder once a segment, then greedy decoding with time stamps, one pass of 30 s.

The rules of the time stamps (in pairs, never backwards, taken when together likelier than any word) are
those of the Whisper paper's reference decoder (Radford et al. 2022, appendix; openai/whisper, MIT).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_runtime.audio import Samples
from model_runtime.logmel import LogMel
from model_runtime.network import session
from model_runtime.spec import FrontEnd, Whisper
from model_runtime.words import Token, Units, spread

STEP_MS = 20.0
"""One time stamp token is worth so much."""
ENCODER_FILE, DECODER_FILE = "encoder.onnx", "decoder.onnx"
_TOKENS_FILE = "tokens.json"
_NEVER = np.float32(-np.inf)

Scores = NDArray[np.float32]


class Chosen(NamedTuple):
    """A decoded token and how probable it was."""

    token: int
    confidence: float


class WhisperReader:
    """Reads segments of up to 30 s, each alone."""

    def __init__(self, front_end: FrontEnd, how: Whisper, folder: Path) -> None:
        """Load both networks and the token table."""
        self._mel = LogMel(front_end, folder)
        self._how = how
        self._encoder, self._decoder = (session(folder / name) for name in (ENCODER_FILE, DECODER_FILE))
        self._texts: list[str] = json.loads((folder / _TOKENS_FILE).read_text(encoding="utf-8"))
        self._suppress, self._suppress_first = (
            np.array(ids, np.int64) for ids in (how.suppress, how.suppress_first)
        )

    def __call__(self, segments: Sequence[Samples], durations_ms: Sequence[int]) -> list[Units]:
        """Characters of each segment."""
        return [
            spread(self._timed(self.decode(samples), duration_ms), duration_ms)
            for samples, duration_ms in zip(segments, durations_ms, strict=True)
        ]

    def decode(self, samples: Samples) -> list[Chosen]:
        """Tokens after the prompt, time stamps among them, without the end."""
        how = self._how
        cross_keys, cross_values = self._encoder.run(None, {"features": self._mel(samples).T[None]})
        past = np.zeros((how.layers, 1, how.heads, 0, how.head_width), np.float32)
        keys, values = past, past
        ids, chosen = list(how.prompt), list[Chosen]()
        while len(how.prompt) + len(chosen) < how.most_tokens:
            feed = {"tokens": np.array([ids], np.int64), "past_keys": keys, "past_values": values}
            feed |= {"cross_keys": cross_keys, "cross_values": cross_values}
            logits, keys, values = self._decoder.run(None, feed)
            best = self._choose(logits[0, -1].astype(np.float32), [word.token for word in chosen])
            if best.token == how.end:
                break
            chosen.append(best)
            ids = [best.token]
        return chosen

    def _choose(self, logits: Scores, before: list[int]) -> Chosen:
        how, stamps = self._how, self._how.timestamps_from
        scores = logits.copy()
        if not before:
            scores[self._suppress_first] = _NEVER
        scores[self._suppress] = _NEVER
        scores[how.no_timestamps] = _NEVER
        last_is_stamp = bool(before) and before[-1] >= stamps
        lone_stamp = last_is_stamp and len(before) > 1 and before[-2] < stamps
        if last_is_stamp and not lone_stamp:
            scores[stamps:] = _NEVER
        elif lone_stamp:
            scores[: how.end] = _NEVER
        told = [token for token in before if token >= stamps]
        if told:
            scores[stamps : told[-1] + (0 if lone_stamp else 1)] = _NEVER
        if not before:
            scores[:stamps] = _NEVER
            scores[stamps + how.most_initial_timestamp + 1 :] = _NEVER
        return _best(scores, stamps)

    def _timed(self, chosen: list[Chosen], duration_ms: int) -> list[Token]:
        """Text tokens; those between two time stamps share the time between them by their length."""
        tokens: list[Token] = []
        open_words: list[tuple[str, float]] = []
        start_ms = 0.0
        for token, confidence in [*chosen, (self._how.timestamps_from + 10**6, 0.0)]:
            if token < self._how.special_from:
                open_words.append((self._texts[token], confidence))
            elif token >= self._how.timestamps_from:
                stamp_ms = min((token - self._how.timestamps_from) * STEP_MS, float(duration_ms))
                tokens += _shared(open_words, start_ms, max(start_ms, stamp_ms))
                open_words, start_ms = [], stamp_ms
        return tokens


def _best(scores: Scores, stamps: int) -> Chosen:
    log_probabilities = scores - (scores.max() + np.log(np.exp(scores - scores.max()).sum()))
    stamp = log_probabilities[stamps:]
    most = stamp.max()
    together = most + np.log(np.exp(stamp - most).sum()) if np.isfinite(most) else _NEVER
    if together > log_probabilities[:stamps].max():
        log_probabilities[:stamps] = _NEVER
    token = int(log_probabilities.argmax())
    return Chosen(token, float(np.exp(log_probabilities[token])))


def _shared(words: list[tuple[str, float]], start_ms: float, end_ms: float) -> list[Token]:
    sizes = np.array([len(text) for text, _ in words], np.float64)
    edges = start_ms + (end_ms - start_ms) * np.concatenate([[0.0], np.cumsum(sizes)]) / max(1.0, sizes.sum())
    return [
        Token(text, float(edges[place]), float(edges[place + 1]), confidence)
        for place, (text, confidence) in enumerate(words)
    ]
