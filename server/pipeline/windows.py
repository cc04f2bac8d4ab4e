"""A segment that is still being spoken, cut into windows whose answers add up to the segment's own.

Pure: no clock, no thread, no model. A recogniser that hears windows (parameter ``streaming: window``) says
how wide they must be; whatever the sizes of the pieces fed, the units after the last window are those of the
whole segment asked at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from server.errors import BadModel
from server.pipeline.models import Pcm, Units

Ask = Callable[["Window", bytes], tuple[Units, bytes]]
"""Asks the recogniser for a window, given the state that came with the last one (empty at first)."""


@dataclass(frozen=True)
class Grid:
    """Widths in frames of ``frame_samples``: new frames of a window, and what it needs around them."""

    frame_samples: int
    chunk: int
    left: int
    right: int

    @property
    def longest_samples(self) -> int:
        """Samples of a window in the middle of a segment."""
        return (self.left + self.chunk + self.right) * self.frame_samples


@dataclass(frozen=True)
class Window:
    """A stretch of a segment; frames [first, end) of it are new, to the segment's end where ``end`` is -1."""

    pcm: Pcm
    first: int
    end: int
    heard_samples: int
    """Samples of the segment up to the window's end."""


class Cutter:
    """Cuts one segment: feed it pieces of any size, finish it when nothing follows."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._kept: Pcm = np.zeros(0, np.int16)
        self._start = self._next = 0
        """Frames of the segment before the kept samples, and before the next new ones."""

    def feed(self, pcm: Pcm) -> list[Window]:
        """The windows that ``pcm`` [n] completes: none, one or many."""
        grid = self._grid
        windows: list[Window] = []
        self._kept = np.concatenate([self._kept, pcm])
        while True:
            end = self._next + grid.chunk
            samples = (end + grid.right - self._start) * grid.frame_samples
            if len(self._kept) < samples:
                return windows
            windows.append(self._window(samples, end - self._start))
            self._next = end
            start = max(0, end - grid.left)
            self._kept = self._kept[(start - self._start) * grid.frame_samples :]
            self._start = start

    def finish(self) -> Window:
        """The last window."""
        return self._window(len(self._kept), -1)

    def _window(self, samples: int, end: int) -> Window:
        heard = self._start * self._grid.frame_samples + samples
        return Window(self._kept[:samples].copy(), self._next - self._start, end, heard)


class Stream:
    """The units of one segment while it is being spoken."""

    def __init__(self, grid: Grid, ask: Ask) -> None:
        self._cutter, self._ask = Cutter(grid), ask
        self._state = b""
        none = np.zeros(0, np.int64)
        self._units = Units((), none, none, np.zeros(0, np.float32))

    def feed(self, pcm: Pcm) -> Units:
        """All units so far, after the next piece; the last ones may still change."""
        for window in self._cutter.feed(pcm):
            self._units, self._state = self._ask(window, self._state)
        return self._units

    def close(self) -> Units:
        """The segment's units."""
        self._units, self._state = self._ask(self._cutter.finish(), self._state)
        return self._units


def grid_of(parameters: Mapping[str, str]) -> Grid:
    """The widths a recogniser's parameters ask for.

    Raises:
        BadModel: it does not hear windows.
    """
    names = ("frame_samples", "chunk_frames", "left_frames", "right_frames")
    values = [parameters.get(name, "") for name in names]
    if parameters.get("streaming") != "window" or not all(value.isdecimal() for value in values):
        raise BadModel(
            f"this recogniser does not hear windows: its parameters {', '.join(names)} are {values}",
            help="ask it for whole segments, or serve one with streaming: window (docs/triton.md)",
        )
    return Grid(*(int(value) for value in values))
