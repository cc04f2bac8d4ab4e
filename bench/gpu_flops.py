"""Floating-point operations of a network's work on one segment alone, padding left out."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from model_runtime.gpu.conformer import Shape

Flops = Callable[[int], float]
"""Operations of a segment of so many feature frames."""


def subsampling(shape: Shape, frames: int) -> int:
    """Strided convolutions (the later ones depthwise, then 1 × 1) and the projection behind them."""
    total, steps, bins, channels = 0, frames, shape.bins, shape.channels
    for number in range(shape.halvings):
        steps, bins = (steps + 1) // 2, (bins + 1) // 2
        if number == 0:
            taps = 9
        elif shape.depthwise:
            taps = 9 + channels
        else:
            taps = 9 * channels
        total += 2 * taps * channels * steps * bins
    return total + 2 * steps * channels * bins * shape.width


def conformer(shape: Shape, frames: int) -> int:
    """All of a segment's own: a product of [m, k] and [k, n] counts 2 · m · k · n."""
    steps, width = shape.steps(frames), shape.width
    feed_forward = 2 * (2 * 2 * steps * width * shape.inner)
    projections = 4 * (2 * steps * width * width)
    scores = 2 * (2 * steps * steps * width)
    positions = 2 * steps * (2 * steps - 1) * width if shape.positions == "relative" else 0
    convolution = 3 * (2 * steps * width * width) + 2 * shape.kernel * steps * width
    layer = feed_forward + projections + scores + positions + convolution
    return subsampling(shape, frames) + shape.layers * layer + 2 * steps * width * shape.tokens


def of_positions(shape: Shape, frames: int) -> int:
    """What a whole batch shares: the projection of its relative positions."""
    distances = 2 * shape.steps(frames) - 1
    return shape.layers * 2 * distances * shape.width**2 if shape.positions == "relative" else 0


def counted(run: Callable[[int], object], frames: int) -> int:
    """Operations that torch counts while ``run`` hears so many frames, attention by its plain formula."""
    with (
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as mode,
    ):
        run(frames)
    return int(mode.get_total_flops())


def fitted(run: Callable[[int], object], frames: tuple[int, int, int] = (160, 480, 960)) -> Flops:
    """For a network without a formula here: counted at three lengths, a parabola through them.

    Exact for lengths that are multiples of its stride, since a segment's work is quadratic in its length.
    """
    points = [(count, counted(run, count)) for count in frames]

    def value(wanted: int) -> float:
        total = 0.0
        for place, work in points:
            share = 1.0
            for other, _ in points:
                share *= 1.0 if other == place else (wanted - other) / (place - other)
            total += work * share
        return total

    return value
