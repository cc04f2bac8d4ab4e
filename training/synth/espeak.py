"""espeak-ng through ctypes, fed pinyin only, in a child process that restarts after a crash."""

from __future__ import annotations

import ctypes
import multiprocessing
import random
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import espeakng_loader
import numpy as np
import numpy.typing as npt

from training.synth.channel import resample
from training.synth.pinyin import Reading, read

NATIVE_RATE_HZ = 22_050
BASE_VOICE = "cmn-latn-pinyin"
_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_EVENT_WORD, _EVENT_END = 1, 5
_RATE, _VOLUME, _PITCH, _RANGE, _WORDGAP = 1, 2, 3, 4, 7
_NO_SPEECH = {
    "Demonic",
    "UniRobot",
    "anikaRobot",
    "Tweaky",
    "Storm",
    "pablo",
    "whisper",
    "whisperf",
    "Mr serious",
}

Pcm = npt.NDArray[np.int16]


class SpeechError(RuntimeError):
    """The text cannot be spoken, or the synthesizer gave up."""


@dataclass(frozen=True, slots=True)
class CharTime:
    """One spoken character and when it sounds, in milliseconds from the first sample."""

    char: str
    start_ms: float
    end_ms: float


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def voices() -> list[str]:
    """Names of the usable voice variants (speakers) of the installed espeak-ng, sorted."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.name not in _NO_SPEECH and not entry.name.startswith("robosoft")
    )


def _markup(phrases: Reading, join: float, rng: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """Pinyin text for espeak and, for every word in it, (1-based character position, syllables)."""
    text = ""
    words: list[tuple[int, int]] = []
    for _, syllables in phrases.phrases:
        if text:
            text += ", "
        for index, syllable in enumerate(syllables):
            if index and rng.random() < join:
                words[-1] = (words[-1][0], words[-1][1] + 1)
            else:
                text += " " if index else ""
                words.append((len(text) + 1, 1))
            text += syllable
    return text, words


class Engine:
    """The library itself, in this process. One instance a process; a crash takes the process down."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data_folder = str(Path(espeakng_loader.get_data_path()).parent).encode()
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, data_folder, 0) != NATIVE_RATE_HZ:
            raise SpeechError("espeak-ng did not start at 22050 Hz")
        self._audio: list[Pcm] = []
        self._events: list[tuple[int, int, int]] = []
        self._callback = _CALLBACK(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._audio.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != 0:
            event = events[index]
            if event.type in (_EVENT_WORD, _EVENT_END):
                self._events.append((event.type, event.text_position, event.audio_ms))
            index += 1
        return 0

    def _set(self, voice: str, rate: int, pitch: int, pitch_range: int, word_gap: int) -> None:
        name = f"{BASE_VOICE}+{voice}" if voice else BASE_VOICE
        if name != self._voice:
            if self._library.espeak_SetVoiceByName(name.encode()) != 0:
                raise SpeechError(f"no such voice: {voice!r}")
            self._voice = name
        for parameter, value in (
            (_RATE, rate),
            (_VOLUME, 80),
            (_PITCH, pitch),
            (_RANGE, pitch_range),
            (_WORDGAP, word_gap),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)

    def speak(
        self,
        reading: Reading,
        voice: str,
        rate: int,
        pitch: int,
        pitch_range: int = 50,
        word_gap: int = 0,
        join: float = 0.35,
        seed: int = 0,
    ) -> tuple[Pcm, list[tuple[float, float]] | None]:
        """PCM at 22,050 Hz and a (start_ms, end_ms) a character; None where words went unreported."""
        self._set(voice, rate, pitch, pitch_range, word_gap)
        self._audio.clear()
        self._events.clear()
        text, words = _markup(reading, join, random.Random(seed))
        raw = text.encode()
        if self._library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _CHARS_UTF8, None, None) != 0:
            raise SpeechError("espeak-ng refused the text")
        self._library.espeak_Synchronize()
        pcm: Pcm = np.concatenate(self._audio) if self._audio else np.zeros(0, np.int16)
        return pcm, self._times(words, len(pcm) * 1000 / NATIVE_RATE_HZ)

    def _times(self, words: list[tuple[int, int]], total_ms: float) -> list[tuple[float, float]] | None:
        """Spread each word's time evenly over its syllables."""
        starts: dict[int, int] = {}
        for kind, position, audio_ms in self._events:
            if kind == _EVENT_WORD:
                starts.setdefault(position, audio_ms)
        bounds = sorted({audio_ms for _, _, audio_ms in self._events} | {int(total_ms)})
        times: list[tuple[float, float]] = []
        for position, count in words:
            if position not in starts:
                return None
            start_ms = starts[position]
            end_ms = next((bound for bound in bounds if bound > start_ms), start_ms + 150 * count)
            step_ms = (end_ms - start_ms) / count
            times.extend((start_ms + step_ms * i, start_ms + step_ms * (i + 1)) for i in range(count))
        return times


def _serve(pipe: Connection) -> None:
    """Child process: speak what comes down the pipe until it closes."""
    engine = Engine()
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(engine.speak(*arguments))
        except SpeechError as error:
            pipe.send(str(error))


class Synthesizer:
    """Speaks hanzi in a child process; a crash of the library restarts the child and tries again."""

    def __init__(self, sample_rate_hz: int = NATIVE_RATE_HZ, attempts: int = 3) -> None:
        self._rate_hz = sample_rate_hz
        self._attempts = attempts
        self._process: Any = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child process."""
        if self._pipe is not None:
            self._pipe.close()
            self._process.join(2)
            if self._process.is_alive():
                self._process.kill()
        self._pipe = None

    def _start(self) -> Connection:
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, child = context.Pipe()
            self._process = context.Process(target=_serve, args=(child,), daemon=True)
            self._process.start()
            child.close()
        return self._pipe

    def say(
        self,
        text: str,
        voice: str = "m1",
        rate: int = 210,
        pitch: int = 50,
        pitch_range: int = 50,
        word_gap: int = 0,
        seed: int = 0,
    ) -> tuple[Pcm, list[CharTime]]:
        """Speak `text` (hanzi and Chinese punctuation, numbers already in hanzi).

        `voice` is one of `voices()` or "" for the plain voice, `rate` words a minute (80–450), `pitch` and
        `pitch_range` 0–99. Returns int16 samples [n] at this object's rate and one CharTime a spoken
        character.
        """
        reading = read(text)
        if reading is None:
            raise SpeechError(f"cannot read {text!r}: write it in hanzi with Chinese punctuation")
        pcm, times = self._ask((reading, voice, rate, pitch, pitch_range, word_gap, 0.35, seed))
        if times is None:
            step_ms = len(pcm) * 1000 / NATIVE_RATE_HZ / len(reading.chars)
            times = [(step_ms * index, step_ms * (index + 1)) for index in range(len(reading.chars))]
        marks = [CharTime(char, start, end) for char, (start, end) in zip(reading.chars, times, strict=True)]
        return (
            pcm if self._rate_hz == NATIVE_RATE_HZ else resample(pcm, NATIVE_RATE_HZ, self._rate_hz)
        ), marks

    def _ask(self, arguments: tuple[Any, ...]) -> tuple[Pcm, list[tuple[float, float]] | None]:
        """One request to the child, with a fresh child after a crash."""
        for _ in range(self._attempts):
            pipe = self._start()
            try:
                pipe.send(arguments)
                answer = pipe.recv()
            except (EOFError, OSError):
                self.close()
                continue
            if isinstance(answer, str):
                raise SpeechError(answer)
            return answer  # type: ignore[no-any-return]
        raise SpeechError("espeak-ng keeps crashing on this text")
