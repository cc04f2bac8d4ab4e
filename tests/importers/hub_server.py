"""A hub on this machine: as much of its API as its own client needs, cut off on demand."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What the server serves, and what it saw."""

    def __init__(self, repository: str, folder: Path) -> None:
        self.repository = repository
        self.folder = folder
        self.sent: dict[str, int] = {}
        """File → bytes of it that were sent."""
        self.ranges: list[str] = []
        """Range headers that were asked with."""
        self.cut_after: int | None = None
        """Bytes of a network after which the connection is cut; from then on nothing is answered."""
        self.dead = False
        self.falsify = False
        """Whether files come with one byte changed."""
        self.url = ""

    def files(self) -> dict[str, bytes]:
        """Files by name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir()) if path.is_file()}


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path, hub = unquote(urlsplit(self.path).path), self.hub
        if hub.dead:
            self.close_connection = True
            return
        if not path.startswith((f"/api/models/{hub.repository}", f"/{hub.repository}/resolve/")):
            self._send(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"}, body=body)
        elif "/tree/" in path:
            files = [_entry(name, content) for name, content in hub.files().items()]
            self._send(200, json.dumps(files).encode(), {}, body=body)
        elif path.startswith("/api/"):
            about = {"id": hub.repository, "sha": COMMIT, "siblings": [{"rfilename": n} for n in hub.files()]}
            self._send(200, json.dumps(about).encode(), {}, body=body)
        else:
            self._file(path.rpartition("/")[2], body=body)

    def _file(self, name: str, *, body: bool) -> None:
        hub, content = self.hub, self.hub.files().get(name)
        if content is None:
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body=body)
            return
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        headers = {"ETag": etag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        status, first = 200, 0
        if asked.startswith("bytes=") and asked[6:].partition("-")[0]:
            hub.ranges.append(asked)
            status, first = 206, int(asked[6:].partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._send(status, content[first:], headers, body=body, name=name)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, body: bool, name: str = ""
    ) -> None:
        self.send_response(status)
        for key, value in {
            "Content-Type": "application/json",
            **headers,
            "Content-Length": str(len(content)),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        cut = self.hub.cut_after if name.endswith(".onnx") else None
        part = content if cut is None else content[:cut]
        if self.hub.falsify and name:
            part = bytes([part[0] ^ 1]) + part[1:]
        self.wfile.write(part)
        if name:
            self.hub.sent[name] = self.hub.sent.get(name, 0) + len(part)
        if cut is not None:
            self.wfile.flush()
            self.close_connection = self.hub.dead = True


def _entry(name: str, content: bytes) -> dict[str, Any]:
    """A file as the hub lists it: networks in large-file storage, the others as git blobs."""
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": blob}
    if name.endswith(".onnx"):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
    return entry


@contextmanager
def serving(repository: str, folder: Path) -> Iterator[Hub]:
    """Serve the files of a folder as a repository until the block ends."""
    hub = Hub(repository, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
