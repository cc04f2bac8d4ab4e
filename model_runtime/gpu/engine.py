"""Drives a network: while one batch is computed, the next one is filled and copied."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from model_runtime.audio import Pcm
from model_runtime.gpu import ctc
from model_runtime.gpu.batches import Batch, Plan
from model_runtime.gpu.ctc import Heard
from model_runtime.gpu.device import Mode
from model_runtime.gpu.graphs import Graphs, Step
from model_runtime.gpu.network import Network
from model_runtime.gpu.ragged import padded


class _Slot:
    """The buffers of a batch on its way: on the host (page-locked on a GPU machine) and on the device."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._locked = device, device.type == "cuda"
        self.host, self.on_device = self._pair(1)
        self.result, self.filled = self._host(1, torch.int32), 0
        self.done = torch.cuda.Event(blocking=True) if self._locked else None

    def make_room(self, samples: int, result: int) -> None:
        """Grow to the batch, to twice the size at least: a full batch's is soon reached and kept."""
        if len(self.host) < samples:
            self.host, self.on_device = self._pair(max(samples, 2 * len(self.host)))
        if len(self.result) < result:
            self.result = self._host(max(result, 2 * len(self.result)), torch.int32)

    def _pair(self, samples: int) -> tuple[Tensor, Tensor]:
        host = self._host(samples, torch.int16)
        # empty: a kernel that filled it would run on another stream than the copies, and after them perhaps
        return host, torch.empty(samples, dtype=torch.int16, device=self._device) if self._locked else host

    def _host(self, size: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(size, dtype=dtype, pin_memory=self._locked)


class Engine:
    """Hears segments of one sample rate; from one thread at a time."""

    def __init__(
        self, network: Network, silent: Sequence[int], tokens: int, device: torch.device,
        plan: Plan | None = None, mode: Mode = "graphs",
    ) -> None:  # fmt: skip
        """``silent``: tokens of the network's ``tokens`` that say nothing, the blank among them."""
        self.network, self.plan, self.device = network, plan or Plan(), device
        self._silent = torch.zeros(tokens, dtype=torch.bool)
        self._silent[list(silent)] = True
        self._silent = self._silent.to(device)
        self._slots = _Slot(device), _Slot(device)
        on_gpu = device.type == "cuda"
        # torch.cuda.stream(None) does nothing: the CPU takes the same road
        self._copying, self._computing = (torch.cuda.Stream(device) if on_gpu else None for _ in range(2))
        step: Step = self.step
        if mode == "compiled":
            step = torch.compile(step, dynamic=True)
        self._step: Step = Graphs(step) if on_gpu and mode != "eager" else step

    def step(self, flat: Tensor, starts: Tensor, counts: Tensor, width: int) -> Tensor:
        """All that the device does for a batch: int16 samples in a row to packed tokens."""
        pcm = padded(flat, starts, counts, self.network.room(width))
        scores, steps = self.network.scores(*self.network.features(pcm, counts, width))
        return ctc.collapse(scores, steps, self._silent)

    def frames(self, segments: Sequence[Pcm]) -> list[int]:
        """Feature frames of segments."""
        return [self.network.frames(len(segment)) for segment in segments]

    def hear(self, segments: Sequence[Pcm]) -> list[Heard]:
        """Tokens of each segment, whatever their order."""
        return self.run(segments, self.plan.bucketed(self.frames(segments)))

    def run(self, segments: Sequence[Pcm], batches: Sequence[Batch]) -> list[Heard]:
        """Tokens of each segment, in batches made elsewhere."""
        answers = dict(self.stream(segments, batches))
        return [answers[place] for place in range(len(segments))]

    @torch.inference_mode()
    def stream(self, segments: Sequence[Pcm], batches: Sequence[Batch]) -> Iterator[tuple[int, Heard]]:
        """Places and tokens as batches are done; whoever takes them works while the next one is computed."""
        underway: tuple[_Slot, Batch] | None = None
        for number, batch in enumerate(batches):
            # the slot's former batch was collected in the round before: its buffers are free
            slot = self._slots[number % 2]
            self._launch(slot, batch, [segments[place] for place in batch.places])
            if underway is not None:
                yield from self._collect(*underway)
            underway = slot, batch
        if underway is not None:
            yield from self._collect(*underway)

    def _launch(self, slot: _Slot, batch: Batch, segments: Sequence[Pcm]) -> None:
        """Copy a batch over and start it; returns before any of it is done."""
        counts = np.zeros(batch.rows, np.int64)
        counts[: len(segments)] = [len(segment) for segment in segments]
        ends = counts.cumsum()
        room = batch.rows * self.network.room(batch.width)
        slot.make_room(room, 0)
        np.concatenate(segments, out=slot.host.numpy()[: ends[-1]])
        table = torch.from_numpy(np.stack([ends - counts, counts]))
        with torch.cuda.stream(self._copying):
            if self._copying is not None:
                slot.on_device[: ends[-1]].copy_(slot.host[: ends[-1]], non_blocking=True)
                table = table.pin_memory().to(self.device, non_blocking=True)
        with torch.cuda.stream(self._computing):
            if self._computing is not None:
                self._computing.wait_stream(self._copying)
                table.record_stream(self._computing)
            packed = self._step(slot.on_device[:room], table[0], table[1], batch.width)
            slot.make_room(0, len(packed))
            slot.filled = len(packed)
            slot.result[: slot.filled].copy_(packed, non_blocking=True)
            if slot.done is not None:
                slot.done.record(self._computing)

    def _collect(self, slot: _Slot, batch: Batch) -> list[tuple[int, Heard]]:
        """Wait for a batch."""
        if slot.done is not None:
            slot.done.synchronize()
        found = ctc.unpack(slot.result[: slot.filled].numpy(), batch.rows, len(batch.places))
        return list(zip(batch.places, found, strict=True))
