"""The compliance officer's page: results of calls as one self-contained HTML file.

What the page says is put together in page_view.py, the time line in page_timeline.py, sound in page_sound.py;
the looks are page.html, page.css and page.js beside this file. The file loads nothing from anywhere, and its
content policy lets only the page's own script run: transcripts are hostile input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.pipeline.call import Audio, Speech


@dataclass(frozen=True)
class Stretch:
    """A stretch of the call worth drawing: a silence or an interruption."""

    start_ms: int
    end_ms: int
    kind: str = ""
    """A finer name, shown through ``CallView.titles`` when it is there: e.g. ``pause``, ``response``, ``mutual``."""
    role: str = ""
    """Who owes the answer (silence) or who interrupts (interruption)."""


@dataclass(frozen=True)
class CallView:
    """One call as the page shows it: its result object, and what the road knows beyond it."""

    result: Mapping[str, Any]
    """The object ``earshot inspect --json`` prints; every key but ``call_id`` may be missing."""
    audio: Audio | None = None
    """Embedded for listening, and drawn."""
    channel_roles: tuple[str, ...] = ("agent", "customer")
    """Who speaks on which channel of ``audio``; ignored for one channel."""
    speech: Mapping[str, Speech] = field(default_factory=dict)
    silences: Sequence[Stretch] = ()
    interruptions: Sequence[Stretch] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """Chinese names of ids on the page: tags, emotions, operators, measures, metadata; unknown ids show as they are."""


def render(results: Sequence[CallView]) -> str:
    """Return one HTML file that shows ``results``: an overview when there are several, then each call."""
    raise NotImplementedError
