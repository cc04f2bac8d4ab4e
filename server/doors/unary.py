"""The gRPC door for single calls: ``earshot.v1.Inspection/Inspect``."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import grpc

from server.api.earshot.v1 import inspection_pb2 as pb
from server.api.earshot.v1 import inspection_pb2_grpc as pb_grpc
from server.doors import convert
from server.errors import BadInput, Busy, DeadlineOver, EarshotError, Internal
from server.pipeline.session import Inspection, Road
from server.telemetry import CALL_FAILED, log

ERROR_CODE_KEY = "earshot-error-code"
Context = grpc.aio.ServicerContext[pb.InspectRequest, pb.InspectResponse]
_MARGIN_S = 0.05
"""Kept from the caller's deadline so that our own typed error arrives before the connection gives up."""


class InspectionDoor(pb_grpc.InspectionServicer):
    """Bounded: more calls than ``max_concurrent_calls`` are refused at once rather than queued unseen."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._room = road.settings.max_concurrent_calls
        self._threads = ThreadPoolExecutor(self._room, "inspect")

    async def Inspect(self, request: pb.InspectRequest, context: Context) -> pb.InspectResponse:
        """Inspect one call; every error leaves as a typed status."""
        try:
            return await self._inspect(request, context)
        except EarshotError as error:
            await _abort(context, error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.log(logging.ERROR, "%s: %s", CALL_FAILED, type(error).__name__, exc_info=True)
            await _abort(
                context,
                Internal(
                    "the inspection failed on our side",
                    help="send it again; the server's log has the details",
                ),
            )
        raise AssertionError("abort always raises")

    async def _inspect(self, request: pb.InspectRequest, context: Context) -> pb.InspectResponse:
        if self._room <= 0:
            raise Busy(
                f"{self._road.settings.max_concurrent_calls} inspections are in hand",
                help="wait and send again, or raise EARSHOT_MAX_CONCURRENT_CALLS",
            )
        left_s = context.time_remaining()
        deadline_s = self._road.settings.deadline_s if left_s is None else max(0.0, left_s - _MARGIN_S)
        work = self._work(request, deadline_s)
        self._room -= 1
        try:
            task = asyncio.get_running_loop().run_in_executor(self._threads, work)
            task.add_done_callback(lambda _: self._leave())
        except BaseException:
            self._leave()
            raise
        try:
            done = await asyncio.wait_for(asyncio.shield(task), deadline_s)
        except TimeoutError:
            raise DeadlineOver(
                f"no result within {deadline_s:.1f} s", help="set a longer deadline, or send a shorter call"
            ) from None
        return convert.response(done.result)

    def _leave(self) -> None:
        self._room += 1

    def _work(self, request: pb.InspectRequest, deadline_s: float) -> Callable[[], Inspection]:
        call_id = request.call_id or uuid4().hex
        meta = convert.metadata(request)
        kind = request.WhichOneof("input")
        if kind == "audio":
            agent = request.audio.agent_channel if request.audio.HasField("agent_channel") else None
            if agent not in (None, 0, 1):
                raise BadInput(f"agent_channel is {agent}", help="0 is the left channel, 1 the right one")
            work = partial(self._road.inspect_audio, request.audio.content, agent_channel=agent)
            return partial(work, call_id=call_id, meta=meta, pack=request.pack, deadline_s=deadline_s)
        if kind == "transcript":
            work = partial(self._road.inspect_transcript, convert.transcript(request.transcript))
            return partial(work, call_id=call_id, meta=meta, pack=request.pack, deadline_s=deadline_s)
        raise BadInput(
            "the request has neither audio nor transcript", help="set one of the two fields of `input`"
        )

    def close(self) -> None:
        """Stop taking calls and let go of the threads; running calls end on their own."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _abort(context: Context, error: EarshotError) -> None:
    await context.abort(
        getattr(grpc.StatusCode, error.grpc_code),
        str(error),
        trailing_metadata=((ERROR_CODE_KEY, error.code),),
    )
