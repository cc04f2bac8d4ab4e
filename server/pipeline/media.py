"""What a media file is, told from its first bytes, and which demuxers and codecs may be used on it.

Nothing here decodes: bytes are only looked at. The decoder child gets the demuxer's name from here and is
held to it, so a playlist that calls itself ``call.wav`` is refused before any parser sees it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from server.errors import BadMedia

_PCM = (
    "pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le"
)
CODECS = frozenset(
    f"{_PCM} pcm_alaw pcm_mulaw adpcm_ms adpcm_ima_wav g726 gsm_ms mp3 mp3float amrnb amrwb aac alac "
    "flac opus libopus vorbis".split()
)
"""Decoders a file may use; everything else, all video and image decoders among them, is never opened."""

_SIZE_UNKNOWN = 0x7FFFFF00
"""Data sizes from here on are what recorders write that never came back to fill the header in."""

_REFUSED = (
    (b"#EXTM3U", "an HLS playlist"), (b"ffconcat", "a concat script"), (b"[playlist]", "a playlist"),
    (b"<?xml", "XML (a DASH manifest?)"), (b"<MPD", "a DASH manifest"), (b"<svg", "an SVG image"),
    (b"v=0", "an SDP description"), (b"http:", "a URL"), (b"https:", "a URL"), (b"file:", "a URL"),
    (b"concat:", "a URL"), (b"rtsp:", "a URL"), (b"RTSPtext", "a URL"), (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"), (b"GIF8", "a GIF image"), (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"), (b"MM\0*", "a TIFF image"), (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"), (b"7z\xbc\xaf", "a 7z archive"), (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"), (b"FLV\x01", "an FLV video"), (b"\x30\x26\xb2\x75", "a WMA/ASF file"),
    (b"#!AMR_MC", "a multi-channel AMR file"),
)  # fmt: skip
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_HELP_FORMATS = "send WAV, MP3, AMR, Ogg (Opus, Vorbis), FLAC, M4A/AAC, MP4 or WebM"


@dataclass(frozen=True)
class Media:
    """A media file's demuxer and the options it needs."""

    demuxer: str
    unknown_length: bool = False
    """A WAV whose header gives no usable length: read to the end of the file."""
    truncated: bool = False
    """A WAV or MP3 whose header promises more bytes than there are, or an Ogg file without an end."""


def sniff(data: bytes) -> Media:
    """What ``data`` is.

    Raises:
        BadMedia: ``empty``, ``refused_format`` (a playlist, image, archive …) or ``unknown_format``.
    """
    if not data:
        raise BadMedia("the file is empty: 0 bytes", help="send the recording itself", code="empty")
    if data[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and data[8:12] == b"WAVE":
        return _wav(data)
    if data.startswith(b"OggS"):
        return Media("ogg", truncated=not _ogg_ends(data))
    if data.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return Media("amr")
    if data[4:8] in _BOXES:
        return Media("mov")
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return Media("matroska")
    _refuse(data)
    found = _frames(data)
    if found:
        return Media(found, truncated=found == "mp3" and _xing_bytes(data) > len(data))
    raise BadMedia(
        f"the file is in no format known here: {len(data)} bytes beginning {data[:8].hex(' ')}",
        help=f"{_HELP_FORMATS}; raw samples need a WAV header",
        code="unknown_format",
    )


def _refuse(data: bytes) -> None:
    head = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise BadMedia(f"the file is {name}, not a recording", help=_HELP_FORMATS, code="refused_format")
    if data[:4] == b"RIFF" and len(data) >= 12:
        kind = data[8:12].decode("ascii", "replace")
        raise BadMedia(f"the file is RIFF/{kind!r}, not WAVE", help=_HELP_FORMATS, code="refused_format")


def _wav(data: bytes) -> Media:
    """Find the data chunk and compare its declared size with what is there."""
    order = "big" if data[:4] == b"RIFX" else "little"
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)  # type: ignore[arg-type]
        if data[at : at + 4] == b"data":
            there = len(data) - at - 8
            unset = size == 0 and there > 0 and not data[at + 8 : at + 12].strip().isalnum()
            unknown = data[:4] in (b"RIFF", b"RIFX") and (size >= _SIZE_UNKNOWN or unset)
            return Media("wav", unknown_length=unknown, truncated=not unknown and there < size < 0xFFFFFFFF)
        at += 8 + size + (size & 1)
    return Media("wav", truncated=True)


def _ogg_ends(data: bytes) -> bool:
    """Whether the last page is whole and marked as the end of its stream (RFC 3533, section 6)."""
    at = data.rfind(b"OggS", max(0, len(data) - (1 << 17)))
    if at < 0 or at + 27 > len(data):
        return False
    segments = data[at + 26]
    body = sum(data[at + 27 : at + 27 + segments])
    return bool(data[at + 5] & 4) and at + 27 + segments + body <= len(data)


def _frames(data: bytes) -> str:
    """``flac``, ``mp3`` or ``aac`` (ADTS) where an ID3 tag or a chain of frame headers says so."""
    at = 0
    if data.startswith(b"ID3") and len(data) > 10:
        at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    if data.startswith(b"fLaC", at):
        return "flac"
    window = data[at : at + (1 << 16)]
    start = window.find(b"\xff")
    while start >= 0:
        for name, length in (("aac", _adts_length), ("mp3", _mp3_length)):
            if _chained(window, start, length):
                return name
        start = window.find(b"\xff", start + 1)
    return "mp3" if at else ""


def _xing_bytes(data: bytes) -> int:
    """Bytes the whole MP3 has by its Xing or Info frame, which encoders put first; 0 where there is none."""
    at = max(data.find(b"Xing", 0, 1 << 16), data.find(b"Info", 0, 1 << 16))
    flags = int.from_bytes(data[at + 4 : at + 8])
    if at < 0 or not 2 <= flags < 16 or not flags & 2:
        return 0
    field = at + 8 + 4 * (flags & 1)
    return int.from_bytes(data[field : field + 4])


def _chained(data: bytes, at: int, length: Callable[[bytes], int]) -> bool:
    """Whether three frames follow one another from ``at``, or fewer where the whole file is that short."""
    start = at
    for _ in range(3):
        step = length(data[at : at + 7])
        if step < 7:
            return False
        at += step
        if at >= len(data):
            return start == 0
    return True


def _adts_length(head: bytes) -> int:
    """Bytes of the ADTS frame that starts with ``head`` [7]; 0 where none does (ISO 13818-7, 6.2)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or (head[2] >> 2) & 15 > 12:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_HZ = (44_100, 48_000, 32_000)


def _mp3_length(head: bytes) -> int:
    """Bytes of the layer-3 frame that starts with ``head`` [4]; 0 where none does (ISO 11172-3, 13818-3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate, kbits = (head[1] >> 3) & 3, (head[2] >> 2) & 3, head[2] >> 4
    if version == 1 or rate == 3:
        return 0
    hz = _MP3_HZ[rate] >> (0, 0, 1, 0)[version] >> (2 if version == 0 else 0)
    bits = (_KBITS_1 if version == 3 else _KBITS_2)[kbits] * 1000
    return (144 if version == 3 else 72) * bits // hz + ((head[2] >> 1) & 1) if bits else 0
