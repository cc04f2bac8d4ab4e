"""The shipped recogniser by itself: padding changes nothing, the canary is heard, silence says nothing."""

import importlib
import json
import sys
import time
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


@pytest.mark.parametrize(
    "word, expected", [("汪先生", "汪"), ("招商银行", "王"), ("汪", "王"), ("龘先生", "王")]
)
def test_context_words_win_where_the_sound_allows(
    recogniser: Any, speech: np.ndarray, word: str, expected: str
) -> None:
    units = recogniser.recognise([speech], [recogniser.context((word,), (2.0,))])[0]
    assert "".join(units.characters) == f"您好请问是{expected}先生吗"


def test_an_unfinished_context_word_earns_nothing(module: Any, recogniser: Any, speech: np.ndarray) -> None:
    for word in ("汪先生们", "汪先生吗您"):  # left in the middle, cut off by the end
        units = recogniser.recognise([speech], [recogniser.context((word,), (2.0,))])[0]
        assert "".join(units.characters) == "您好请问是王先生吗"


def test_boosts_add_up_to_the_words_said(module: Any, recogniser: Any) -> None:
    words = importlib.import_module("context_words")
    ids = {char: number for number, char in enumerate("abcd", 1)}
    context = words.build(("abc", "ab", "bcd", "cd"), (1.0, 1.0, 0.5, 2.0), ids, 4)

    def boost(text: str) -> float:
        total, node = 0.0, 0
        for char in text:
            gain, node = words.walk(context, node, ids[char])
            total += gain
        return float(total - context.pending[node])

    assert [boost(text) for text in ("a", "ab", "abc", "abd", "bcd", "cd", "dcba")] == [0, 2, 3, 2, 1.5, 4, 0]
    assert boost("abcab") == 5 and boost("cdcd") == 8


def test_thousands_of_context_words_cost_little(recogniser: Any, speech: np.ndarray) -> None:
    rng, segments = np.random.default_rng(3), [np.tile(speech, 8)] * 4
    words = tuple({"".join(rng.choice(list(recogniser._chars), 3)) for _ in range(5000)})
    context = recogniser.context(words)
    assert recogniser.context(words) is context
    rows = recogniser.log_probabilities(segments)

    def spent_s(chosen: Any) -> float:
        decoder = importlib.import_module("ctc_decoder")
        known = recogniser.readings, recogniser.trigram, chosen, recogniser.weights
        times = []
        for _ in range(3):
            start = time.process_time()
            for chars, syllables in rows:
                decoder.decode(chars, syllables, *known)
            times.append(time.process_time() - start)
        return min(times)

    assert spent_s(context) < 2 * spent_s(recogniser.no_context) + 0.01


@pytest.mark.parametrize(
    "words, weights",
    [(("王先生",), (9.0,)), (("王先生",), (1.0, 1.0)), (("王" * 40,), ()), (("王先生",) * 20_001, ())],
)
def test_bad_context_is_refused_with_help(
    recogniser: Any, words: tuple[str, ...], weights: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="help: "):
        recogniser.context(words, weights)


@pytest.mark.parametrize("spoil", ["shorter", "not a file", "other sizes"])
def test_a_spoilt_state_is_refused_with_help(
    module: Any, recogniser: Any, speech: np.ndarray, spoil: str
) -> None:
    window = module.Window(0, 12, recogniser.lattice(np.zeros(0, np.uint8)))
    _, state = recogniser.listen([np.tile(speech, 2)], [window], [recogniser.no_context])[0]
    assert recogniser.lattice(state).frames == 12
    lattice = importlib.import_module("ctc_lattice")
    bad = {
        "shorter": state[:-30],
        "not a file": np.arange(100, dtype=np.uint8),
        "other sizes": lattice.pack(recogniser.lattice(state)._replace(centres=np.zeros(999))),
    }[spoil]
    with pytest.raises(ValueError, match="help: "):
        recogniser.lattice(bad)


@pytest.mark.parametrize(
    "first, end, samples", [(5, -1, 9000), (0, 12, 8900), (0, 7, 20_000), (-1, -1, 9000)]
)
def test_a_window_off_the_grid_is_refused_with_help(
    module: Any, recogniser: Any, first: int, end: int, samples: int
) -> None:
    nothing = recogniser.lattice(np.zeros(0, np.uint8))
    module.check_window(0, -1, samples, nothing)
    with pytest.raises(ValueError, match="help: "):
        module.check_window(first, end, samples, nothing)


def test_all_of_it_is_small() -> None:
    sizes = [
        path.stat().st_size
        for path in FOLDER.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.parts)
    ]
    assert sum(sizes) <= 6 * MEBIBYTE
