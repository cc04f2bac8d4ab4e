"""The decoder child: one limited process that turns media bytes into PCM for server/pipeline/decode.py.

Run as ``python -m server.pipeline.decode_child SOCKET_FD PARENT_PID MEMORY_BYTES``. Messages on the socket
are ``kind (1 byte), length (u32), payload``. The parent sends ``FILE`` requests (JSON) with a sealed memory
file attached; the child answers ``HEAD`` (JSON), any number of ``PCM`` (planar int16) and ``DONE``, or
``FAIL`` (JSON). It is confined (confine.py) and opens allow-listed demuxers and codecs only.
"""

import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import av
from av.audio.resampler import AudioResampler

from server.pipeline.confine import allow_cpu, confine
from server.pipeline.media import CODECS

HEADER = struct.Struct("<cI")
FILE, READY, HEAD, PCM, DONE, FAIL = b"F", b"R", b"H", b"P", b"D", b"E"

_CHUNK_SAMPLES = 32_768
_LOWEST_HZ, _HIGHEST_HZ = 2_000, 384_000
"""No recording lies outside; a header that says 1 Hz makes the resampler ask for gigabytes."""
_EMPTY_BYTES = 4096
_GAP_S, _LONGEST_GAP_S = 0.1, 3600.0
_AAC_TAIL_S = 0.26
"""Two AAC frames at 8 kHz: how much padding an encoder may leave after the end that the MP4 header gives."""
_DEMUXERS_WITH_LENGTH = ("wav", "flac", "mov", "matroska")


class _Failure(Exception):
    """A file that gives no audio; ``code`` is one of server.errors.MEDIA_CODES."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def send(link: socket.socket, kind: bytes, *payload: bytes | memoryview) -> None:
    """Send one message."""
    link.sendall(HEADER.pack(kind, sum(len(part) for part in payload)))
    for part in payload:
        link.sendall(part)


def send_json(link: socket.socket, kind: bytes, **fields: object) -> None:
    """Send one message whose payload is a JSON object."""
    send(link, kind, json.dumps(fields).encode())


def _no_other_file(url: str, *_: object) -> None:
    raise PermissionError(f"the file wants to open another one: {url[:80]!r}")


@dataclass
class _Output:
    """PCM on its way to the parent, in pieces of bounded size."""

    link: socket.socket
    rate_hz: int
    max_samples: int
    channels: int
    sent: int = 0
    held: int = 0
    rows: list[list[bytes]] = field(default_factory=list)

    def add(self, frames: list[Any]) -> None:
        """Take planar int16 frames at the wanted rate."""
        for frame in frames:
            rows = [bytes(memoryview(plane)[: 2 * frame.samples]) for plane in frame.planes]
            self._take(rows, frame.samples)

    def silence(self, samples: int) -> None:
        """Take ``samples`` of silence."""
        for start in range(0, samples, _CHUNK_SAMPLES):
            count = min(_CHUNK_SAMPLES, samples - start)
            self._take([bytes(2 * count)] * self.channels, count)

    def _take(self, rows: list[bytes], samples: int) -> None:
        self.rows.append(rows)
        self.held += samples
        if self.sent + self.held > self.max_samples:
            raise _Failure("too_long", f"longer than {self.max_samples / self.rate_hz:.0f} s")
        if self.held >= _CHUNK_SAMPLES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self.held:
            send(self.link, PCM, *(b"".join(rows[c] for rows in self.rows) for c in range(self.channels)))
        self.sent, self.held, self.rows = self.sent + self.held, 0, []


class _File:
    """One media file being decoded."""

    def __init__(self, link: socket.socket, source: BinaryIO, request: dict[str, Any]) -> None:
        self.link, self.request = link, request
        self.rate_hz: int = request["rate_hz"]
        self.demuxer: str = request["demuxer"]
        self.warnings: list[str] = []
        self.bad_packets, self.bad_at_end = 0, False
        options = {"format_whitelist": self.demuxer, "codec_whitelist": ",".join(sorted(CODECS))}
        if self.demuxer == "wav":
            options["max_size"] = str(min(1 << 17, max(1 << 14, request["size_bytes"] >> 7)))
            options["ignore_length"] = str(int(request["unknown_length"]))
            options["probesize"], options["analyzeduration"] = "32", "0"
        self.container = av.open(
            source,
            format=self.demuxer,
            options=options,
            io_open=_no_other_file,
            metadata_errors="replace",
            buffer_size=1 << 18,
        )
        self.stream = self._pick()

    def _pick(self) -> Any:
        streams = self.container.streams.audio
        if not streams:
            raise _Failure("no_audio", f"{len(self.container.streams)} streams, none of them audio")
        if len(streams) > 1:
            self.warnings.append(f"extra_audio_streams_{len(streams) - 1}")
        context = streams[0].codec_context
        if context is None or context.name not in CODECS:
            raise _Failure("refused_format", f"codec {getattr(context, 'name', 'unknown')}")
        if not _LOWEST_HZ <= context.sample_rate <= _HIGHEST_HZ:
            raise _Failure("corrupt", f"the header gives a sample rate of {context.sample_rate} Hz")
        context.thread_count = 1
        return streams[0]

    def _frames(self) -> Iterator[Any]:
        """Decoded frames; packets that cannot be decoded are counted and left out."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                self.bad_packets, self.bad_at_end = self.bad_packets + 1, True
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                if not isinstance(error, EOFError):
                    self.bad_packets, self.bad_at_end = self.bad_packets + 1, True
                continue
            if frames:
                self.bad_at_end = False
                yield from frames

    def run(self) -> None:
        """Decode, resample and send everything, then the warnings."""
        output: _Output | None = None
        resampler, shape = None, None
        for frame in self._frames():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if output is None:
                output = self._begin(frame)
                origin_s, layout = frame.time or 0.0, frame.layout
            gap = self._gap(frame, output, origin_s)
            if resampler and (now != shape or gap):
                output.add(resampler.resample(None))
                resampler = None
            output.silence(gap)
            if resampler is None:
                resampler = AudioResampler(format="s16p", layout=layout, rate=self.rate_hz)
                shape = now
            output.add(resampler.resample(frame))
        if output and resampler:
            output.add(resampler.resample(None))
            output.flush()
        self._end(output.sent if output else 0)

    def _begin(self, frame: Any) -> _Output:
        channels = frame.layout.nb_channels
        if channels > 2:
            raise _Failure("too_many_channels", f"{channels} channels")
        expected = int(min(self._expected_s() or 0.0, 1e6) * self.rate_hz)
        send_json(self.link, HEAD, channels=channels, expected=expected, container=self._name())
        return _Output(self.link, self.rate_hz, self.request["max_samples"], channels)

    def _gap(self, frame: Any, output: _Output, origin_s: float) -> int:
        """Samples the recorder left out before ``frame``: lost packets, DTX (MP4 and WebM only)."""
        if self.demuxer not in ("mov", "matroska") or frame.time is None:
            return 0
        gap_s = frame.time - origin_s - (output.sent + output.held) / self.rate_hz
        return int(gap_s * self.rate_hz) if _GAP_S < gap_s < _LONGEST_GAP_S else 0

    def _expected_s(self) -> float | None:
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        return self.container.duration / av.time_base if self.container.duration else None

    def _name(self) -> str:
        return f"{self.demuxer}/{self.stream.codec_context.name}"

    def _end(self, samples: int) -> None:
        if not samples:
            bad = self.bad_packets or self.request["truncated"] or self.request["size_bytes"] > _EMPTY_BYTES
            raise _Failure(
                "corrupt" if bad else "empty", f"no sample could be decoded ({self.bad_packets} bad packets)"
            )
        expected_s = self._expected_s() if self.demuxer in _DEMUXERS_WITH_LENGTH else None
        short = (
            expected_s is not None
            and samples / self.rate_hz + 0.25 < expected_s
            and not self.request["unknown_length"]
        )
        if self.request["truncated"] or short or self.bad_at_end:
            self.warnings.append("truncated")
        if self.bad_packets > self.bad_at_end:
            self.warnings.append("damaged")
        keep = samples
        if expected_s and self.demuxer == "mov":
            keep = max(
                min(samples, round(expected_s * self.rate_hz)), samples - int(_AAC_TAIL_S * self.rate_hz)
            )
        send_json(self.link, DONE, warnings=self.warnings, samples=keep)

    def close(self) -> None:
        """Free the native side."""
        self.container.close()


def _serve_one(link: socket.socket, source: BinaryIO, request: dict[str, Any]) -> bool:
    """Decode one file; False if this process should not be used again."""
    try:
        with contextlib.closing(_File(link, source, request)) as file:
            file.run()
        return True
    except _Failure as failure:
        send_json(link, FAIL, code=failure.code, detail=str(failure))
        return True
    except MemoryError as error:
        send_json(link, FAIL, code="decoder_memory", detail=type(error).__name__)
        return False
    except ConnectionError:
        return False
    except Exception as error:
        detail = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
        send_json(link, FAIL, code="corrupt", detail=detail[:200])
        return True


def main() -> None:
    """Serve files until the parent closes the socket."""
    descriptor, parent, memory_bytes = map(int, sys.argv[1:4])
    confine(parent, memory_bytes)
    link = socket.socket(fileno=descriptor)
    send(link, READY)
    while True:
        header, descriptors, _, _ = socket.recv_fds(link, HEADER.size, 1)
        if not header:
            return
        request = json.loads(link.recv(HEADER.unpack(header)[1], socket.MSG_WAITALL))
        allow_cpu(request["size_bytes"])
        with os.fdopen(descriptors[0], "rb") as source:
            if not _serve_one(link, source, request):
                return


if __name__ == "__main__":
    main()
