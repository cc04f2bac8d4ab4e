"""On which local day a call took place: what a rule's effective period is compared with."""

from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from operators.table import CallTable

FIELD = "call_start_local"
Days = NDArray[np.datetime64]


def day_of(value: object) -> date | None:
    """The day of a date, a date and time, or ISO text of either, in its own offset; None otherwise."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None


def days(table: CallTable) -> Days:
    """[C] the local day of each call, NaT where it is not known."""
    column = table.meta.get(FIELD, (None,) * table.n_calls)
    return np.array([day_of(value) for value in column], "datetime64[D]")


def in_force(day: Days, first: date | None, last: date | None) -> NDArray[np.bool_]:
    """Whether each day lies from ``first`` to ``last``, both included; a day that is not known does."""
    known = ~np.isnat(day)
    early = known & (day < np.datetime64(first)) if first else np.zeros(len(day), np.bool_)
    late = known & (day > np.datetime64(last)) if last else np.zeros(len(day), np.bool_)
    inside: NDArray[np.bool_] = ~(early | late)
    return inside
