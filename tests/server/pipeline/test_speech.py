"""The speech detector and the recogniser's cuts, on signals whose truth is known by construction."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from server.config import ROOT
from server.pipeline import speech, voice
from server.pipeline.call import Speech

Pcm = NDArray[np.int16]
RATE_HZ = 8000


def vowel(ms: int, *, rate_hz: int = RATE_HZ, pitch_hz: float = 140, db: float = -20) -> NDArray[np.float64]:
    """A gliding pulse train through two formants, rising and fading like a syllable."""
    n = ms * rate_hz // 1000
    time = np.arange(n) / rate_hz
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.15 * np.sin(2 * np.pi * 3 * time))) / rate_hz
    signal = np.zeros(n)
    for k in range(1, int(3400 / pitch_hz)):
        gain = sum(1 / (1 + ((k * pitch_hz - f) / 120) ** 2) for f in (600, 1700, 2600))
        signal += gain * np.sin(k * phase)
    signal *= np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 0.5
    return signal * 10 ** (db / 20) / np.sqrt((signal**2).mean())


def channel(
    spans: list[tuple[int, int]], *, ms: int = 8000, noise_db: float = -65, db: float = -20, seed: int = 0,
    rate_hz: int = RATE_HZ,
) -> Pcm:  # fmt: skip
    """Vowels at (start, end) ms in white noise."""
    signal = np.random.default_rng(seed).standard_normal(ms * rate_hz // 1000) * 10 ** (noise_db / 20)
    for start, end in spans:
        piece = vowel(end - start, db=db, rate_hz=rate_hz)
        signal[start * rate_hz // 1000 :][: len(piece)] += piece
    return to_pcm(signal)


def to_pcm(signal: NDArray[np.float64]) -> Pcm:
    return np.clip(np.rint(signal * 32768), -32768, 32767).astype(np.int16)


def spans(found: Speech) -> list[tuple[int, int]]:
    return list(zip(found.start_ms.tolist(), found.end_ms.tolist(), strict=True))


def detected(pcm: Pcm, rate_hz: int = RATE_HZ) -> list[tuple[int, int]]:
    return spans(speech.detect(pcm, rate_hz))


def covers(found: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> None:
    """One found span for each wanted, holding all of it and at most 300 ms more on a side."""
    assert len(found) == len(wanted), (found, wanted)
    for (a, b), (start, end) in zip(found, wanted, strict=True):
        assert start - 300 <= a <= start + 20 and end - 20 <= b <= end + 300, (found, wanted)


TALK = [(1000, 1900), (2600, 2800), (4000, 6200)]


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 48000])
def test_speech_is_found_at_every_rate(rate_hz: int) -> None:
    covers(detected(channel(TALK, rate_hz=rate_hz), rate_hz), TALK)


@pytest.mark.parametrize("db", [-12, -20, -40])
def test_level_does_not_matter(db: float) -> None:
    covers(detected(channel(TALK, db=db, noise_db=db - 40)), TALK)


@pytest.mark.parametrize("snr_db", [30, 20, 10])
def test_line_noise_does_not_matter(snr_db: float) -> None:
    covers(detected(channel(TALK, noise_db=-20 - snr_db)), TALK)


def test_digital_silence_between_words_is_no_speech() -> None:
    pcm = channel(TALK, noise_db=-200)
    assert not pcm[:7000].any()
    covers(detected(pcm), TALK)


def test_line_noise_in_bursts_of_digital_silence_is_no_speech() -> None:
    pcm = channel([], noise_db=-50)
    pcm[16_000:24_000] = 0
    pcm[40_000:44_000] = 0
    assert detected(pcm) == []


def test_hum_clicks_and_tones_are_no_speech() -> None:
    time = np.arange(8 * RATE_HZ) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3, 5, 7)) * 10 ** (-25 / 20)
    ring = np.where(time % 5 < 1, np.sin(2 * np.pi * 450 * time), 0) * 0.2
    dtmf = (
        np.where(time % 0.4 < 0.15, np.sin(2 * np.pi * 697 * time) + np.sin(2 * np.pi * 1209 * time), 0) * 0.1
    )
    clicks = np.zeros(len(time))
    chance = np.random.default_rng(3)
    for at in chance.integers(0, len(time) - 100, 40):
        clicks[at : at + 40] = chance.standard_normal(40) * 0.3
    for sound in (hum, ring, dtmf, clicks):
        assert detected(to_pcm(sound) + channel([], noise_db=-70)) == []
        both = np.clip(to_pcm(sound).astype(int) + channel([(3100, 4000)], db=-14), -32768, 32767)
        assert any(a <= 3200 and b >= 3900 for a, b in detected(both.astype(np.int16)))


def test_the_other_side_leaking_in_is_no_speech() -> None:
    own, other = [(500, 2000), (5500, 7000)], [(3000, 4500)]
    mixed = channel(own, db=-18).astype(int) + channel(other, db=-18 - 40, noise_db=-90)
    covers(detected(mixed.astype(np.int16)), own)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_faint_copy_of_the_other_channel_is_no_speech(sign: int) -> None:
    own, theirs = channel([(500, 2000), (5500, 7000)], seed=1), channel([(3000, 4500)], seed=2)
    mixed = np.rint(own + sign * 0.053 * theirs).astype(np.int16)  # 25.5 dB down, as Opus leaves it
    covers(spans(speech.detect(mixed, RATE_HZ, theirs)), [(500, 2000), (5500, 7000)])
    assert len(detected(mixed)) == 3  # the control: by itself the copy passes for speech


def test_both_talking_at_once_is_speech_on_both_channels() -> None:
    one = channel([(1000, 3000)], seed=1, db=-30)
    other = channel([(900, 1700), (1750, 3100)], seed=2, db=-15)
    covers(spans(speech.detect(one, RATE_HZ, other)), [(1000, 3000)])


@pytest.mark.parametrize("ms", [110, 150, 200])
def test_short_answers_are_kept(ms: int) -> None:
    for at in range(1000, 1010):
        covers(detected(channel([(at, at + ms)], ms=3000)), [(at, at + ms)])


def test_pauses_inside_an_utterance_do_not_cut_it() -> None:
    covers(detected(channel([(1000, 1500), (1700, 2200)])), [(1000, 2200)])
    assert len(detected(channel([(1000, 1500), (2300, 2800)]))) == 2


def test_fading_end_is_not_clipped() -> None:
    fade = np.concatenate([np.ones(4000), np.geomspace(1, 0.03, 4000)])
    pcm = channel([], noise_db=-70)
    pcm[8000:16_000] += to_pcm(vowel(1000) * fade)
    ((_, end),) = detected(pcm)
    assert end >= 1990


def test_edges_of_the_recording() -> None:
    assert detected(np.zeros(0, np.int16)) == [] == detected(np.zeros(50, np.int16))
    assert detected(np.zeros(RATE_HZ, np.int16)) == []
    assert detected(np.full(RATE_HZ, -32768, np.int16)) == []
    ((start, end),) = detected(channel([(0, 1000)], ms=1000))
    assert start <= 50 and 950 <= end <= 1000


def test_segments_are_sorted_and_apart() -> None:
    chance = np.random.default_rng(5)
    talk = [(t, t + int(chance.integers(120, 900))) for t in range(500, 58_000, 1500)]
    found = detected(channel(talk, ms=60_000))
    assert all(a < b for a, b in found)
    assert all(b < c for (_, b), (c, _) in pairwise(found))


def test_compiled_and_plain_kernels_agree() -> None:
    pcm = channel([(300, 900)], ms=1500, noise_db=-40)
    taps = (speech._biquad(200, RATE_HZ, sign=-1), speech._biquad(1000, RATE_HZ, sign=1))
    energy, thin = voice.analyse(pcm, 80, 2, *taps)
    plain_energy, plain_thin = voice.analyse.py_func(pcm, 80, 2, *taps)
    np.testing.assert_allclose(energy, plain_energy, atol=1e-3)
    assert np.array_equal(thin, plain_thin)
    np.testing.assert_allclose(
        voice.over_floor(energy[1], 50, 0.1), voice.over_floor.py_func(energy[1], 50, 0.1), atol=1e-3
    )
    assert voice.voicing(thin, 1300, 96, 10, 57) == pytest.approx(
        voice.voicing.py_func(thin, 1300, 96, 10, 57)
    )
    assert voice.voicing(thin, 1300, 96, 10, 57) > 0.8 > 0.5 > voice.voicing(thin, 4500, 96, 10, 57)


# ── cuts ──


def test_split_merges_near_segments_and_leaves_far_ones() -> None:
    given = Speech(np.array([0, 1200, 3000]), np.array([1000, 2000, 4000]))
    assert spans(speech.split(given, channel([]), RATE_HZ)) == [(0, 2100), (2900, 4100)]
    apart = spans(speech.split(given, channel([]), RATE_HZ, merge_ms=0))
    assert apart == [(0, 1100), (1100, 2100), (2900, 4100)]


def test_cuts_are_widened_no_further_than_their_neighbours_and_the_recording() -> None:
    given = Speech(np.array([30, 1060, 7950]), np.array([1000, 2000, 7990]))
    cuts = spans(speech.split(given, channel([]), RATE_HZ, merge_ms=0))
    assert cuts == [(0, 1030), (1030, 2100), (7850, 8000)]


def test_split_cuts_long_segments_in_their_dips() -> None:
    words = [(t, t + 700) for t in range(0, 40_000, 900)]  # 200 ms apart: one segment
    pcm = channel(words, ms=40_500)
    (whole,) = detected(pcm)
    pieces = spans(speech.split(Speech(*(np.array([edge]) for edge in whole)), pcm, RATE_HZ, max_ms=10_000))
    assert pieces[0][0] == max(whole[0] - 100, 0) and pieces[-1][1] == min(whole[1] + 100, 40_500)
    assert all(b - a <= 10_200 for a, b in pieces) and 4 < len(pieces) < 9
    for (_, cut), (following, _) in pairwise(pieces):
        assert cut == following
        assert 650 <= cut % 900 <= 900 or cut % 900 <= 50  # in a gap between words
    assert spans(speech.split(Speech(np.zeros(0, np.int64), np.zeros(0, np.int64)), pcm, RATE_HZ)) == []


def test_frame_energy() -> None:
    sine = to_pcm(np.sin(2 * np.pi * 500 * np.arange(8000) / 8000) * 32767 / 32768)
    energy = speech.frame_energy_db(sine, RATE_HZ)
    assert energy.dtype == np.float32 and energy.shape == (50,)
    np.testing.assert_allclose(energy, -3.01, atol=0.01)
    assert speech.frame_energy_db(np.zeros(8000, np.int16), RATE_HZ, frame_ms=10).tolist() == [-100.0] * 100


def test_kernels_run_from_a_read_only_folder(tmp_path: Path) -> None:
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root to give up its rights")
    code = (
        "import numpy as np; from server.pipeline import speech;"
        "print(speech.frame_energy_db(np.zeros(800, np.int16), 8000).tolist())"
    )
    for package in ("server", "operators"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    tmp_path.chmod(0o755)
    for folder in [tmp_path, *tmp_path.parents][:3]:
        folder.chmod(0o755)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code],
        cwd=tmp_path, env={"HOME": "/nonexistent", "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "-100.0" in done.stdout, done.stderr[-2000:]
