"""What the page needs to know of an inspection, from what the road knows."""

from functools import lru_cache

from operators.chain import Plan, Use, check_use, load_registry
from operators.measures import SILENCE_MS
from operators.table import ROLES, SIDES, CallTable
from server.doors.page import CallView, Stretch
from server.pipeline.call import Audio
from server.pipeline.session import Inspection


def view(inspection: Inspection) -> CallView:
    """The page's view of one inspection; a call that failed has its result only."""
    call, table, audio = inspection.call, inspection.table, inspection.audio
    if call is None or table is None:
        return CallView(result=inspection.result)
    return CallView(
        result={**inspection.result, "meta": dict(call.meta)},
        audio=audio,
        channel_roles=_channel_roles(inspection, audio),
        speech=call.speech,
        silences=_stretches(table, "silence"),
        interruptions=_stretches(table, "interruption"),
    )


def _channel_roles(inspection: Inspection, audio: Audio | None) -> tuple[str, ...]:
    """Who speaks on each channel, read from the turns' channels; the other side gets the other channel."""
    if audio is None or audio.channels == 1 or inspection.call is None:
        return ("other",)
    spoken = {turn.channel: turn.role for turn in inspection.call.turns}
    if "other" in spoken.values():
        return ("other", "other")
    return ("customer", "agent") if spoken.get(0) == "customer" or spoken.get(1) == "agent" else ("agent", "customer")


@lru_cache
def _plan() -> tuple[Plan, dict[tuple[str, str], Use]]:
    registry, uses = load_registry(), {}
    for role in ROLES[:SIDES]:
        silence = {"at_least_ms": SILENCE_MS, "owed_by": role}
        uses["silence", role] = check_use(registry, "silence", silence)
        uses["interruption", role] = check_use(registry, "interruption", {"role": role})
    return Plan(uses.values()), uses


def _stretches(table: CallTable, operator: str) -> list[Stretch]:
    plan, uses = _plan()
    found = plan.evaluate(table)
    stretches = [
        Stretch(start_ms=int(found.hits.start_ms[row]), end_ms=int(found.hits.end_ms[row]), role=role)
        for (name, role), use in uses.items()
        if name == operator
        for row in range(*found.rows(plan.id_of(use)).indices(len(found.hits)))
    ]
    return sorted(stretches, key=lambda stretch: stretch.start_ms)
