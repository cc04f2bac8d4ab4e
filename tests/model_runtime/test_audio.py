"""Resampling keeps what both rates can carry and nothing else; odd input is refused with help."""

import numpy as np
import pytest

from model_runtime import audio


def _tone(hz: float, rate_hz: int, seconds: float = 0.5) -> np.ndarray:  # type: ignore[type-arg]
    return np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz).astype(np.float32)


def _error_db(found: np.ndarray, expected: np.ndarray) -> float:  # type: ignore[type-arg]
    middle = slice(400, -400)
    return float(20 * np.log10(np.abs(found - expected)[middle].max() + 1e-9))


@pytest.mark.parametrize("hz", [60, 440, 1500, 3300])
@pytest.mark.parametrize(
    "rates", [(8000, 16_000), (16_000, 8000), (44_100, 16_000), (48_000, 16_000), (11_025, 16_000)]
)
def test_a_tone_stays_the_same_tone(hz: float, rates: tuple[int, int]) -> None:
    found = audio.resample(_tone(hz, rates[0]), *rates)
    expected = _tone(hz, rates[1])
    assert abs(len(found) - len(expected)) <= 1
    assert _error_db(found[: len(expected)], expected[: len(found)]) < -60


@pytest.mark.parametrize("hz", [4700, 6000, 7000])
def test_what_the_lower_rate_cannot_carry_is_gone(hz: float) -> None:
    assert _error_db(audio.resample(_tone(hz, 16_000), 16_000, 8000), np.zeros(4000)) < -60
    kept = audio.resample(_tone(hz, 16_000), 16_000, 48_000)
    assert np.abs(kept).max() > 0.5, "the control: it is there where it can be carried"


@pytest.mark.parametrize("samples", [0, 1, 3, 100])
def test_short_sounds_have_their_length(samples: int) -> None:
    assert len(audio.resample(np.ones(samples, np.float32), 8000, 16_000)) == 2 * samples


@pytest.mark.parametrize("samples, rate", [(0, 8000), (8000, 7999), (8000 * 31, 8000)])
def test_odd_input_is_refused_with_help(samples: int, rate: int) -> None:
    with pytest.raises(audio.BadInput, match="help: "):
        audio.check(samples, rate, 30.0)
