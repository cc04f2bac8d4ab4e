"""Rows: hits inside frames, as the judge joins them."""

import numpy as np
from numpy.typing import NDArray

from operators.table import Int64

COLUMNS = ("frame", "p0", "p1", "start_ms", "end_ms", "source", "child")
_FRAME, _P0, _P1, _START, _END, _SOURCE, _CHILD = range(len(COLUMNS))


class Rows:
    """Hits inside frames, sorted by (frame, p0); ``source`` is the row of part ``child`` each comes from.

    All columns are one array [7, n]: what is done to every column is one step.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Int64) -> None:
        self._data = data

    @classmethod
    def of(cls, **columns: Int64) -> "Rows":
        """Rows from one array for each of COLUMNS."""
        data = np.empty((len(COLUMNS), len(columns["frame"])), np.int64)
        for number, name in enumerate(COLUMNS):
            data[number] = columns[name]
        return cls(data)

    def __len__(self) -> int:
        return self._data.shape[1]

    def _column(self, number: int) -> Int64:
        column: Int64 = self._data[number]
        return column

    @property
    def frame(self) -> Int64:
        """[n] the frame each hit lies in."""
        return self._column(_FRAME)

    @property
    def p0(self) -> Int64:
        """[n] position of the first character."""
        return self._column(_P0)

    @property
    def p1(self) -> Int64:
        """[n] position behind the last character."""
        return self._column(_P1)

    @property
    def start_ms(self) -> Int64:
        """[n]"""
        return self._column(_START)

    @property
    def end_ms(self) -> Int64:
        """[n]"""
        return self._column(_END)

    @property
    def source(self) -> Int64:
        """[n] the row of the part each comes from."""
        return self._column(_SOURCE)

    @property
    def child(self) -> Int64:
        """[n] the part each comes from."""
        return self._column(_CHILD)

    def take(self, rows: NDArray[np.bool_] | Int64 | slice) -> "Rows":
        """The chosen rows, in the order chosen."""
        return Rows(self._data[:, rows])

    def changed(self, **columns: Int64 | int) -> "Rows":
        """These rows with some columns of other values."""
        data = self._data.copy()
        for name, values in columns.items():
            data[COLUMNS.index(name)] = values
        return Rows(data)

    def ordered(self) -> "Rows":
        """Sorted by (frame, p0, p1, times); ties keep their order."""
        if len(self) < 2:
            return self
        return self.take(np.lexsort((self.end_ms, self.start_ms, self.p1, self.p0, self.frame)))

    def distinct(self) -> "Rows":
        """Of ordered rows with the same frame, positions and times, the first."""
        if len(self) < 2:
            return self
        keys = self._data[:_SOURCE]
        new = np.ones(len(self), np.bool_)
        np.any(keys[:, 1:] != keys[:, :-1], axis=0, out=new[1:])
        return self.take(new)


NO_ROWS = Rows(np.zeros((len(COLUMNS), 0), np.int64))
"""Most conditions of most calls find nothing: this is their answer, without arithmetic."""


def union(parts: list[Rows]) -> Rows:
    """The rows of all ``parts``, each pointing back at its part; what several found is one row."""
    loud = [(child, part) for child, part in enumerate(parts) if len(part)]
    if not loud:
        return NO_ROWS
    return (
        Rows(
            np.concatenate(
                [part.changed(source=np.arange(len(part)), child=child)._data for child, part in loud], axis=1
            )
        )
        .ordered()
        .distinct()
    )
