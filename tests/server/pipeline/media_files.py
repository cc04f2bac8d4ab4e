"""Real media files for the decoder's tests, made with PyAV."""

import io
import wave
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

FORMATS = {
    # name: (container, codec, rates)
    "wav_u8": ("wav", "pcm_u8", (8000, 16000)),
    "wav_s16": ("wav", "pcm_s16le", (8000, 11025, 44100)),
    "wav_s24": ("wav", "pcm_s24le", (8000, 48000)),
    "wav_s32": ("wav", "pcm_s32le", (16000,)),
    "wav_f32": ("wav", "pcm_f32le", (8000, 48000)),
    "wav_alaw": ("wav", "pcm_alaw", (8000,)),
    "wav_mulaw": ("wav", "pcm_mulaw", (8000,)),
    "mp3": ("mp3", "libmp3lame", (8000, 16000, 44100)),
    "amr": ("amr", "libopencore_amrnb", (8000,)),
    "opus": ("ogg", "libopus", (8000, 16000, 48000)),
    "vorbis": ("ogg", "vorbis", (44100,)),
    "flac": ("flac", "flac", (8000, 44100)),
    "m4a": ("ipod", "aac", (8000, 16000, 44100)),
    "adts": ("adts", "aac", (8000, 44100)),
    "webm": ("webm", "libopus", (48000,)),
    "mp4": ("mp4", "aac", (44100,)),
}
STEREO_ONLY = ("vorbis",)
MONO_ONLY = ("amr",)
VIDEO = {"webm": "libvpx", "mp4": "mpeg4"}


def tone(hz: float, *, rate_hz: int, seconds: float, peak: int = 8000) -> Pcm:
    """A sine [n]."""
    return np.rint(peak * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(
        np.int16
    )


def wav(pcm: Pcm, rate_hz: int) -> bytes:
    """16-bit WAV of [channels, n], written by the standard library."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(len(pcm))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.ascontiguousarray(pcm.T).tobytes())
    return target.getvalue()


def encode(
    pcm: Pcm, rate_hz: int, container: str, codec: str, *, video: str = "", streams: int = 1,
    bits_per_s: int | None = None,
) -> bytes:  # fmt: skip
    """[channels, n] in a container; with ``video``, a few grey pictures come first in the stream order."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as out:
        if video:
            picture = out.add_stream(video, rate=10, width=32, height=32, pix_fmt="yuv420p")
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(pcm)]
        audio = [out.add_stream(codec, rate=rate_hz, layout=layout) for _ in range(streams)]
        if video:
            for _ in range(pcm.shape[1] * 10 // rate_hz):
                out.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
            out.mux(picture.encode(None))
        for stream in audio:
            stream.codec_context.options = {
                "strict": "-2"
            }  # FFmpeg's own Vorbis encoder is called experimental
            if bits_per_s is not None:
                stream.bit_rate = bits_per_s
            step = rate_hz // 10
            for start in range(0, pcm.shape[1], step):
                interleaved = np.ascontiguousarray(pcm[:, start : start + step].T).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return target.getvalue()


def loudest_hz(pcm: Pcm, rate_hz: int) -> float:
    """Frequency of the strongest partial of the middle half of [n]."""
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4].astype(float) * np.hanning(
        len(pcm[len(pcm) // 4 : -len(pcm) // 4])
    )
    return float(np.abs(np.fft.rfft(middle)).argmax() * rate_hz / len(middle))
