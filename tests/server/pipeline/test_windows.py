"""A segment in windows: any pieces give the windows that the grid asks for, and the units of the whole."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.adapters.triton import TritonModels
from server.errors import BadModel
from server.pipeline.models import Pcm, Units
from server.pipeline.session import Road
from server.pipeline.windows import Cutter, Grid, Stream, Window, grid_of

GRID = Grid(frame_samples=4, chunk=3, left=6, right=2)
CANARY = Path(__file__).parents[3] / "model_repository" / "asr" / "1" / "canary_pcm.npy"


def cut(pcm: Pcm, pieces: list[int], grid: Grid = GRID) -> list[Window]:
    cutter, windows, position = Cutter(grid), [], 0
    for size in pieces:
        windows += cutter.feed(pcm[position : position + size])
        position += size
    return [*windows, *cutter.feed(pcm[position:]), cutter.finish()]


@given(st.integers(1, 300), st.lists(st.integers(0, 90), max_size=12))
def test_windows_cover_the_segment_once_whatever_the_pieces(samples: int, pieces: list[int]) -> None:
    pcm = np.arange(1, samples + 1, dtype=np.int16)
    windows, frame = cut(pcm, pieces), 0
    for window in windows:
        start = frame - window.first
        assert start % GRID.chunk == 0 and window.first == min(frame, GRID.left)
        np.testing.assert_array_equal(window.pcm, pcm[start * GRID.frame_samples : window.heard_samples])
        assert len(window.pcm) < GRID.longest_samples + GRID.chunk * GRID.frame_samples
        frame = start + window.end
    assert [window.end for window in windows].count(-1) == 1 and windows[-1].heard_samples == samples


@given(st.lists(st.integers(0, 90), max_size=12))
def test_sizes_of_the_pieces_change_no_window(pieces: list[int]) -> None:
    pcm = np.arange(200, dtype=np.int16)
    for one, other in zip(cut(pcm, pieces), cut(pcm, []), strict=True):
        np.testing.assert_array_equal(one.pcm, other.pcm)
        assert (one.first, one.end, one.heard_samples) == (other.first, other.end, other.heard_samples)


def test_the_state_of_an_answer_goes_with_the_next_window() -> None:
    asked: list[bytes] = []

    def ask(window: Window, state: bytes) -> tuple[Units, bytes]:
        asked.append(state)
        none = np.zeros(0, np.int64)
        return Units((), none, none, np.zeros(0, np.float32)), bytes([len(asked)])

    stream = Stream(GRID, ask)
    stream.feed(np.zeros(60, np.int16))
    stream.close()
    assert asked == [b"", b"\x01", b"\x02", b"\x03", b"\x04"]


def test_a_recogniser_of_whole_segments_is_not_asked_for_windows() -> None:
    with pytest.raises(BadModel, match="does not hear windows"):
        grid_of({"streaming": "segment", "sample_rate_hz": "8000"})


def call_of(seed: int) -> Pcm:
    """Some seconds of the canary's sentence with pauses and noise, its end cut off somewhere."""
    rng, sentence = np.random.default_rng(seed), np.load(CANARY)
    parts: list[Pcm] = []
    for _ in range(int(rng.integers(1, 6))):
        parts += [np.zeros(int(rng.integers(0, 9000)), np.int16), sentence[int(rng.integers(0, 3000)) :]]
    whole: Pcm = np.concatenate(parts)
    noisy = (whole + rng.normal(0, 60, len(whole)))[: len(whole) - int(rng.integers(0, 5000))]
    rounded: Pcm = np.rint(noisy).astype(np.int16)
    return rounded


def heard(models: TritonModels, pcm: Pcm, pieces: list[int]) -> Units:
    grid = grid_of(models.asr.parameters or {})
    stream = Stream(grid, lambda window, state: models.hear(window, state, deadline_s=30))
    position = 0
    for size in pieces:
        stream.feed(pcm[position : position + size])
        position += size
    stream.feed(pcm[position:])
    return stream.close()


@settings(max_examples=12, deadline=None, database=None, derandomize=True)
@given(st.integers(0, 1000), st.lists(st.integers(1, 20_000), max_size=30))
def test_any_pieces_give_the_units_of_the_whole_segment(road: Road, seed: int, pieces: list[int]) -> None:
    models = road.models
    assert isinstance(models, TritonModels)
    pcm = call_of(seed)
    whole = models.transcribe([pcm], deadline_s=30)[0]
    streamed = heard(models, pcm, pieces)
    assert len(whole.characters) > 3
    assert streamed.characters == whole.characters
    np.testing.assert_array_equal(streamed.start_ms, whole.start_ms)
    np.testing.assert_array_equal(streamed.end_ms, whole.end_ms)
    np.testing.assert_allclose(streamed.confidence, whole.confidence, atol=1e-3)


def test_windows_without_their_state_are_not_the_whole(road: Road) -> None:
    """The control: what the property test compares does differ when a window is heard for itself."""
    models = road.models
    assert isinstance(models, TritonModels)
    pcm = call_of(3)
    grid = grid_of(models.asr.parameters or {})
    alone = Stream(
        grid, lambda window, _: models.hear(Window(window.pcm, 0, -1, len(window.pcm)), b"", deadline_s=30)
    )
    alone.feed(pcm)
    whole = models.transcribe([pcm], deadline_s=30)[0]
    assert alone.close().characters != whole.characters
