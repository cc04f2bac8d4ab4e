"""Mandarin speech synthesis with espeak-ng for training data, tests and demonstration calls.

>>> from training.synth import Synthesizer
>>> with Synthesizer(sample_rate_hz=8000) as synth:
...     pcm, times = synth.say("您好，请问是王先生吗", voice="f2", rate=210, pitch=55)
"""

from training.synth.channel import Channel, alaw_bytes, alaw_decode, alaw_encode, resample, telephone
from training.synth.espeak import CharTime, Engine, SpeechError, Synthesizer, voices
from training.synth.pinyin import Reading, read

__all__ = [
    "Channel",
    "CharTime",
    "Engine",
    "Reading",
    "SpeechError",
    "Synthesizer",
    "alaw_bytes",
    "alaw_decode",
    "alaw_encode",
    "read",
    "resample",
    "telephone",
    "voices",
]
