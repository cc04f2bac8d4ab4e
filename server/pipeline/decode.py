"""Decoding: media bytes → PCM, one row per channel, in a pool of limited child processes.

FFmpeg reads whatever strangers send, so it never runs in this process. Each child (decode_child.py) is a
fresh interpreter with capped memory, processor time and wall time, no network and no files; it is started
when first needed, kept warm, replaced after ``FILES_PER_CHILD`` files and whenever it dies.
"""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIGXCPU
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.config import Settings
from server.errors import MEDIA_CODES, BadMedia, Busy, DeadlineOver, TooLarge
from server.pipeline.call import Audio
from server.pipeline.decode_child import DONE, FAIL, HEAD, PCM
from server.pipeline.decode_process import Child, Gone, Late
from server.pipeline.media import Media, sniff
from server.pipeline.models import Pcm

FILES_PER_CHILD = 1000
_SLOWEST_X = 20.0
"""Sound that arrives earns wall time, a second for 20 s: long files end on a busy machine, hangs do not."""
_SILENT_PEAK = 16
"""Peak (of 32768) up to which a channel is silent: A-law codes silence as ±8, lossy codecs dither it."""
_FULL_SCALE = 32_000
"""From here on a sample is at full scale: the largest A-law value is 32256, the largest mu-law 32124."""
_CLIPPED_SHARE = 1e-3

_HELP = {
    "empty": "the recording holds no sound; check the recorder or send the call without it",
    "refused_format": "convert it to WAV, MP3, AMR, Ogg, FLAC, M4A/AAC, MP4 or WebM with a plain audio codec",
    "no_audio": "send a file with an audio track",
    "corrupt": "play the file to check it, then export or upload it again",
    "too_long": "cut the recording, or raise EARSHOT_MAX_AUDIO_S",
    "too_many_channels": "send one channel (mixed) or two (agent, customer)",
    "decoder_memory": "re-encode the file; a plain recording needs far less than EARSHOT_DECODE_MEMORY_BYTES",
    "decoder_time": "re-encode or cut the file, or raise EARSHOT_DECODE_WALL_S",
    "decoder_died": "send it once more; if it happens again, re-encode the file and report it",
}


class _Intake:
    """Collects one file's PCM and what is worth telling about it."""

    def __init__(self, head: dict[str, Any], max_samples: int) -> None:
        self.container: str = head["container"]
        channels = int(head["channels"])
        self._max_samples = max_samples
        self._pcm: Pcm = np.empty((channels, min(int(head["expected"]), max_samples) + (1 << 16)), np.int16)
        self._samples = 0
        self._peak = np.zeros(channels, np.int64)
        self._clipped = np.zeros(channels, np.int64)
        self._alike = channels == 2

    def add(self, payload: bytearray) -> int:
        """Take one piece of planar int16; its length in samples."""
        piece = np.frombuffer(payload, np.int16).reshape(len(self._pcm), -1)
        end = self._samples + piece.shape[1]
        if end > self._max_samples:
            raise Gone
        if end > self._pcm.shape[1]:
            grown = np.empty((len(self._pcm), min(2 * end, self._max_samples)), np.int16)
            grown[:, : self._samples] = self._pcm[:, : self._samples]
            self._pcm = grown
        self._pcm[:, self._samples : end] = piece
        self._samples = end
        self._look(piece)
        return piece.shape[1]

    def _look(self, piece: Pcm) -> None:
        high, low = piece.max(axis=1).astype(np.int64), piece.min(axis=1).astype(np.int64)
        np.maximum(self._peak, np.maximum(high, -low), out=self._peak)
        if max(high.max(), -low.min()) >= _FULL_SCALE:
            self._clipped += ((piece >= _FULL_SCALE) | (piece <= -_FULL_SCALE)).sum(axis=1)
        self._alike = self._alike and _alike(piece)

    def audio(self, rate_hz: int, *, samples: int, warnings: list[str]) -> Audio:
        """The whole file, less what lies behind its first ``samples``."""
        self._samples = min(samples, self._samples)
        found = list(warnings)
        found += [f"silent_channel_{c}" for c, peak in enumerate(self._peak) if peak <= _SILENT_PEAK]
        found += [
            f"clipped_channel_{c}" for c, n in enumerate(self._clipped) if n > _CLIPPED_SHARE * self._samples
        ]
        if self._alike and self._peak.max() > _SILENT_PEAK:
            found.append("identical_channels")
        spare = self._pcm.shape[1] - self._samples
        pcm = self._pcm[:, : self._samples]
        return Audio(pcm if spare < self._samples // 8 else pcm.copy(), rate_hz, self.container, tuple(found))


def _alike(piece: Pcm) -> bool:
    """Whether two channels differ by no more than coding noise: 30 dB below the signal, or inaudible."""
    if np.array_equal(piece[0], piece[1]):
        return True
    left, right = piece[0].astype(np.float32), piece[1].astype(np.float32)
    apart: NDArray[np.float32] = left - right
    loud = float(left @ left + right @ right)
    return float(apart @ apart) <= 1e-3 * loud + len(left) * _SILENT_PEAK**2


class Decoder:
    """A pool of decoder children; ``decode`` may be called from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = threading.Semaphore(settings.decode_workers)
        self._lock = threading.Lock()
        self._children: set[Child] = set()
        self._idle: list[Child] = []
        self._closed = False
        # The kernel kills a child when the thread that started it ends: one lasting thread starts them all.
        self._starter = ThreadPoolExecutor(1, "decoder-starter")

    def decode(self, data: bytes, *, sample_rate_hz: int, deadline_s: float) -> Audio:
        """Decode a media file to int16 at ``sample_rate_hz``, channels kept apart.

        Raises:
            BadMedia: the file cannot be decoded; ``code`` is one of MEDIA_CODES.
            TooLarge: more bytes than ``max_audio_bytes``.
            DeadlineOver: ``deadline_s`` passed, waiting for a free decoder included.
            Busy: the decoder is closed.
            BadSetting: no child can be started at all.
        """
        until = time.monotonic() + deadline_s
        limit = self._settings.max_audio_bytes
        if len(data) > limit:
            raise TooLarge(
                f"the file has {len(data)} bytes, {limit} are taken",
                help="cut it, or raise EARSHOT_MAX_AUDIO_BYTES",
            )
        media = sniff(data)
        if not self._slots.acquire(timeout=max(deadline_s, 0)):
            raise _deadline(deadline_s)
        try:
            return self._with_child(data, media, sample_rate_hz, until, deadline_s)
        finally:
            self._slots.release()

    def _with_child(self, data: bytes, media: Media, rate_hz: int, until: float, deadline_s: float) -> Audio:
        child = self._take()
        keep = False
        try:
            audio = self._converse(child, data, media, rate_hz, until)
            keep = True
            return audio
        except BadMedia as error:
            keep = error.code != "decoder_memory"
            raise
        except Late:
            if time.monotonic() >= until:
                raise _deadline(deadline_s) from None
            wall_s = self._settings.decode_wall_s
            raise _bad("decoder_time", f"not decoded within {wall_s:g} s of wall time", len(data)) from None
        except Gone:
            raise self._post_mortem(child, len(data)) from None
        finally:
            self._give(child, keep=keep)

    def _converse(self, child: Child, data: bytes, media: Media, rate_hz: int, until: float) -> Audio:
        max_samples = int(self._settings.max_audio_s * rate_hz)
        request = {"rate_hz": rate_hz, "max_samples": max_samples, "size_bytes": len(data), **vars(media)}
        stop = time.monotonic() + self._settings.decode_wall_s
        child.send_file(data, request)
        intake: _Intake | None = None
        while True:
            kind, payload = child.receive(min(until, stop))
            if kind == PCM and intake:
                stop += intake.add(payload) / rate_hz / _SLOWEST_X
            elif kind == HEAD:
                intake = _Intake(json.loads(payload), max_samples)
            elif kind == DONE and intake:
                return intake.audio(rate_hz, **json.loads(payload))
            elif kind == FAIL:
                fields = json.loads(payload)
                raise _bad(fields["code"], fields["detail"], len(data))
            else:
                raise Gone

    def _post_mortem(self, child: Child, size_bytes: int) -> Exception:
        status = child.end()
        if self._closed:
            return Busy(
                "the decoder was closed while the file was in hand", help="send it again to a running server"
            )
        if status == -SIGXCPU:
            return _bad("decoder_time", "used up its processor time", size_bytes)
        return _bad("decoder_died", f"the decoder ended with status {status}", size_bytes)

    def _take(self) -> Child:
        with self._lock:
            if self._closed:
                raise Busy("the decoder is closed", help="send the file to a running server")
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                self._children.discard(child)
                child.end()
            starting = self._starter.submit(Child, self._settings.decode_memory_bytes)
        child = starting.result()
        with self._lock:
            if not self._closed:
                self._children.add(child)
                return child
        child.end()
        raise Busy("the decoder was closed", help="send the file to a running server")

    def _give(self, child: Child, *, keep: bool) -> None:
        child.files += 1
        with self._lock:
            if keep and not self._closed and child.files < FILES_PER_CHILD:
                self._idle.append(child)
                return
            self._children.discard(child)
        child.end()

    def close(self) -> None:
        """End all children; files in hand fail with Busy. May be called twice."""
        with self._lock:
            self._closed = True
            children, self._children, self._idle = list(self._children), set(), []
        for child in children:
            child.end()
        self._starter.shutdown()


def _bad(code: str, detail: str, size_bytes: int) -> BadMedia:
    known = code if code in MEDIA_CODES else "corrupt"
    return BadMedia(
        f"the file ({size_bytes} bytes) cannot be decoded: {detail}", help=_HELP[known], code=known
    )


def _deadline(deadline_s: float) -> DeadlineOver:
    return DeadlineOver(
        f"the file was not decoded within {deadline_s:g} s", help="give the call a longer deadline"
    )
