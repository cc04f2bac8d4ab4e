"""What a backtest is asked, in a form that every process can take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.adapters.store import Footer

Chunk = tuple[tuple[Footer, tuple[int, ...]], ...]
"""Row groups judged as one table: of each file, which."""
Marks = tuple[tuple[int, bool, float], ...]
"""What people said of one call: line, whether it is violated, weight."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A rule or an item whose verdicts are counted."""

    kind: str
    """``rule`` or ``item``."""
    name: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything but the calls. Lines are those of both packs, rules first."""

    pack: str
    against: str
    """The other pack; empty where the verdicts kept with the calls stand for it."""
    lines: tuple[Line, ...]
    examples: int = 3
    sample: int = 0
    seed: int = 1
    reviews: Mapping[str, Marks] = field(default_factory=dict)

    def row(self, kind: str, name: str) -> int:
        """The line of a rule or item.

        Raises:
            ValueError: neither pack has it.
        """
        return self.lines.index(Line(kind=kind, name=name))


def lines_of(*packs: Mapping[str, str]) -> tuple[Line, ...]:
    """The lines of packs given as rule → item: all rules, then all items, in order of name."""
    rules = sorted({rule for pack in packs for rule in pack})
    items = sorted({item for pack in packs for item in pack.values()})
    return (*(Line(kind="rule", name=n) for n in rules), *(Line(kind="item", name=n) for n in items))


def chunks(footers: Sequence[Footer], calls: int, limit: int | None) -> list[Chunk]:
    """Row groups in order, joined until a chunk has ``calls`` of them; about ``limit`` in all."""
    found: list[Chunk] = []
    waiting: dict[int, tuple[Footer, list[int]]] = {}
    size = total = 0
    for number, footer in enumerate(footers):
        for group, rows in enumerate(footer.groups):
            if limit is not None and total >= limit:
                break
            waiting.setdefault(number, (footer, []))[1].append(group)
            size, total = size + rows, total + rows
            if size >= calls:
                found.append(tuple((f, tuple(groups)) for f, groups in waiting.values()))
                waiting, size = {}, 0
    if waiting:
        found.append(tuple((f, tuple(groups)) for f, groups in waiting.values()))
    return found
