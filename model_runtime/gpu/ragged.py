"""Segments of different length in one buffer, and padded on the device."""

import torch
from torch import Tensor


def valid(counts: Tensor, width: int) -> Tensor:
    """[B, width]: whether a place lies before its row's count."""
    return torch.arange(width, device=counts.device)[None] < counts[:, None]


def padded(flat: Tensor, starts: Tensor, counts: Tensor, width: int) -> Tensor:
    """Samples [B, width] in -1..1 out of int16 ``flat`` [N], zero behind each row's count."""
    places = torch.arange(width, device=flat.device)[None]
    inside = places < counts[:, None]
    picked = flat[torch.where(inside, starts[:, None] + places, 0)]
    return torch.where(inside, picked.float() * (1.0 / 32768.0), 0.0)
