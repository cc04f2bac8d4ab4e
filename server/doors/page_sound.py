"""Sound for the page: the outline of the waveform, and a small file that every browser plays.

Opus in WebM: Chromium, Firefox and Safari play it, and it is a tenth of PCM's size. A-law WAV, what telephone
recorders write, is not played everywhere.
"""

import base64
import io

import av
import numpy as np
from numpy.typing import NDArray

from server.pipeline.call import Audio
from server.pipeline.models import Pcm

OUTLINE_MS_PER_BIN = 60
"""A syllable of Mandarin lasts about 200 ms: three bins show it."""
OUTLINE_BINS = 2400
"""At most so many bins: twice the pixels of a wide screen, and about 30 kB in the file."""
BITS_PER_SECOND_PER_CHANNEL = 16_000
"""Opus at 8 kHz is transparent for telephone speech here; 5 minutes of two channels are 1.2 MB."""
OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
"""The sample rates Opus knows (RFC 6716, section 2)."""


def outline(pcm: Pcm, sample_rate_hz: int) -> NDArray[np.float32]:
    """Lowest and highest sample of each bin: [channels, 2, bins] in -1..1 of the call's loudest sample."""
    channels, length = pcm.shape
    wanted = length * 1000 // (sample_rate_hz * OUTLINE_MS_PER_BIN)
    bins = int(min(max(wanted, 1), OUTLINE_BINS, max(length, 1)))
    if length == 0:
        return np.zeros((channels, 2, 1), np.float32)
    starts = np.arange(bins) * length // bins
    edges = np.stack([np.minimum.reduceat(pcm, starts, 1), np.maximum.reduceat(pcm, starts, 1)], 1)
    scaled = edges.astype(np.float32)
    loudest = np.float32(max(np.abs(scaled).max(), 1))
    relative: NDArray[np.float32] = scaled / loudest
    return relative


def playable(audio: Audio) -> str:
    """Return the call's sound as a ``data:`` address (Opus in WebM, one or two channels)."""
    rate_hz = next((r for r in OPUS_RATES_HZ if r >= audio.sample_rate_hz), OPUS_RATES_HZ[-1])
    layout = "stereo" if audio.channels == 2 else "mono"
    target = io.BytesIO()
    with av.open(target, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=rate_hz, layout=layout)
        stream.bit_rate = BITS_PER_SECOND_PER_CHANNEL * audio.channels
        stream.options = {"application": "voip", "compression_level": "4"}
        resampler = av.AudioResampler(format="s16", layout=layout, rate=rate_hz)
        for frame in [*resampler.resample(_frame(audio, layout)), *resampler.resample(None)]:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return "data:audio/webm;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def _frame(audio: Audio, layout: str) -> av.AudioFrame:
    interleaved = np.ascontiguousarray(audio.pcm.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
    frame.sample_rate = audio.sample_rate_hz
    return frame
