"""Whisper as a Hugging Face folder: transformers reads it, whisper_torch writes its networks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.spec import FrontEnd, Spec, Whisper
from model_runtime.whisper import DECODER_FILE, ENCODER_FILE
from server.errors import BadCheckpoint
from server.importers import filters
from server.importers.draft import ASR, Draft, Wishes, library, reading, wanted, write_tokens
from server.importers.huggingface import EXTRA, load
from server.importers.whisper_torch import write_decoder, write_encoder

EXPECTED = (
    "a Hugging Face folder of Whisper: config.json, generation_config.json, preprocessor_config.json, "
    "tokenizer files and all weights"
)
_GUARD = 1e-10
_DEFAULT_INITIAL_TIMESTAMP = 50


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of a Whisper model's folder.

    Raises:
        BadCheckpoint: damaged, weights are missing, or the language is not known.
        BadSetting: transformers cannot be imported here.
    """
    wanted(wishes, (ASR,), "Whisper")
    heads = json.loads((source / "config.json").read_bytes()).get("architectures") or ["nothing"]
    if heads[0] != "WhisperForConditionalGeneration":
        raise BadCheckpoint(f"{source.name} is a {heads[0]}", help="expected WhisperForConditionalGeneration")
    transformers = library("transformers", EXTRA)
    with reading(source, EXPECTED):
        extractor = transformers.WhisperFeatureExtractor.from_pretrained(source, local_files_only=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
        about = transformers.GenerationConfig.from_pretrained(source, local_files_only=True)
    model = load(source, "WhisperForConditionalGeneration")
    how = _how(model, about, tokenizer, wishes)
    write_encoder(model, folder / ENCODER_FILE)
    write_decoder(model, folder / DECODER_FILE)
    write_tokens(_texts(tokenizer, how.special_from), folder)
    front_end = _front_end(extractor, folder)
    remarks = (f"the language is {wishes.language}, told to the model at every segment",)
    spec = Spec(front_end=front_end, whisper=how, max_seconds=front_end.seconds)
    return Draft(spec, "Hugging Face Whisper", front_end.rate_hz, remarks=remarks)


def _front_end(extractor: Any, folder: Path) -> FrontEnd:
    n_fft = int(extractor.n_fft)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    filters.write_arrays(folder, window, np.asarray(extractor.mel_filters, np.float64).T)
    return FrontEnd(
        int(extractor.sampling_rate), n_fft, int(extractor.hop_length), n_fft, "reflected", 1.0, "whisper",
        _GUARD, seconds=float(extractor.chunk_length),
    )  # fmt: skip


def _how(model: Any, about: Any, tokenizer: Any, wishes: Wishes) -> Whisper:
    config, languages = model.config, getattr(about, "lang_to_id", None)
    prompt = [int(config.decoder_start_token_id)]
    if languages:
        mark = f"<|{wishes.language}|>"
        if mark not in languages:
            known = ", ".join(sorted(name.strip("<|>") for name in languages))
            raise BadCheckpoint(
                f"this Whisper knows no {wishes.language!r}", help=f"--language is one of {known}"
            )
        prompt += [int(languages[mark]), int(about.task_to_id["transcribe"])]
    end = int(about.eos_token_id if isinstance(about.eos_token_id, int) else config.eos_token_id)
    no_timestamps = int(about.no_timestamps_token_id)
    initial = getattr(about, "max_initial_timestamp_index", None)
    width = config.d_model // config.decoder_attention_heads
    return Whisper(
        prompt=tuple(prompt),
        end=end,
        timestamps_from=no_timestamps + 1,
        no_timestamps=no_timestamps,
        suppress=tuple(about.suppress_tokens or ()),
        suppress_first=tuple(about.begin_suppress_tokens or ()),
        most_tokens=int(config.max_target_positions),
        most_initial_timestamp=_DEFAULT_INITIAL_TIMESTAMP if initial is None else int(initial),
        layers=int(config.decoder_layers),
        heads=int(config.decoder_attention_heads),
        head_width=int(width),
        special_from=min(end, *prompt),
    )


def _texts(tokenizer: Any, special_from: int) -> list[str]:
    """Texts of the tokens before the special ones; the byte alphabet is GPT-2's."""
    alphabet = _byte_alphabet()
    names = tokenizer.convert_ids_to_tokens(list(range(min(special_from, len(tokenizer)))))
    raw = (bytes(alphabet[character] for character in name if character in alphabet) for name in names)
    return [piece.decode("utf-8", "surrogateescape") for piece in raw]


def _byte_alphabet() -> Mapping[str, int]:
    """Printable bytes stand for themselves, the others for characters from 256 on (GPT-2, MIT)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }
