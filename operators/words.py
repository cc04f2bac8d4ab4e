"""Many words found in one pass over the text column.

The words form a trie kept in one open-addressing hash table; a bitmap of their first two characters is asked
at every position, so that the trie is walked only where a word may begin. Time is linear in the text times
the longest word, whatever the text. Overlapping words are all found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.columns import kernel
from operators.table import Bool, CallTable, Int32, Int64
from operators.text import FOLDED, exact_fold, symbols

_BITS = 19
_A, _B = 1540483477, 2246822507
"""Two odd 32-bit multipliers; products of 21-bit symbols stay below 2**53, so nothing overflows."""


@dataclass(frozen=True)
class Trie:
    """Compiled words: ``keys``/``children`` are the edges, ``owners`` those who asked for a node's word."""

    starts: NDArray[np.uint8]
    singles: NDArray[np.uint8]
    keys: Int64
    children: Int32
    owner_offsets: Int64
    owners: Int32


@kernel
def _mix(left: np.uint64, right: np.uint64) -> np.uint64:
    """Both unsigned: indices made of it need no test for negative ones."""
    mixed = left * np.uint64(_A) + right * np.uint64(_B)
    return mixed ^ (mixed >> np.uint64(21))


@kernel
def _fill_edges(edges: Int64, keys: Int64, children: Int32) -> None:
    for row in range(len(edges)):
        slot = _mix(np.uint64(edges[row, 0]), np.uint64(edges[row, 1])) & np.uint64(len(keys) - 1)
        while keys[slot] >= 0:
            slot = (slot + np.uint64(1)) & np.uint64(len(keys) - 1)
        keys[slot] = (edges[row, 0] << 21) | edges[row, 1]
        children[slot] = edges[row, 2]


@kernel
def _fill_starts(pairs: Int64, starts: NDArray[np.uint8]) -> None:
    for row in range(len(pairs)):
        bit = _mix(np.uint64(pairs[row, 0]), np.uint64(pairs[row, 1])) & np.uint64(8 * len(starts) - 1)
        starts[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))


def folded(word: str, fold: Int32) -> tuple[int, ...]:
    """The symbols of ``word`` under ``fold``."""
    return tuple(int(fold[ord(c)]) if ord(c) < len(fold) else ord(c) for c in word)


def build(words: Iterable[tuple[str, int]], fold: Int32) -> Trie:
    """The trie of (word, owner) pairs under ``fold``; empty words are left out."""
    return trie((folded(word, fold), owner) for word, owner in words)


def trie(spellings: Iterable[tuple[Sequence[int], int]]) -> Trie:
    """The trie of (symbols, owner) pairs; those without symbols are left out."""
    edges: dict[tuple[int, int], int] = {}
    owners: dict[int, set[int]] = {}
    pairs, singles = set(), np.zeros(FOLDED, np.uint8)
    for spelling, owner in spellings:
        node = 0
        for symbol in spelling:
            node = edges.setdefault((node, symbol), len(edges) + 1)
        if len(spelling) > 1:
            pairs.add((spelling[0], spelling[1]))
        elif spelling:
            singles[spelling[0] % FOLDED] = 1
        if spelling:
            owners.setdefault(node, set()).add(owner)
    size = 1 << max(4, (2 * len(edges)).bit_length())
    keys, children = np.full(size, -1, np.int64), np.zeros(size, np.int32)
    table = np.array([(node, symbol, child) for (node, symbol), child in edges.items()], np.int64)
    _fill_edges(table.reshape(-1, 3), keys, children)
    starts = np.zeros(1 << (_BITS - 3), np.uint8)
    _fill_starts(np.array(sorted(pairs), np.int64).reshape(-1, 2), starts)
    lists = [sorted(owners.get(node, ())) for node in range(len(edges) + 1)]
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    flat = np.array([owner for owned in lists for owner in owned], np.int32)
    return Trie(starts, singles, keys, children, offsets, flat)


@kernel
def _beginnings(points: Int32, starts: NDArray[np.uint8], singles: NDArray[np.uint8], out: Int32) -> int:
    """Write where a word may begin. No branch depends on the text, so the processor never guesses wrong."""
    found = 0
    mask = np.uint64(8 * len(starts) - 1)
    for at in range(len(points) - 1):
        first, second = np.uint64(points[at]), np.uint64(points[at + 1])
        bit = _mix(first, second) & mask
        pair = starts[bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))
        out[found] = at
        found += int((pair | singles[first & np.uint64(0xFFFF)]) & 1)
    if len(points):
        out[found] = len(points) - 1
        found += int(singles[points[-1] & 0xFFFF])
    return found


@kernel
def _walk(
    points: Int32, offsets: Int64, wanted: Bool, beginnings: Int32, keys: Int64, children: Int32,
    owner_offsets: Int64, owners: Int32, out: Int32,
) -> int:  # fmt: skip
    """Write (owner, turn, first character, end) of each hit that ``out`` can hold; return how many exist."""
    found, turn, key_mask = 0, 0, np.uint64(len(keys) - 1)
    for first in beginnings:
        while offsets[turn + 1] <= first:
            turn += 1
        node, at = 0, first
        while wanted[turn] and at < offsets[turn + 1]:
            key = (np.int64(node) << 21) | points[at]
            slot = _mix(np.uint64(node), np.uint64(points[at])) & key_mask
            while keys[slot] >= 0 and keys[slot] != key:
                slot = (slot + np.uint64(1)) & key_mask
            if keys[slot] < 0:
                break
            node, at = children[slot], at + 1
            for owned in range(owner_offsets[node], owner_offsets[node + 1]):
                if found < len(out):
                    out[found, 0] = owners[owned]
                    out[found, 1] = turn
                    out[found, 2] = first - offsets[turn]
                    out[found, 3] = at - offsets[turn]
                found += 1
    return found


def find(trie: Trie, points: Int32, offsets: Int64, wanted: Bool) -> Int32:
    """[n, 4] owner, turn, first character, end of every occurrence in the ``wanted`` turns, in text order."""
    places = np.empty(len(points) + 1, np.int32)
    places = places[: _beginnings(points, trie.starts, trie.singles, places)]
    edges = (trie.keys, trie.children, trie.owner_offsets, trie.owners)
    out = np.empty((len(places) + 64, 4), np.int32)
    found = _walk(points, offsets, wanted, places, *edges, out)
    if found > len(out):
        out = np.empty((found, 4), np.int32)
        _walk(points, offsets, wanted, places, *edges, out)
    return out[:found]


def occurrences(trie: Trie, table: CallTable) -> Int32:
    """[n, 4] owner, turn, first character, end of every word of an ``exact_fold`` trie in all turns."""
    points, offsets = symbols(table.text, table.text_offsets, exact_fold())
    return find(trie, points, offsets, np.ones(table.n_turns, np.bool_))
