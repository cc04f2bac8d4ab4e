"""Context words: names and products that a request makes likelier.

The words of a request become one automaton over characters (Aho and Corasick, 1975), walked by every
hypothesis of the beam. A character that continues a word earns that word's boost at once; what an
unfinished word has earned is taken back where the hypothesis leaves it. The longest word from the left
counts. Cost does not grow with the number of words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from char_trigram import compiled, find
from numpy.typing import NDArray

MOST_WORDS = 20_000
LONGEST_WORD = 32
WEIGHT_RANGE = (0.0, 5.0)


class Context(NamedTuple):
    """The automaton: node 0 is outside every word; children are sorted by character."""

    root: NDArray[np.int32]
    """[V + 1]: node after a word's first character, 0 where no word starts with it."""
    start: NDArray[np.int32]
    chars: NDArray[np.int32]
    nodes: NDArray[np.int32]
    fail: NDArray[np.int32]
    """[N]: node of the longest proper suffix."""
    pending: NDArray[np.float32]
    """[N]: boost earned by the unfinished word, taken back when it is left."""
    earned: NDArray[np.float32]
    """[N]: boost that is final when this node is reached; in units of `Weights.context`."""
    favour: NDArray[np.float32]
    """[V + 1]: highest weight of a word with this character."""


class BadContext(ValueError):
    """Context words cannot be used; the message says what to do."""


def none(classes: int) -> Context:
    """No words, for `classes` characters and the blank."""
    return build((), (), {}, classes)


def check_words(words: Sequence[str], weights: Sequence[float]) -> None:
    """Raise BadContext for too many words, a word too long or a weight out of range."""
    low, high = WEIGHT_RANGE
    if len(words) > MOST_WORDS:
        raise BadContext(
            f"CONTEXT_WORDS has {len(words)} words, the most is {MOST_WORDS}. "
            "help: send the words of this call"
        )
    if len(weights) != len(words):
        raise BadContext(
            f"CONTEXT_WEIGHTS has {len(weights)} values for {len(words)} words. "
            "help: send one a word, or none"
        )
    for word, weight in zip(words, weights, strict=True):
        if len(word) > LONGEST_WORD:
            raise BadContext(
                f"the context word {word[:8]!r}… has {len(word)} characters, the most is {LONGEST_WORD}. "
                "help: send names and products, not sentences"
            )
        if not low <= weight <= high:
            raise BadContext(
                f"the context word {word!r} has weight {weight}. "
                f"help: send weights of {low:g} to {high:g}; 1 is usual"
            )


class _Trie:
    """Nodes as they grow."""

    def __init__(self) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.step = [0.0]
        self.own = [0.0]
        """Boost of the word that ends here; 0: none does."""

    def add(self, word: Sequence[int], weight: float) -> None:
        node = 0
        for char in word:
            below = self.children[node].get(char)
            if below is None:
                below = self.children[node][char] = len(self.children)
                self.children.append({})
                self.step.append(0.0)
                self.own.append(0.0)
            self.step[below] = max(self.step[below], weight)
            node = below
        self.own[node] = max(self.own[node], weight * len(word))


def _links(trie: _Trie) -> tuple[list[int], list[float], list[float]]:
    """Fail links, pending and earned boosts of every node, breadth first."""
    size = len(trie.children)
    fail, pending, earned, final = [0] * size, [0.0] * size, [0.0] * size, [0.0] * size
    queue = deque([0])
    while queue:
        node = queue.popleft()
        for char, below in trie.children[node].items():
            if node:
                at = fail[node]
                while at and char not in trie.children[at]:
                    at = fail[at]
                fail[below] = trie.children[at].get(char, 0)
            pending[below] = pending[node] + trie.step[below]
            final[below] = final[node]
            if trie.own[below]:
                earned[below] = max(0.0, trie.own[below] - final[node])
                final[below], pending[below] = final[node] + earned[below], 0.0
            queue.append(below)
    return fail, pending, earned


def build(words: Sequence[str], weights: Sequence[float], ids: Mapping[str, int], classes: int) -> Context:
    """The automaton of `words`; shorter than two characters or with one outside the alphabet: left out."""
    trie, favour = _Trie(), np.zeros(classes + 1, np.float32)
    for word, weight in zip(words, weights, strict=True):
        coded = [ids.get(char, 0) for char in word]
        if len(coded) > 1 and all(coded) and weight > 0:
            trie.add(coded, float(weight))
            favour[coded] = np.maximum(favour[coded], weight)
    fail, pending, earned = _links(trie)
    pairs = [sorted(children.items()) for children in trie.children]
    root = np.zeros(classes + 1, np.int32)
    for char, node in pairs[0]:
        root[char] = node
    flat = [pair for node in pairs for pair in node] or [(0, 0)]
    return Context(
        root,
        np.concatenate([[0], np.cumsum([len(node) for node in pairs])]).astype(np.int32),
        np.array([char for char, _ in flat], np.int32),
        np.array([node for _, node in flat], np.int32),
        np.array(fail, np.int32),
        np.array(pending, np.float32),
        np.array(earned, np.float32),
        favour,
    )


@compiled
def walk(context: Any, node: int, char: int) -> tuple[float, int]:
    """Boost of `char` after `node` (negative where an unfinished word is left), and the next node."""
    at = node
    while at != 0:
        place = find(context.start, context.chars, at, char)
        if place >= 0:
            after = context.nodes[place]
            return float(context.earned[after] + context.pending[after] - context.pending[node]), int(after)
        at = context.fail[at]
    after = context.root[char]
    return float(context.earned[after] + context.pending[after] - context.pending[node]), int(after)
