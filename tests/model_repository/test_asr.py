"""The shipped recogniser by itself: padding changes nothing, the canary is heard, silence says nothing."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "model_repository" / "asr"
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def module() -> Any:
    sys.path.insert(0, str(FOLDER / "1"))
    try:
        return importlib.import_module("recogniser")
    finally:
        sys.path.remove(str(FOLDER / "1"))


@pytest.fixture(scope="module")
def recogniser(module: Any) -> Any:
    return module.Recogniser()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    pcm: np.ndarray = np.load(FOLDER / "1" / "canary_pcm.npy")
    return pcm


def test_hears_the_canary_as_written(recogniser: Any, speech: np.ndarray) -> None:
    known = json.loads((FOLDER / "canary.json").read_text(encoding="utf8"))["outputs"]
    units = recogniser.recognise([speech])[0]
    assert list(units.characters) == known["UNITS"]["data"]
    assert "".join(units.characters) == "您好请问是王先生吗"
    assert known["START_MS"]["tolerance"] == 40


def test_units_run_forward_inside_the_segment(recogniser: Any, speech: np.ndarray) -> None:
    units = recogniser.recognise([speech])[0]
    assert (np.diff(units.start_ms) > 0).all() and (units.start_ms < units.end_ms).all()
    assert units.end_ms[-1] <= len(speech) / 8
    assert units.confidence.dtype == np.float32
    assert ((units.confidence >= 0) & (units.confidence <= 1)).all()


def test_padded_batch_equals_alone(recogniser: Any, speech: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(-3000, 3000, 8000 * 3).astype(np.int16)
    pcm = np.zeros((2, 8000 * 6), np.float32)
    pcm[0, : len(speech)] = speech / np.float32(32768)
    pcm[1, : len(noise)] = noise / np.float32(32768)
    alone = recogniser._session.run(None, {"PCM": pcm[:1, : len(speech)], "LENGTHS": np.array([len(speech)])})
    padded = recogniser._session.run(None, {"PCM": pcm, "LENGTHS": np.array([len(speech), 8000 * 6])})
    assert padded[2][0] == alone[2][0] == -(-(len(speech) // 80) // 8)
    for one, many in zip(alone[:2], padded[:2], strict=True):
        np.testing.assert_allclose(many[0, : one.shape[1]], one[0], atol=2e-4)


def test_what_lies_behind_the_end_is_not_heard(recogniser: Any, speech: np.ndarray) -> None:
    clean = np.zeros((1, 8000 * 3), np.float32)
    clean[0, : len(speech)] = speech / np.float32(32768)
    dirty = clean.copy()
    dirty[0, len(speech) :] = 0.3
    lengths = np.array([len(speech)])
    first, second = (recogniser._session.run(None, {"PCM": x, "LENGTHS": lengths}) for x in (clean, dirty))
    np.testing.assert_allclose(first[0][0, : first[2][0]], second[0][0, : first[2][0]], atol=1e-4)


def test_companions_change_no_answer(recogniser: Any, speech: np.ndarray) -> None:
    alone = recogniser.recognise([speech])[0]
    companions = [np.tile(speech, repeats) for repeats in (1, 2, 5, 1)] + [
        speech[:900],
        np.zeros(12_000, np.int16),
    ]
    together = recogniser.recognise([*companions, speech])
    assert together[-1].characters == alone.characters
    np.testing.assert_allclose(together[-1].confidence, alone.confidence, atol=1e-3)
    np.testing.assert_array_equal(together[-1].start_ms, alone.start_ms)
    assert len(together[2].characters) > 3 * len(alone.characters)


@pytest.mark.parametrize("decibels", [-20, -6, 6])
def test_level_does_not_matter_much(recogniser: Any, speech: np.ndarray, decibels: int) -> None:
    louder = np.clip(speech * 10 ** (decibels / 20), -32768, 32767).astype(np.int16)
    assert "".join(recogniser.recognise([louder])[0].characters) == "您好请问是王先生吗"


@pytest.mark.parametrize("kind", ["zeros", "one sample", "faint noise", "noise", "ringback", "hum"])
def test_no_speech_gives_no_units(recogniser: Any, kind: str) -> None:
    rng = np.random.default_rng(2)
    time = np.arange(8000 * 4) / 8000
    signals = {
        "zeros": np.zeros(32_000),
        "one sample": np.zeros(1),
        "faint noise": rng.normal(0, 3, 32_000),
        "noise": rng.normal(0, 800, 32_000),
        "hum": 2000 * np.sin(2 * np.pi * 50 * time),
        "ringback": 6000 * np.sin(2 * np.pi * 450 * time) * (time % 5 < 1),
    }
    units = recogniser.recognise([np.rint(signals[kind]).astype(np.int16)])[0]
    assert units.characters == () and units.start_ms.shape == units.confidence.shape == (0,)


@pytest.mark.parametrize("samples, rate", [(0, 8000), (8000, 16_000), (8000 * 30 + 1, 8000)])
def test_bad_input_is_refused_with_help(module: Any, samples: int, rate: int) -> None:
    with pytest.raises(module.BadAudio, match="help: "):
        module.check(samples, rate)


def test_longest_allowed_segment(module: Any, recogniser: Any, speech: np.ndarray) -> None:
    module.check(8000 * 30, 8000)
    units = recogniser.recognise([np.resize(speech, 8000 * 30)])[0]
    assert len(units.characters) > 100


def test_buckets_keep_padding_and_size_bounded(module: Any) -> None:
    lengths = [8000, 240_000, 9000, 100_000, 90_000, 700, *([160_000] * 20)]
    groups = module.buckets(lengths)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        assert longest * len(group) <= max(longest, module.MOST_SAMPLES_AT_ONCE)
        assert min(lengths[index] for index in group) >= 0.7 * longest - 4000


def test_nothing_asked_nothing_answered(recogniser: Any) -> None:
    assert recogniser.recognise([]) == []


def test_all_of_it_is_small() -> None:
    sizes = [
        path.stat().st_size
        for path in FOLDER.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.parts)
    ]
    assert sum(sizes) <= 6 * MEBIBYTE
