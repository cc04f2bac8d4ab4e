"""`earshot serve` as platform teams use it: a client generated from the proto by someone else, real kills."""

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
import grpc_tools
import pytest
from google.protobuf import struct_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

from server.api.earshot.v1 import inspection_pb2 as pb
from server.api.earshot.v1 import inspection_pb2_grpc as pb_grpc
from tests.sounds import CALLS, demo_call, silence

ROOT = Path(__file__).resolve().parents[3]
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client generated from a copy of the proto under another path, as an outsider would."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "their_inspection.proto").write_text(
        (ROOT / "server/api/earshot/v1/inspection.proto").read_text()
    )
    well_known = str(Path(grpc_tools.__file__).parent / "_proto")
    assert (
        protoc.main(
            [
                "",
                f"-I{folder}",
                f"-I{well_known}",
                f"--python_out={folder}",
                f"--grpc_python_out={folder}",
                "their_inspection.proto",
            ]
        )
        == 0
    )
    return folder


class Server:
    """`earshot serve` in a process of its own."""

    def __init__(self, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--listen", f"127.0.0.1:{self.port}"],
            cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=[("grpc.max_receive_message_length", 64 << 20)]
        )

    def health(self) -> int:
        try:
            reply = health_pb2_grpc.HealthStub(self.channel).Check(
                health_pb2.HealthCheckRequest(service="earshot.v1.Inspection"), timeout=2
            )
        except grpc.RpcError:
            return -1
        return int(reply.status)

    def wait(self, status: int, within_s: float = 120) -> float:
        """Seconds until health says ``status``."""
        start = time.monotonic()
        while self.health() != status:
            assert time.monotonic() - start < within_s, f"health stayed {self.health()}"
            assert self.process.poll() is None or status == -1, (
                self.process.stderr.read() if self.process.stderr else ""
            )
            time.sleep(0.05)
        return time.monotonic() - start

    def inspect(self, call: str = "third_party", timeout: float = 60) -> Any:
        meta = struct_pb2.Struct()
        meta.update(json.loads((CALLS / f"{call}.meta.json").read_text()))
        request = pb.InspectRequest(call_id=call, metadata=meta, audio=pb.Audio(content=demo_call(call)))
        return self.send(request, timeout)

    def send(self, request: Any, timeout: float = 60) -> Any:
        return pb_grpc.InspectionStub(self.channel).Inspect(request, timeout=timeout)

    def children(self, name: str) -> list[int]:
        """Process ids below ours whose command names ``name``."""
        return [pid for pid in descendants(self.process.pid) if name in command(pid)]

    def stop(self) -> int:
        self.channel.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __enter__(self) -> Self:
        self.wait(SERVING)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found += [int(entry.parent.name), *descendants(int(entry.parent.name))]
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
        assert running.stop() == 0


def test_a_client_generated_by_someone_else_works(
    server: Server, stubs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""
import grpc, sys; sys.path.insert(0, {str(stubs)!r})
import their_inspection_pb2 as pb, their_inspection_pb2_grpc as g
with grpc.insecure_channel("127.0.0.1:{server.port}") as channel:
    request = pb.InspectRequest(call_id="t1", transcript=pb.Transcript(turns=[
        pb.TranscriptTurn(role=pb.ROLE_AGENT, text="你再不还钱我就打断你的腿", start_ms=0, end_ms=3000),
        pb.TranscriptTurn(role=pb.ROLE_CUSTOMER, text="你威胁我", start_ms=3200, end_ms=4000)]))
    reply = g.InspectionStub(channel).Inspect(request, timeout=30)
print(reply.call_id, *[f.item for f in reply.findings])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("t1 ") and "threat_intimidation" in done.stdout


def test_audio_in_full_result_out(server: Server) -> None:
    reply = server.inspect()
    assert reply.call_id == "third_party" and "third_party_disclosure" in {f.item for f in reply.findings}
    assert reply.items["third_party_disclosure"].verdict == "hit"
    for finding in reply.findings:
        assert finding.evidence and finding.rule
    assert len(reply.turns) >= 4 and reply.versions.models["asr"]


def test_reflection_lists_the_service(server: Server) -> None:
    assert "earshot.v1.Inspection" in ProtoReflectionDescriptorDatabase(server.channel).get_services()
    assert importlib.util.find_spec("server.api.earshot.v1.inspection_pb2")


def fault(server: Server, request: Any, timeout: float = 30) -> tuple[str, str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        server.send(request, timeout)
    error: Any = caught.value
    return error.code().name, dict(error.trailing_metadata()).get("earshot-error-code", ""), error.details()


def test_faults_are_typed(server: Server) -> None:
    code, kind, said = fault(server, pb.InspectRequest(audio=pb.Audio(content=b"nonsense")))
    assert (code, kind) == ("INVALID_ARGUMENT", "unknown_format") and "\nhelp: " in said
    assert fault(server, pb.InspectRequest())[:2] == ("INVALID_ARGUMENT", "bad_input")
    assert fault(server, pb.InspectRequest(audio=pb.Audio(content=silence(1), agent_channel=2)))[:2] == (
        "INVALID_ARGUMENT",
        "bad_input",
    )
    turns = [pb.TranscriptTurn(text="谁说的")]
    assert fault(server, pb.InspectRequest(transcript=pb.Transcript(turns=turns)))[:2] == (
        "INVALID_ARGUMENT",
        "bad_transcript",
    )
    assert (
        fault(server, pb.InspectRequest(audio=pb.Audio(content=b"\0" * (65 << 20))))[0]
        == "RESOURCE_EXHAUSTED"
    )
    assert (
        fault(server, pb.InspectRequest(audio=pb.Audio(content=silence(60))), timeout=0.01)[0]
        == "DEADLINE_EXCEEDED"
    )


def test_kills_while_calls_run_give_no_wrong_and_no_empty_answer(server: Server) -> None:
    want = [f.rule for f in server.inspect().findings]
    deadline = time.monotonic() + 12
    kills = 0
    with ThreadPoolExecutor(4) as threads:
        running = [
            threads.submit(lambda: [[f.rule for f in server.inspect().findings] for _ in range(6)])
            for _ in range(4)
        ]
        for name in ("python_backend_stub", "tritonserver ", "decode_child", "python_backend_stub"):
            time.sleep(1.5)
            for pid in server.children(name)[:1]:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        answers = [answer for future in running for answer in future.result()]
    assert kills >= 3 and len(answers) == 24
    assert all(answer == want for answer in answers)
    server.wait(SERVING, max(20.0, deadline - time.monotonic()))


def footprint(pids: list[int]) -> set[Path]:
    """All that ``pids`` have on this machine: themselves, shared memory, the folders they were started in."""
    found = {Path(f"/proc/{pid}") for pid in pids}
    for pid in pids:
        maps = Path(f"/proc/{pid}/maps").read_text()
        found |= {Path(line.split()[-1]) for line in maps.splitlines() if "/dev/shm/" in line}
        found |= {Path(folder) for folder in re.findall(r"(/\S+?/earshot-triton-[^/\s]+)", command(pid))}
    return found


def still_there(things: set[Path], within_s: float = 10) -> set[Path]:
    deadline = time.monotonic() + within_s
    while (rest := {thing for thing in things if alive(thing)}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return rest


def alive(thing: Path) -> bool:
    try:
        return thing.exists() and (thing.parent != Path("/proc") or ") Z" not in (thing / "stat").read_text())
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(how: signal.Signals) -> None:
    with Server() as running:
        running.inspect("compliant")
        traces = footprint(descendants(running.process.pid))
        kinds = {trace.parts[1] for trace in traces}
        assert len(traces) > 6 and {"proc", "dev", "tmp"} <= kinds, f"the control: it leaves traces, {traces}"
        assert still_there(traces, within_s=0) == traces
        running.process.send_signal(how)
        code = running.process.wait(40)
    assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    assert still_there(traces) == set()


def test_a_stop_finishes_the_call_in_hand() -> None:
    with Server() as running, ThreadPoolExecutor(1) as threads:
        call = threads.submit(running.inspect, "abusive")
        time.sleep(0.05)
        running.process.send_signal(signal.SIGTERM)
        assert call.result(60).findings
        assert running.process.wait(40) == 0


def test_plain_text_beyond_this_machine_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--listen", "0.0.0.0:1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2 and "EARSHOT_TLS_CERTIFICATE" in done.stderr
