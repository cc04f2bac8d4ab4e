"""A seeded history for bench.backtest: calls mixed from the writers' dialogues, names and amounts made up.

A call is five runs of twelve consecutive turns; the first run opens a dialogue. One call in thirty takes its
runs from dialogues with violations, the others from clean ones. Tag scores follow the writers' tags (a text
has one score, as a model would give it); times, emotions and metadata are drawn. Made part by part in
columns, no Python a call.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.table import SIDES, CallTable, Int64, check
from server.adapters import store

TURNS, RUN = 60, 12
PART_CALLS = 20_000
BAD_CALLS = 1 / 30
VARIANTS = 6
EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "impatient")
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁"
DIGITS = "一二三四五六七八九"
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Bank:
    """Turns to draw from, VARIANTS of each in a row; ``clean`` and ``bad`` are the first turns of runs."""

    text: NDArray[np.uint8]
    offsets: Int64
    characters: Int64
    role: NDArray[np.int8]
    labels: tuple[str, ...]
    tags: NDArray[np.float32]
    clean: Rows
    bad: Rows
    clean_starts: Rows
    bad_starts: Rows


def bank(folder: Path, seed: int) -> Bank:
    """The bank of the dialogues (*.txt) in ``folder``."""
    random = Random(seed)
    turns: list[tuple[int, str, list[str]]] = []
    runs: dict[bool, list[int]] = {True: [], False: []}
    starts: dict[bool, list[int]] = {True: [], False: []}
    for path in sorted(folder.glob("*.txt")):
        for dialogue in path.read_text("utf-8").split("#call ")[1:]:
            bad = bool(re.search(r"^!violated=\S", dialogue, re.M))
            found = re.findall(r"^([ac])\|([^|\n]+)\|?(.*)$", dialogue, re.M)
            if len(found) < RUN:
                continue
            first = len(turns)
            turns += [(int(who == "c"), text, tags.split(",")) for who, text, tags in found]
            runs[bad] += range(first, len(turns) - RUN + 1)
            starts[bad].append(first)
    texts = [_varied(text, random) for _, text, _ in turns for _ in range(VARIANTS)]
    encoded = [text.encode() for text in texts]
    labels = tuple(sorted({tag for _, _, tags in turns for tag in tags if tag}))
    places = [np.array(places, np.int64) for places in (*runs.values(), *starts.values())]
    return Bank(
        np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]),
        np.array(list(map(len, texts))), np.repeat(np.array([t[0] for t in turns], np.int8), VARIANTS),
        labels, _tag_scores([t[2] for t in turns], labels, seed),
        places[1], places[0], places[3], places[2],
    )  # fmt: skip


def _varied(text: str, random: Random) -> str:
    """The turn with other surnames before a form of address, other amounts and digits."""
    text = re.sub(
        f"[{SURNAMES}](?=(?:先生|女士|哥|姐|经理|总|老师))", lambda _: random.choice(SURNAMES), text
    )
    text = re.sub(f"[{DIGITS}](?=[千百万])", lambda _: random.choice(DIGITS), text)
    return re.sub(r"\d", lambda _: random.choice("0123456789"), text)


def _tag_scores(tagged: Sequence[Sequence[str]], labels: Sequence[str], seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.3, 12, (len(tagged) * VARIANTS, len(labels)))
    for row, tags in enumerate(tagged):
        for tag in filter(None, tags):
            rows = slice(row * VARIANTS, (row + 1) * VARIANTS)
            scores[rows, labels.index(tag)] = rng.beta(9, 1.5, VARIANTS)
    return scores.astype(np.float32)


def write(folder: Path, turns: Bank, calls: int, seed: int) -> None:
    """Write a history of ``calls`` in parts of PART_CALLS; parts that are there stay."""
    for number, first in enumerate(range(0, calls, PART_CALLS)):
        path = folder / f"part-{number:05}.parquet"
        if not path.exists():
            size = min(PART_CALLS, calls - first)
            store.write(path, table(turns, first, size, np.random.default_rng([seed, number])))


def table(turns: Bank, first: int, calls: int, rng: np.random.Generator) -> CallTable:
    """Calls ``first`` onward as one table."""
    rows = _drawn(turns, calls, rng)
    text, text_offsets = _gather(turns, rows)
    characters = turns.characters[rows]
    char_offsets = np.concatenate([[0], np.cumsum(characters)])
    start_ms, end_ms = _times(characters, calls, rng)
    pace = (end_ms - start_ms) // np.maximum(characters, 1)
    within = np.arange(char_offsets[-1]) - np.repeat(char_offsets[:-1], characters)
    char_start_ms = np.repeat(start_ms, characters) + within * np.repeat(pace, characters)
    role, n = turns.role[rows], len(rows)
    by_side = np.argsort(np.arange(n) // TURNS * SIDES + role, kind="stable")
    per_side = np.bincount(np.arange(n) // TURNS * SIDES + role, minlength=calls * SIDES)
    emotion = rng.dirichlet((8, 1, 0.6, 0.5, 0.3, 0.6), n).astype(np.float32)
    return check(CallTable(
        call_ids=tuple(f"call-{number:08}" for number in range(first, first + calls)),
        meta=_meta(first, calls, rng), duration_ms=end_ms.reshape(calls, TURNS).max(1) + 500,
        has_times=np.ones(calls, np.bool_), separated=np.ones(calls, np.bool_),
        has_audio=np.ones(calls, np.bool_),
        turn_offsets=np.arange(calls + 1) * TURNS, turn_role=role, turn_channel=role.copy(),
        turn_start_ms=start_ms, turn_end_ms=end_ms, text=text, text_offsets=text_offsets,
        turn_confidence=rng.beta(20, 1.5, n).astype(np.float32),
        turn_loudness_db=rng.normal(-24, 4, n).astype(np.float32),
        char_offsets=char_offsets, char_start_ms=char_start_ms,
        char_end_ms=char_start_ms + np.repeat(pace, characters),
        emotion_labels=EMOTIONS, emotion=emotion, tag_labels=turns.labels, tags=turns.tags[rows],
        speech_offsets=np.concatenate([[0], np.cumsum(per_side)]),
        speech_start_ms=start_ms[by_side], speech_end_ms=end_ms[by_side],
    ))  # fmt: skip


def _drawn(turns: Bank, calls: int, rng: np.random.Generator) -> Rows:
    """[calls * TURNS] rows of the bank."""
    bad = rng.random(calls) < BAD_CALLS
    runs = np.empty((calls, TURNS // RUN), np.int64)
    for kind, opening, middle in (
        (bad, turns.bad_starts, turns.bad),
        (~bad, turns.clean_starts, turns.clean),
    ):
        runs[kind, 0] = rng.choice(opening, kind.sum())
        runs[kind, 1:] = rng.choice(middle, (kind.sum(), TURNS // RUN - 1))
    places = (runs[:, :, None] + np.arange(RUN)).ravel()
    return places * VARIANTS + rng.integers(0, VARIANTS, len(places))


def _gather(turns: Bank, rows: Rows) -> tuple[NDArray[np.uint8], Int64]:
    sizes = turns.offsets[rows + 1] - turns.offsets[rows]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    at = np.arange(offsets[-1]) + np.repeat(turns.offsets[rows] - offsets[:-1], sizes)
    return turns.text[at], offsets


def _times(characters: Int64, calls: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Start and end of every turn: 170 to 300 ms a character, pauses, now and then an interruption."""
    n = len(characters)
    lasts = np.maximum(characters, 1) * rng.integers(170, 300, n)
    gap = rng.gamma(2, 350, n) - np.where(rng.random(n) < 0.06, 0.4 * lasts, 0)
    gap += np.where(rng.random(n) < 0.01, 6000, 0)
    step = (lasts + np.maximum(gap, -0.5 * lasts)).astype(np.int64).reshape(calls, TURNS)
    start = (np.cumsum(step, axis=1) - step + 400).ravel()
    return start, start + lasts


def _meta(first: int, calls: int, rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    def one_of(values: Sequence[Any], weights: Sequence[float]) -> tuple[Any, ...]:
        array = np.empty(len(values), object)
        array[:] = values
        return tuple(array[rng.choice(len(values), calls, p=weights)].tolist())

    minutes = rng.integers(0, 60 * 24 * 60, calls)
    day = np.datetime64("2026-09-01T00:00:00")
    starts = day + (minutes // 1440 * 1440 + 8 * 60 + minutes % (13 * 60)).astype("timedelta64[m]")
    return {
        "call_start_local": tuple(f"{start}+08:00" for start in starts.astype("datetime64[s]").astype(str)),
        "direction": one_of(["outbound", "inbound"], [0.93, 0.07]),
        "callee_relation": one_of(
            ["debtor", "unrelated_third_party", "guarantor", None], [0.8, 0.1, 0.03, 0.07]
        ),
        "attempts_same_number_today": tuple(rng.geometric(0.5, calls).tolist()),
        "effective_calls_debtor_today": tuple((rng.geometric(0.7, calls) - 1).tolist()),
        "agency_type": one_of(["in_house", "outsourced"], [0.4, 0.6]),
        "hangup_by": one_of(["customer", "agent"], [0.7, 0.3]),
        "source_path": tuple(
            f"calls/{number // 1000:05}/{number:08}.wav" for number in range(first, first + calls)
        ),
    }
