"""`earshot inspect`: many files down the road at once, results in the order they were named."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from server.doors.files import Source
from server.errors import EarshotError, Internal, TooLarge
from server.pipeline import report
from server.pipeline.session import Inspection, Road
from server.telemetry import CALL_FAILED, log


@dataclass(frozen=True)
class Options:
    """What the command line says about every call."""

    meta: Mapping[str, Any]
    agent_channel: int | None
    calls_at_once: int


def run(
    road: Road, sources: Sequence[Source], options: Options, on_done: Callable[[], None]
) -> Iterator[tuple[Source, Inspection]]:
    """Inspect all sources, yielding in their order; a fault costs only its own call."""

    def of_source(source: Source) -> tuple[Source, Inspection]:
        try:
            return source, one(road, source, options)
        finally:
            on_done()

    with ThreadPoolExecutor(options.calls_at_once, "call") as threads:
        yield from threads.map(of_source, sources)


def one(road: Road, source: Source, options: Options) -> Inspection:
    """Inspect one source; a fault is in the result."""
    try:
        if source.fault is not None:
            raise source.fault
        if source.transcript is not None:
            return road.inspect_transcript(source.transcript, call_id=source.call_id, meta=options.meta)
        size, most = source.path.stat().st_size, road.settings.max_audio_bytes
        if size > most:
            raise TooLarge(
                f"{source.path} has {size} bytes, more than {most}",
                help="raise EARSHOT_MAX_AUDIO_BYTES or cut it",
            )
        data = source.path.read_bytes()
        meta = {**source.meta, **options.meta}
        return road.inspect_audio(
            data, call_id=source.call_id, meta=meta, agent_channel=options.agent_channel
        )
    except EarshotError as error:
        return _failed(road, source, error)
    except Exception as error:
        log.exception("%s: %s", CALL_FAILED, type(error).__name__)
        fault = Internal(
            f"the inspection of {source.call_id} failed on our side ({type(error).__name__})",
            help="please report it",
        )
        return _failed(road, source, fault)


def _failed(road: Road, source: Source, error: EarshotError) -> Inspection:
    return Inspection(report.failed(source.call_id, error, road.judge("").pack, road.models))
