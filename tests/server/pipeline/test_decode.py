"""The decoder through its public door: real files, broken files, hostile files, dying children."""

import contextlib
import io
import random
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from server.errors import MEDIA_CODES, BadMedia, TooLarge
from server.pipeline.decode import Decoder
from tests.server.pipeline.decoders import (
    child_pids,
    code_of,
    only_new_child,
    take,
    two_tones,
)
from tests.server.pipeline.media_files import (
    FORMATS,
    MONO_ONLY,
    STEREO_ONLY,
    VIDEO,
    encode,
    loudest_hz,
    tone,
    wav,
)

# ── formats ──


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels"),
    [
        (name, rate_hz, channels)
        for name, (_, _, rates) in FORMATS.items()
        for rate_hz in rates
        for channels in (1, 2)
        if not (channels == 2 and name in MONO_ONLY) and not (channels == 1 and name in STEREO_ONLY)
    ],
)
def test_every_format_keeps_channels_duration_and_pitch(
    decoder: Decoder, name: str, rate_hz: int, channels: int
) -> None:
    container, codec, _ = FORMATS[name]
    data = encode(two_tones(rate_hz)[:channels], rate_hz, container, codec, video=VIDEO.get(name, ""))
    for wanted_hz in (8000, 16000):
        audio = take(decoder, data, wanted_hz)
        assert audio.pcm.dtype == np.int16 and audio.sample_rate_hz == wanted_hz
        assert audio.channels == channels and audio.warnings == ()
        # Raw ADTS has no field for the encoder's two frames of padding.
        slack_ms = 2 * 1024 * 1000 / rate_hz if name == "adts" else 40
        assert abs(audio.duration_ms - 2000) <= slack_ms
        for row, hz in zip(audio.pcm, (440, 1000), strict=False):
            # Within 1 %, or what FFmpeg's rough Vorbis encoder makes of it.
            assert loudest_hz(row, wanted_hz) == pytest.approx(hz, rel=0.011)


def test_pcm_at_the_wanted_rate_is_bit_exact(decoder: Decoder) -> None:
    pcm = np.random.default_rng(1).integers(-30000, 30000, (2, 100_001)).astype(np.int16)
    audio = take(decoder, wav(pcm, 8000))
    assert np.array_equal(audio.pcm, pcm) and audio.container == "wav/pcm_s16le"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFE])
def test_streaming_wav_without_a_length_is_read_to_its_end(decoder: Decoder, size: int) -> None:
    pcm = two_tones(8000)
    data = bytearray(wav(pcm, 8000))
    data[4:8] = data[40:44] = struct.pack("<I", size)
    audio = take(decoder, bytes(data))
    assert np.array_equal(audio.pcm, pcm) and audio.warnings == ()


def test_chunk_after_the_samples_is_no_sound(decoder: Decoder) -> None:
    pcm = two_tones(8000)
    audio = take(decoder, wav(pcm, 8000) + b"LIST" + struct.pack("<I", 400) + b"x" * 400)
    assert np.array_equal(audio.pcm, pcm) and audio.warnings == ()


def test_mp3_behind_an_id3_tag_and_junk(decoder: Decoder) -> None:
    data = encode(two_tones(16000), 16000, "mp3", "libmp3lame")
    assert (
        take(decoder, b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + data[data.index(b"\xff") :]).channels
        == 2
    )
    assert take(decoder, bytes(333) + data[data.index(b"\xff\xf3") :]).channels == 2


def test_packets_the_recorder_left_out_become_silence(decoder: Decoder) -> None:
    target = io.BytesIO()
    whole = encode(two_tones(48000, 3.0), 48000, "webm", "libopus")
    with av.open(io.BytesIO(whole)) as source, av.open(target, "w", format="webm") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None and not 1.0 <= float(packet.pts * packet.time_base) < 2.0:
                packet.stream = stream
                out.mux(packet)
    audio = take(decoder, target.getvalue())
    assert audio.duration_ms == pytest.approx(3000, abs=60)
    assert np.abs(audio.pcm[:, 8 * 1200 : 8 * 1900]).max() < 50 < np.abs(audio.pcm[:, 8 * 2100 :]).max()


# ── warnings ──


def test_warnings_name_what_is_odd_and_only_that(decoder: Decoder) -> None:
    left, right = two_tones(8000)
    quiet = np.zeros_like(left)
    square = np.clip(left.astype(int) * 20, -32768, 32767).astype(np.int16)
    noise = np.random.default_rng(2).integers(-3, 4, left.shape).astype(np.int16)
    for pair, expected in (
        ((left, right), ()),
        ((left, quiet), ("silent_channel_1",)),
        ((quiet, right), ("silent_channel_0",)),
        ((quiet, quiet), ("silent_channel_0", "silent_channel_1")),
        ((left, left), ("identical_channels",)),
        ((left, left + noise), ("identical_channels",)),
        ((square, right), ("clipped_channel_0",)),
    ):
        assert take(decoder, wav(np.stack(pair), 8000)).warnings == expected
    assert take(decoder, encode(np.stack([left, quiet]), 8000, "wav", "pcm_alaw")).warnings == (
        "silent_channel_1",
    )


def test_first_of_two_audio_streams_is_taken(decoder: Decoder) -> None:
    audio = take(decoder, encode(two_tones(44100)[:1], 44100, "mp4", "aac", streams=2))
    assert audio.channels == 1 and audio.warnings == ("extra_audio_streams_1",)


@pytest.mark.parametrize("name", ["wav_s16", "flac", "opus", "m4a", "webm", "mp3", "amr", "adts"])
def test_cut_file_gives_its_beginning_and_a_warning(decoder: Decoder, name: str) -> None:
    container, codec, rates = FORMATS[name]
    pcm = np.random.default_rng(3).integers(-3000, 3000, (1, rates[0] * 2)).astype(np.int16)
    data = encode(pcm, rates[0], container, codec)
    if name == "m4a":  # the index lies at the end of such a file: without it nothing can be decoded
        assert code_of(decoder, data[: len(data) * 2 // 3]) == "corrupt"
        return
    audio = take(decoder, data[: len(data) * 2 // 3 - 1])
    assert "truncated" in audio.warnings and 800 < audio.duration_ms < 1600


# ── refusals ──


def test_each_refusal_has_its_code(decoder: Decoder) -> None:
    video_only = io.BytesIO()
    with av.open(video_only, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode(None))
    six = np.stack([tone(300 + 100 * c, rate_hz=8000, seconds=0.5) for c in range(6)])
    assert code_of(decoder, b"") == "empty"
    assert code_of(decoder, wav(np.zeros((1, 0), np.int16), 8000)) == "empty"
    assert code_of(decoder, bytes(5000)) == "unknown_format"
    assert code_of(decoder, random.Random(4).randbytes(50_000)) == "unknown_format"
    assert code_of(decoder, video_only.getvalue()) == "no_audio"
    assert code_of(decoder, encode(six, 8000, "wav", "pcm_s16le")) == "too_many_channels"
    assert code_of(decoder, encode(two_tones(44100), 44100, "matroska", "ac3")) == "refused_format"
    assert code_of(decoder, b"fLaC" + bytes(9000)) == "corrupt"


def test_limits_on_length_and_bytes(make_decoder) -> None:  # type: ignore[no-untyped-def]
    data = wav(two_tones(8000), 8000)
    assert code_of(make_decoder(max_audio_s=1.9), data) == "too_long"
    assert take(make_decoder(max_audio_s=2.1), data).duration_ms == 2000
    with pytest.raises(TooLarge, match=f"{len(data)} bytes"):
        take(make_decoder(max_audio_bytes=len(data) - 1), data)


@contextlib.contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP sink: its URL and the requests that reached it."""
    hits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    link, _ = server.accept()
                    with link:
                        hits.append(link.recv(200))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/call.wav", hits
        ended.set()
        thread.join()


def test_urls_and_playlists_fetch_nothing(decoder: Decoder, tmp_path: Path) -> None:
    victim = tmp_path / "victim.wav"
    victim.write_bytes(wav(two_tones(8000), 8000))
    with listener() as (url, hits):
        baits = [
            url,
            f"concat:{victim}|{url}",
            f"file:{victim}",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{url}'\n",
            f"ffconcat version 1.0\nfile '{victim}'\n",
            f"\ufeff\n  ffconcat version 1.0\nfile '{victim}'\n",
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\na=x:{url}\n",
            f'<?xml version="1.0"?><MPD><BaseURL>{url}</BaseURL></MPD>',
            f"[playlist]\nFile1={url}\n",
        ]
        for bait in baits:
            assert code_of(decoder, bait.encode()) == "refused_format"
        assert code_of(decoder, b"\x89PNG\r\n\x1a\n" + bytes(64)) == "refused_format"
        assert hits == []
        # Control: the library alone would go there.
        with pytest.raises(Exception):  # noqa: B017
            av.open(url)
        assert len(hits) == 1


def test_child_has_no_network_and_its_limits(make_decoder) -> None:  # type: ignore[no-untyped-def]
    before = child_pids()
    take(make_decoder(decode_memory_bytes=1 << 29), wav(two_tones(8000), 8000))
    pid = only_new_child(before)
    assert resource.prlimit(pid, resource.RLIMIT_AS) == (1 << 29, 1 << 29)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] <= 64
    assert 10 <= resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= 20
    interfaces = Path(f"/proc/{pid}/net/dev").read_text().count(":")
    if Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
        assert interfaces == 1  # the loopback of an empty network, which is down
    assert not any(
        name.startswith("EARSHOT") for name in Path(f"/proc/{pid}/environ").read_text().split("\0")
    )


# ── broken and hostile files ──


@pytest.mark.parametrize("name", ["wav_alaw", "opus", "amr", "flac"])
def test_every_truncation_ends_in_a_result_or_a_closed_code(decoder: Decoder, name: str) -> None:
    container, codec, rates = FORMATS[name]
    seconds = 0.1 if name == "wav_alaw" else 1.5
    data = encode(tone(440, rate_hz=rates[0], seconds=seconds)[None], rates[0], container, codec)
    results = 0
    for length in range(0, len(data), 1 if name == "wav_alaw" else max(1, len(data) // 200)):
        try:
            results += take(decoder, data[:length]).pcm.shape[1] > 0
        except BadMedia as error:
            assert error.code in ("empty", "unknown_format", "corrupt", "no_audio")
    assert results > 20


def mutant(data: bytes, chance: random.Random) -> bytes:
    """``data`` with bits flipped, its head overwritten, a stretch zeroed, doubled or cut off."""
    spoilt, kind = bytearray(data), chance.randrange(5)
    at, length = chance.randrange(len(data)), chance.randrange(400)
    if kind == 0:
        del spoilt[at:]
    elif kind == 1:
        for _ in range(chance.randint(1, 20)):
            spoilt[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == 2:
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(min(120, len(data)))] = chance.choice((0, 0x7F, 0x80, 0xFF))
    elif kind == 3:
        spoilt[at : at + length] = bytes(len(spoilt[at : at + length]))
    else:
        spoilt[at:at] = data[at : at + length]
    return bytes(spoilt)


def test_mutants_end_in_a_result_or_a_closed_code_and_the_pool_survives(decoder: Decoder) -> None:
    chance = random.Random(20251124)
    pcm = two_tones(8000, 0.5)
    sources = [
        encode(
            np.repeat(pcm[: 1 if name in MONO_ONLY else 2], rates[0] // 8000, axis=1),
            rates[0],
            container,
            codec,
        )
        for name, (container, codec, rates) in FORMATS.items()
    ]
    codes: dict[str, int] = {}
    for _ in range(300):
        began = time.monotonic()
        try:
            take(decoder, mutant(chance.choice(sources), chance))
            code = "ok"
        except BadMedia as error:
            code = error.code
            assert code in MEDIA_CODES
        codes[code] = codes.get(code, 0) + 1
        assert time.monotonic() - began < 10
    assert codes["ok"] > 100 and codes["corrupt"] > 20
    assert np.array_equal(take(decoder, wav(pcm, 8000)).pcm, pcm)


def test_header_with_an_absurd_rate_is_no_bomb(decoder: Decoder) -> None:
    assert code_of(decoder, wav(two_tones(8000), 1)) == "corrupt"


def flac_with_pictures(count: int) -> bytes:
    """A second of FLAC behind ``count`` pictures of 16 MB, all of which FFmpeg keeps in memory."""
    plain = encode(tone(440, rate_hz=8000, seconds=1)[None], 8000, "flac", "flac")
    size = (1 << 24) - 1
    head = struct.pack(">II9sI5I", 3, 9, b"image/png", 0, 1, 1, 24, 0, size - 41) + b"\x89PNG"
    picture = b"\x06" + size.to_bytes(3, "big") + head + bytes(size - len(head))
    return b"fLaC\x00" + plain[5:42] + picture * count + plain[42:]


def test_memory_bomb_ends_in_decoder_memory_and_the_next_file_decodes(make_decoder) -> None:  # type: ignore[no-untyped-def]
    small, before = make_decoder(decode_memory_bytes=1 << 28), child_pids()
    assert take(small, flac_with_pictures(1)).duration_ms == 1000  # control: it is a sound file
    first = only_new_child(before)
    assert code_of(small, flac_with_pictures(12)) == "decoder_memory"
    assert take(small, wav(two_tones(8000), 8000)).duration_ms == 2000
    assert only_new_child(before) != first
