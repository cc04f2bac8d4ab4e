"""Our own tritonserver: where it is installed, how it is started, its folder, its log, its end.

It listens on one Unix socket in a 0700 folder and on no TCP port: the bundled release has known holes in
HTTP and in the Python backend's shared memory, and only our own user can reach them this way.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from server.adapters import triton_guard, triton_probe
from server.config import Settings
from server.errors import BadSetting

INTERPRETER_BIN = Path(sys.executable).parent
"""Put first in PATH: the Python backend takes the first ``python3`` there and ignores PYTHONPATH."""
SHM_FREE_BYTES = 48 << 20
"""Least free shared memory to start with: a model instance maps 1 MB and grows by the requests it holds."""
_SOCKET_PATH_MAX = 100
_LOG_LINES = 200
_STOP_S = 10.0


@dataclass(frozen=True)
class Installation:
    """Where a tritonserver lies on this machine."""

    binary: Path
    python_backend: Path
    """Folder with libtriton_python.so and triton_python_backend_utils.py."""
    stub: Path
    """The executable that runs model.py; must be built for the interpreter in INTERPRETER_BIN."""
    bundled: bool


def find_installation(triton_bin: str) -> Installation:
    """Find the tritonserver of the ``nvidia-pytriton`` wheel, or the one that ``triton_bin`` names.

    Raises:
        BadSetting: it is not there, or has no Python backend.
    """
    if triton_bin:
        binary = Path(triton_bin)
        backend = binary.resolve().parent.parent / "backends" / "python"
        found = Installation(binary, backend, backend / triton_guard.STUB_NAME, bundled=False)
        help = "set EARSHOT_TRITON_BIN to …/bin/tritonserver with …/backends/python beside it, or unset it"
    else:
        spec = importlib.util.find_spec("pytriton")
        home = Path(next(iter((spec and spec.submodule_search_locations) or [""]))) / "tritonserver"
        stubs = home / "python_backend_stubs" / f"{sys.version_info[0]}.{sys.version_info[1]}"
        stub = stubs / triton_guard.STUB_NAME
        found = Installation(home / "bin" / "tritonserver", home / "backends" / "python", stub, bundled=True)
        help = "install nvidia-pytriton 0.7.0 (make setup), or set EARSHOT_TRITON_URL or EARSHOT_TRITON_BIN"
    for path in (found.binary, found.python_backend / "libtriton_python.so", found.stub):
        if not path.is_file():
            raise BadSetting(f"no Triton here: {path} is missing", help=help)
    return found


class TritonProcess:
    """One tritonserver with its guard; alive from construction until ``stop`` or until it ends by itself."""

    def __init__(self, settings: Settings) -> None:
        """Start the server with no model loaded; it answers on ``url`` a second or two later.

        Raises:
            BadSetting: Triton, the model repository or shared memory is not fit to start on.
        """
        self.installation = find_installation(settings.triton_bin)
        _check_machine(settings.model_repository)
        base = runtime_base()
        triton_guard.sweep(base)
        self.folder = base / f"{triton_guard.FOLDER_PREFIX}{os.getuid()}-{secrets.token_hex(6)}"
        self.folder.mkdir(mode=0o700)
        self.url = f"unix:{self.folder}/t:1"
        self.shm_prefix = triton_guard.shm_prefix(self.folder)
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._guard = self._spawn(settings.model_repository)
        threading.Thread(target=self._read_log, name="triton-log", daemon=True).start()

    @property
    def log_tail(self) -> str:
        """The server's last lines of output, as they came."""
        return "\n".join(self._lines)

    @property
    def ended(self) -> bool:
        """Whether the server (or its guard, which takes the server along) is gone."""
        return self._guard.poll() is not None

    def pids(self) -> dict[str, int]:
        """Pids now: ``guard``, ``server``, and one ``stub <instance>`` for each Python model process."""
        pids = {"guard": self._guard.pid}
        for pid, arguments in triton_guard.processes(self.shm_prefix):
            if arguments[0] == str(self.installation.binary):
                pids["server"] = pid
            elif arguments[0].endswith(triton_guard.STUB_NAME):
                pids[f"stub {arguments[8]}"] = pid
        return pids

    def kill_stubs(self, model_folder: Path) -> None:
        """Kill the processes that run the Python code of one model, hung or not."""
        for pid, arguments in triton_guard.processes(self.shm_prefix):
            if arguments[1].startswith(f"{model_folder}/"):
                os.kill(pid, signal.SIGKILL)

    def remove_dead_regions(self) -> None:
        """Remove shared memory whose stub is dead; Triton itself keeps it until the server's end."""
        used = {word for _, arguments in triton_guard.processes(self.shm_prefix) for word in arguments}
        for region in triton_guard.SHM.glob(f"{self.shm_prefix}*"):
            if region.name not in used:
                region.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server and wait until its processes, socket and shared memory are gone."""
        if not self.ended:
            self._guard.terminate()
        try:
            self._guard.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        if self.folder.exists():
            triton_guard.remove(self.folder)

    def _spawn(self, repository: Path) -> subprocess.Popen[str]:
        triton_probe.write_probe(self.folder / "probe")
        guard = [sys.executable, "-I", "-S", triton_guard.__file__, str(os.getpid()), str(self.folder)]
        return subprocess.Popen(
            [*guard, *self._command(repository, self._backends())],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def _backends(self) -> Path:
        """Put the stub beside the backend's library, as Triton wants; the wheel keeps one for each Python."""
        if not self.installation.bundled:
            return self.installation.python_backend.parent
        python = self.folder / "backends" / "python"
        python.mkdir(parents=True)
        for file in (*self.installation.python_backend.iterdir(), self.installation.stub):
            (python / file.name).symlink_to(file)
        return python.parent

    def _command(self, repository: Path, backends: Path) -> list[str]:
        return [
            str(self.installation.binary),
            f"--model-repository={repository.resolve()}",
            f"--model-repository={self.folder}/probe",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self.shm_prefix}",
            "--model-control-mode=explicit",
            "--disable-auto-complete-config",  # completing starts each stub a second time
            "--allow-http=false",
            "--allow-metrics=false",
            f"--grpc-address=unix:{self.folder}/t",
            "--grpc-port=1",
            f"--grpc-restricted-protocol=shared-memory,logging,trace:earshot={secrets.token_hex(16)}",
            "--exit-on-error=false",
            "--log-info=false",
        ]

    def _read_log(self) -> None:
        if self._guard.stdout is not None:
            with self._guard.stdout as lines:
                for line in lines:
                    self._lines.append(line.rstrip())


def runtime_base() -> Path:
    """Where servers keep their folders: the temporary one, or /tmp when that is too long for a socket."""
    base = Path(tempfile.gettempdir())
    return base if len(str(base)) + 50 < _SOCKET_PATH_MAX else Path("/tmp")


def _check_machine(repository: Path) -> None:
    if not repository.is_dir():
        raise BadSetting(
            f"the model repository {repository} is not a folder", help="set EARSHOT_MODEL_REPOSITORY to one"
        )
    free = shutil.disk_usage(triton_guard.SHM).free
    if free < SHM_FREE_BYTES:
        raise BadSetting(
            f"{triton_guard.SHM} has {free >> 20} MB free, models need {SHM_FREE_BYTES >> 20} MB",
            help="give the container more shared memory, e.g. docker run --shm-size=256m",
        )


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(INTERPRETER_BIN), environment.get("PATH", os.defpath)])
    libraries = [environment.get("LD_LIBRARY_PATH", ""), sysconfig.get_config_var("LIBDIR") or ""]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")  # instances are what scales; threads of one wait for each other
    return environment
