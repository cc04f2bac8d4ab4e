"""The gRPC server: doors, health, reflection, limits, graceful stop."""

import asyncio
import signal

import grpc
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from server.api.earshot.v1 import inspection_pb2 as pb
from server.api.earshot.v1 import inspection_pb2_grpc as pb_grpc
from server.config import Settings
from server.doors import health
from server.doors.unary import InspectionDoor
from server.errors import BadSetting
from server.pipeline.session import Road
from server.telemetry import SERVER_STARTED, SERVER_STOPPING, log

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.so_reuseport", 0),
)


def _server(road: Road) -> grpc.aio.Server:
    limit = road.settings.max_message_bytes
    sizes = (("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", limit))
    return grpc.aio.server(options=[*_KEEPALIVE, *sizes])


async def serve(road: Road) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in hand within ``stop_grace_s``.

    Raises:
        BadSetting: the address cannot be listened on.
        EarshotError: the canary call did not pass.
    """
    settings = road.settings
    server, door, watch = _server(road), InspectionDoor(road), health.Health()
    pb_grpc.add_InspectionServicer_to_server(door, server)
    health_pb2_grpc.add_HealthServicer_to_server(watch.servicer, server)
    names = (
        pb.DESCRIPTOR.services_by_name["Inspection"].full_name,
        grpc_health.SERVICE_NAME,
        reflection.SERVICE_NAME,
    )
    reflection.enable_server_reflection(names, server)
    await watch.set(serving=False)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _listen(server, settings)
    await server.start()
    try:
        await asyncio.to_thread(health.prove, road)
        log.info("%s on %s", SERVER_STARTED, settings.listen)
        following = asyncio.create_task(
            watch.follow(lambda: road.models.healthy, settings.canary_every_s / 2)
        )
        await stop.wait()
        following.cancel()
    finally:
        log.info("%s, up to %.0f s for calls in hand", SERVER_STOPPING, settings.stop_grace_s)
        await watch.set(serving=False)
        await server.stop(settings.stop_grace_s)
        door.close()


def credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """TLS when a certificate is set, mutual TLS with a client CA; None: plain text where nobody else listens.

    Raises:
        BadSetting: plain text would leave this machine.
    """
    if settings.tls_certificate and settings.tls_key:
        ca = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
        pair = (settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())
        return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)
    host = settings.listen.rpartition(":")[0]
    if settings.listen.startswith("unix:") or host in _LOOPBACK or settings.allow_plaintext:
        return None
    raise BadSetting(
        f"refusing to serve calls in plain text on {settings.listen!r}",
        help="set EARSHOT_TLS_CERTIFICATE and EARSHOT_TLS_KEY; behind a TLS proxy, EARSHOT_ALLOW_PLAINTEXT=1",
    )


def _listen(server: grpc.aio.Server, settings: Settings) -> None:
    address, secure = settings.listen, credentials(settings)
    try:
        bound = server.add_secure_port(address, secure) if secure else server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound and not address.startswith("unix:"):
        raise BadSetting(
            f"cannot listen on {address!r}",
            help="is another server running? set EARSHOT_LISTEN to a free address",
        )
