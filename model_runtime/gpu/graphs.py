"""CUDA graphs of one function, one for each shape, captured when a shape comes a second time."""

from collections.abc import Callable

import torch
from torch import Tensor

MOST = 256
"""Graphs kept; shapes beyond them run kernel by kernel."""

Step = Callable[[Tensor, Tensor, Tensor, int], Tensor]


class Graphs:
    """Runs ``step`` (samples, starts, counts, width), all of whose sizes follow from rows and width.

    The result is valid until the next call.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._pool = torch.cuda.graph_pool_handle()
        self._seen: set[tuple[int, int]] = set()
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor]] = {}
        self._flat: Tensor | None = None

    def __call__(self, flat: Tensor, starts: Tensor, counts: Tensor, width: int) -> Tensor:
        """As ``step`` gives it; on the current stream."""
        shape = len(starts), width
        if shape not in self._graphs and (shape not in self._seen or len(self._graphs) >= MOST):
            # the first time also chooses kernels and makes their work space, which must not be captured
            self._seen.add(shape)
            return self._step(flat, starts, counts, width)
        if shape not in self._graphs:
            self._capture(flat, starts, counts, width)
        graph, inputs, packed = self._graphs[shape]
        for held, new in zip(inputs, (flat, starts, counts), strict=True):
            held.copy_(new)
        graph.replay()
        return packed

    def _capture(self, flat: Tensor, starts: Tensor, counts: Tensor, width: int) -> None:
        if self._flat is None or len(self._flat) < len(flat):
            self._flat = torch.zeros_like(flat)
            self._graphs.clear()
        held, held_starts, held_counts = self._flat[: len(flat)], starts.clone(), counts.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            packed = self._step(held, held_starts, held_counts, width)
        self._graphs[len(starts), width] = graph, [held, held_starts, held_counts], packed
