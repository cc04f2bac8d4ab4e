"""Kaldi's log-mel frames, stacked and shifted by fixed numbers: what SenseVoice and Paraformer read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_runtime.spec import FrontEnd
from server.errors import BadCheckpoint
from server.importers import filters

FLOOR = float(np.finfo(np.float32).eps)
LOWEST_HZ = 20.0
FRAME_S, HOP_S = 0.025, 0.010


@dataclass(frozen=True)
class Stacking:
    """How frames become the network's input."""

    stack: int
    skip: int
    shift: NDArray[np.float32]
    factor: NDArray[np.float32]
    """[stack · bins] each: (frame + shift) · factor."""


def stacked_front_end(
    folder: Path, stacking: Stacking, *, rate_hz: int, bins: int, window: str, full_scale: float
) -> FrontEnd:
    """Write the arrays of a front end and describe it.

    Raises:
        BadCheckpoint: there are not as many numbers as the stacked frames have.
    """
    width, sizes = stacking.stack * bins, (len(stacking.shift), len(stacking.factor))
    if sizes != (width, width):
        raise BadCheckpoint(
            f"the features' means and deviations have {sizes[0]} and {sizes[1]} numbers",
            help=f"expected {width} of each: {bins} bins times {stacking.stack} stacked frames",
        )
    frame, hop = round(FRAME_S * rate_hz), round(HOP_S * rate_hz)
    n_fft = 1 << (frame - 1).bit_length()
    bank = filters.kaldi_filters(bins, n_fft, rate_hz, LOWEST_HZ, 0.0)
    arrays = {"shift": stacking.shift, "factor": stacking.factor}
    filters.write_arrays(folder, filters.kaldi_window(window, frame), bank, **arrays)
    return FrontEnd(
        rate_hz, frame, hop, n_fft, "whole", full_scale, "floor", FLOOR, preemphasis=0.97, remove_mean=True,
        normalise="fixed", stack=stacking.stack, skip=stacking.skip, stack_padded=True,
    )  # fmt: skip
