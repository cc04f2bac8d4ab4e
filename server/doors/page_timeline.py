"""The time line's geometry: everything in per cent of the call across, in pixels down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from server.doors.page_words import clock, length, name

RULER_PX = 18
FLAG_PX = 17
BAND_PX = 8
GAP_PX = 10
EVENT_PX = 18
WAVE_PX = 60
PLAIN_PX = 28
LABEL_PERCENT = 7.5
"""Room that one label takes on the narrowest page meant for a screen (1000 px)."""
FLAG_PERCENT = 2.2
TICKS_MS = (5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000)
LOUDNESS_POWER = 0.7
"""Quiet speech stays visible beside loud speech: the outline shows this power of the sample."""


@dataclass(frozen=True)
class Block:
    """One thing on the line: where it is, what it says, where it leads."""

    x: float
    width: float
    title: str
    kind: str = ""
    label: str = ""
    href: str = ""
    y: int = 0


@dataclass(frozen=True)
class Lane:
    """One row of the line: a channel's sound, a role's turns, or both."""

    title: str
    y: int
    height: int
    role: str = ""
    wave: str = ""
    """SVG path in a box of bins x 200."""
    bins: int = 0
    turns: tuple[Block, ...] = ()
    emotions: tuple[Block, ...] = ()
    speech: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Line:
    """A whole time line."""

    duration_ms: int
    height: int
    ticks: tuple[Block, ...]
    flags: tuple[Block, ...]
    lanes: tuple[Lane, ...]
    lanes_y: int
    lanes_height: int
    silences: tuple[Block, ...]
    interruptions: tuple[Block, ...]
    emotions: tuple[str, ...]
    """Emotions that occur, for the legend."""


@dataclass(frozen=True)
class Span:
    """Something with a start and an end to be drawn."""

    start_ms: int
    end_ms: int
    title: str = ""
    kind: str = ""
    label: str = ""
    href: str = ""
    role: str = ""


@dataclass(frozen=True)
class Drawn:
    """What a call gives to draw."""

    duration_ms: int
    turns: Sequence[Span]
    emotions: Sequence[Span]
    flags: Sequence[Span]
    silences: Sequence[Span]
    interruptions: Sequence[Span]
    speech: Sequence[Span]
    outlines: NDArray[np.float32] | None = None
    channel_roles: Sequence[str] = ()
    titles: Mapping[str, str] = field(default_factory=dict)


def line(drawn: Drawn) -> Line:
    """Place everything that ``drawn`` holds."""
    flags = _flags(drawn)
    lanes_y = RULER_PX + FLAG_PX * (1 + max((flag.y for flag in flags), default=0)) + 4
    lanes = _lanes(drawn, lanes_y)
    lanes_height = lanes[-1].y + lanes[-1].height + BAND_PX - lanes_y
    return Line(
        duration_ms=drawn.duration_ms,
        height=lanes_y + lanes_height + 2 * EVENT_PX + 4,
        ticks=_ticks(drawn.duration_ms),
        flags=flags,
        lanes=lanes,
        lanes_y=lanes_y,
        lanes_height=lanes_height,
        silences=_labelled(drawn.silences, drawn.duration_ms),
        interruptions=_labelled(drawn.interruptions, drawn.duration_ms),
        emotions=tuple(dict.fromkeys(span.kind for span in drawn.emotions)),
    )


def wave(outline: NDArray[np.float32]) -> str:
    """Return the outline [2, bins] as a closed SVG path, 200 high, centre at 100."""
    bent = np.sign(outline) * np.abs(outline) ** LOUDNESS_POWER
    low, high = np.rint(100 - bent * 96).astype(int)
    there = "L".join(f"{x} {y}" for x, y in enumerate(np.minimum(high, 99)))
    back = "L".join(f"{x} {y}" for x, y in reversed(list(enumerate(np.maximum(low, 101)))))
    return f"M{there}L{back}Z"


def _percent(ms: float, duration_ms: int) -> float:
    return round(min(max(ms / duration_ms, 0.0), 1.0) * 100, 3)


def _block(span: Span, duration_ms: int) -> Block:
    x = _percent(span.start_ms, duration_ms)
    width = max(_percent(span.end_ms, duration_ms) - x, 0.15)
    return Block(x, round(width, 3), span.title, span.kind, span.label, span.href)


def _blocks(spans: Iterable[Span], duration_ms: int, role: str) -> tuple[Block, ...]:
    return tuple(_block(span, duration_ms) for span in spans if span.role == role)


def _labelled(spans: Sequence[Span], duration_ms: int) -> tuple[Block, ...]:
    """Blocks that keep their label only where it does not run into the label before."""
    blocks, free = [], -1.0
    for span in sorted(spans, key=lambda span: span.start_ms):
        block = _block(span, duration_ms)
        label = block.label if block.x >= free else ""
        free = block.x + LABEL_PERCENT if label else free
        blocks.append(Block(block.x, block.width, block.title, block.kind, label))
    return tuple(blocks)


def _flags(drawn: Drawn) -> tuple[Block, ...]:
    """Flags in up to three rows, so that neighbours do not hide one another."""
    ends = [-9.0, -9.0, -9.0]
    flags = []
    for span in sorted(drawn.flags, key=lambda span: span.start_ms):
        block = _block(span, drawn.duration_ms)
        row = next((r for r, end in enumerate(ends) if block.x >= end), 0)
        ends[row] = block.x + FLAG_PERCENT
        flags.append(Block(block.x, block.width, block.title, block.kind, block.label, block.href, row))
    return tuple(flags)


def _lanes(drawn: Drawn, y: int) -> tuple[Lane, ...]:
    sounds = _waves(drawn)
    spoken = {span.role for span in drawn.turns}
    sides = ["agent", "customer"] if spoken <= {"agent", "customer"} else sorted(spoken)
    used = [*sides, *(role for role in sounds if role and role not in sides)]
    lanes = []
    if "" in sounds:
        lanes.append(Lane("混合声道", y, WAVE_PX, wave=sounds[""][0], bins=sounds[""][1]))
        y += WAVE_PX + GAP_PX
    for role in used:
        path, bins = sounds.get(role, ("", 0))
        height = WAVE_PX if path else PLAIN_PX
        ms = drawn.duration_ms
        lanes.append(
            Lane(
                name(role, drawn.titles), y, height, role, path, bins,
                turns=_blocks(drawn.turns, ms, role),
                emotions=_blocks(drawn.emotions, ms, role),
                speech=_blocks(drawn.speech, ms, role),
            )
        )  # fmt: skip
        y += height + BAND_PX + GAP_PX
    return tuple(lanes)


def _waves(drawn: Drawn) -> dict[str, tuple[str, int]]:
    """Role → path and bins; the role is empty where channels are not separated."""
    if drawn.outlines is None:
        return {}
    roles = drawn.channel_roles if len(drawn.outlines) > 1 else ("",)
    return {role: (wave(o), o.shape[1]) for role, o in zip(roles, drawn.outlines, strict=False)}


def _ticks(duration_ms: int) -> tuple[Block, ...]:
    step = next((s for s in TICKS_MS if duration_ms / s <= 12), TICKS_MS[-1])
    return tuple(
        Block(_percent(ms, duration_ms), 0, length(ms), label=clock(ms))
        for ms in range(0, duration_ms, step)
        if ms == 0 or duration_ms - ms > step / 3
    )
