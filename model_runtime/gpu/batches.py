"""Cuts a queue of segments into padded batches of few shapes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Batch(NamedTuple):
    """Segments that run together, padded to ``rows`` × ``width`` frames."""

    places: tuple[int, ...]
    rows: int
    width: int


@dataclass(frozen=True)
class Plan:
    """How batches are made; lengths are feature frames (10 ms)."""

    most_frames: int = 120_000
    """Frames of a batch, padding included (20 minutes): keeps the largest tensor of a 110M-parameter network
    near 1.3 GB and 600 kernel launches small beside the work."""
    longest: int = 3_200
    ratio: float = 1.1
    """Between two widths: the padding in a full batch stays below a tenth, about half of that on average."""
    grain: int = 8
    """Widths are multiples of it: one step of a network that subsamples by eight."""
    shortest_share: float = 0.7
    """A segment joins a batch when it is at least so long as the batch is wide."""

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """All widths, rising; the last holds ``longest``."""
        found = [self.grain]
        while found[-1] < self.longest:
            wider = int(found[-1] * self.ratio) // self.grain * self.grain
            found.append(max(wider, found[-1] + self.grain))
        return tuple(found)

    def width(self, frames: int) -> int:
        """The smallest width that holds so many frames.

        Raises:
            ValueError: longer than the plan's longest.
        """
        for width in self.widths:
            if width >= frames:
                return width
        raise ValueError(f"a segment has {frames} frames, the plan's longest is {self.longest}")

    def most_rows(self, width: int) -> int:
        """Rows of a full batch, a multiple of eight where there are so many."""
        rows = max(1, self.most_frames // width)
        return rows - rows % 8 if rows >= 8 else rows

    def bucketed(self, frames: Sequence[int]) -> list[Batch]:
        """Batches of like length, longest first: what is left over at the end is short."""
        order = sorted(range(len(frames)), key=lambda place: -frames[place])
        return list(self._cut(order, frames, self.shortest_share))

    def in_order(self, frames: Sequence[int]) -> list[Batch]:
        """Batches in the order of arrival, as wide as their longest needs: what bucketing is held against."""
        batches, open_places, longest = list[Batch](), list[int](), 0
        for place, count in enumerate(frames):
            wider = max(longest, count)
            if open_places and len(open_places) >= self.most_rows(self.width(wider)):
                batches.append(self._batch(open_places, longest))
                open_places, wider = [], count
            open_places.append(place)
            longest = wider
        return [*batches, self._batch(open_places, longest)] if open_places else batches

    def _cut(self, order: Iterable[int], frames: Sequence[int], share: float) -> Iterable[Batch]:
        open_places: list[int] = []
        for place in order:
            if open_places:
                width = self.width(frames[open_places[0]])
                if len(open_places) >= self.most_rows(width) or frames[place] < share * width:
                    yield self._batch(open_places, frames[open_places[0]])
                    open_places = []
            open_places.append(place)
        if open_places:
            yield self._batch(open_places, frames[open_places[0]])

    def _batch(self, places: Sequence[int], longest: int) -> Batch:
        """A full batch has the width's rows, another one the next count of three binary digits."""
        width, count = self.width(longest), len(places)
        step = 1 << max(0, (count - 1).bit_length() - 3)
        rows = min(-(-count // step) * step, max(self.most_rows(width), count))
        return Batch(tuple(places), rows, width)


def useful_share(batches: Iterable[Batch], frames: Sequence[int]) -> float:
    """Frames that are some segment's over frames computed."""
    made = list(batches)
    useful = sum(frames[place] for batch in made for place in batch.places)
    return useful / max(1, sum(batch.rows * batch.width for batch in made))
