"""Whisper: tiny folders saved by transformers; tokens and times held against its ``generate``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_runtime.audio import Pcm
from model_runtime.recogniser import Recogniser
from model_runtime.whisper import WhisperReader
from server.errors import BadCheckpoint
from server.importers.whisper import _byte_alphabet
from tests.importers.conftest import Bench, library, speech, squeezed

MOST_TOKENS = 40
SEGMENTS = [speech(16_000, seconds) for seconds in (1.5, 9.0, 2.3, 4.1)]
MARKS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|translate|>", "<|transcribe|>",
         "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip
STAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


def _tokenizer(folder: Path) -> dict[str, int]:
    """A byte-level tokenizer with a few merged pieces, in Whisper's layout."""
    tokenizers, transformers = library("tokenizers"), library("transformers")
    letters = {byte: letter for letter, byte in _byte_alphabet().items()}
    pieces = [letters[byte] for byte in range(256)]
    merges = []
    for word in ("好", "您", "请", " the", " call"):
        spelt = [letters[byte] for byte in word.encode()]
        while len(spelt) > 1:
            merges.append((spelt[0], spelt[1]))
            spelt[:2] = [spelt[0] + spelt[1]]
            pieces.append(spelt[0])
    vocab = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    base = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=merges))
    base.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = tokenizers.decoders.ByteLevel()
    base.add_special_tokens(MARKS)
    base.add_tokens([tokenizers.AddedToken(stamp, special=False) for stamp in STAMPS])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=base, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    ).save_pretrained(folder)
    return dict(base.get_vocab())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[Path, Any]]:
    """Makes a tiny Whisper with so many mel bins; returns its folder and the model."""
    transformers, torch = library("transformers"), library("torch")
    done: dict[int, tuple[Path, Any]] = {}

    def make(bins: int) -> tuple[Path, Any]:
        if bins in done:
            return done[bins]
        folder = tmp_path_factory.mktemp(f"whisper{bins}")
        ids = _tokenizer(folder)
        end, start, first = ids["<|endoftext|>"], ids["<|startoftranscript|>"], ids[STAMPS[0]]
        common = {
            "bos_token_id": end,
            "eos_token_id": end,
            "pad_token_id": end,
            "decoder_start_token_id": start,
        }
        torch.manual_seed(bins)
        config = transformers.WhisperConfig(
            vocab_size=len(ids), num_mel_bins=bins, d_model=32, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
            max_source_positions=1500, max_target_positions=MOST_TOKENS, init_std=0.4, **common,
        )  # fmt: skip
        model = transformers.WhisperForConditionalGeneration(config).eval()
        model.generation_config = transformers.GenerationConfig(
            **common, max_length=MOST_TOKENS, is_multilingual=True, max_initial_timestamp_index=50,
            no_timestamps_token_id=first - 1, suppress_tokens=[3, 4, 5, *(ids[m] for m in MARKS[1:])],
            begin_suppress_tokens=[32, end], lang_to_id={"<|zh|>": ids["<|zh|>"], "<|en|>": ids["<|en|>"]},
            task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        )  # fmt: skip
        model.save_pretrained(folder)
        transformers.WhisperFeatureExtractor(feature_size=bins).save_pretrained(folder)
        done[bins] = folder, model
        return done[bins]

    return make


def _own(folder: Path, model: Any, pcm: Pcm) -> list[int]:
    """Tokens that transformers itself generates, without the prompt and the end."""
    extractor = library("transformers").WhisperFeatureExtractor.from_pretrained(folder)
    features = extractor(
        pcm.astype(np.float32) / 32768, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    with library("torch").no_grad():
        ids = model.generate(
            features, language="zh", task="transcribe", return_timestamps=True, do_sample=False, num_beams=1,
            force_unique_generate_call=True,
        )  # fmt: skip
    tokens = [int(token) for token in ids[0]]
    return [token for token in tokens if token != model.config.eos_token_id and token not in _prompt(model)]


def _prompt(model: Any) -> tuple[int, ...]:
    about = model.generation_config
    return (model.config.decoder_start_token_id, about.lang_to_id["<|zh|>"], about.task_to_id["transcribe"])


@pytest.mark.parametrize("bins", [80, 128])
def test_tokens_and_texts_are_transformers_own(
    made: Callable[[int], tuple[Path, Any]], bench: Bench, bins: int
) -> None:
    folder, model = made(bins)
    done = bench.install(folder, "asr")
    assert done.sample_rate_hz == 16_000 and done.draft.spec.whisper is not None
    assert done.draft.spec.whisper.prompt == _prompt(model)
    own = [_own(folder, model, pcm) for pcm in SEGMENTS]
    reader = Recogniser(done.folder / "1").reader
    assert isinstance(reader, WhisperReader)
    decoded = [[word.token for word in reader.decode(pcm.astype(np.float32) / 32768)] for pcm in SEGMENTS]
    assert decoded == own
    assert len({token for tokens in own for token in tokens}) > 8, "the control: many different tokens"
    tokenizer, first = library("transformers").AutoTokenizer.from_pretrained(folder), own[0][0]
    assert first >= done.draft.spec.whisper.timestamps_from
    texts = [
        tokenizer.decode([t for t in tokens if t < done.draft.spec.whisper.special_from]) for tokens in own
    ]
    assert [squeezed(text) for text in bench.heard(SEGMENTS)] == [
        _printable(squeezed(text)) for text in texts
    ]


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c != "\N{REPLACEMENT CHARACTER}")


def test_times_lie_between_the_time_stamps(made: Callable[[int], tuple[Path, Any]], bench: Bench) -> None:
    folder, _ = made(80)
    bench.install(folder, "asr")
    with bench.served("asr") as models:
        heard = models.transcribe(SEGMENTS, deadline_s=60)
    for units, pcm in zip(heard, SEGMENTS, strict=True):
        assert (np.diff(units.start_ms) >= 0).all() and (units.end_ms >= units.start_ms).all()
        assert units.end_ms.max(initial=0) <= len(pcm) / 16
        assert ((units.confidence > 0) & (units.confidence <= 1)).all()


def test_damage_is_named_and_leaves_nothing(
    made: Callable[[int], tuple[Path, Any]], bench: Bench, tmp_path: Path
) -> None:
    import shutil

    folder, _ = made(80)
    cut, deaf = tmp_path / "cut", tmp_path / "deaf"
    for copy in (cut, deaf):
        shutil.copytree(folder, copy)
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    (deaf / "preprocessor_config.json").unlink()
    for source, message in {cut: "cannot be read", deaf: "cannot be read"}.items():
        with pytest.raises(BadCheckpoint, match=message) as caught:
            bench.install(source, "asr")
        assert "expected a Hugging Face folder" in caught.value.help
    with pytest.raises(BadCheckpoint, match="knows no 'xx'"):
        bench.install(folder, "asr", language="xx")
    with pytest.raises(BadCheckpoint, match="cannot serve as 'emotion'"):
        bench.install(folder, "emotion")
    assert list(bench.settings.model_repository.iterdir()) == []
