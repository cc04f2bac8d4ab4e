"""Hugging Face classifiers: tiny folders saved by transformers, answers held against transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import BadCheckpoint
from tests.importers.conftest import Bench, library, speech

TURNS = ("您好，请问是王先生吗？", "我没有钱，过几天再还", "hello 好", "再不还我们就上门了" * 30, "嗯")
BEFORE = ("", "您这边今天能处理吗", "喂", "我不还", "好的")
LABELS = {0: "ang", 1: "hap", 2: "neu", 3: "sad"}


@pytest.fixture(scope="module")
def transformers() -> Any:
    library("tokenizers")
    return library("transformers")


def _sound_folder(transformers: Any, folder: Path, *, layer_norm: bool, kind: str = "Wav2Vec2") -> Any:
    """A tiny audio classifier; with layer norm it takes a mask, with group norm it must run alone."""
    library("torch").manual_seed(3)
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        conv_dim=(16, 16, 16),
        conv_stride=(5, 4, 4), conv_kernel=(10, 8, 4), num_feat_extract_layers=3, num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2, classifier_proj_size=16, num_labels=4, id2label=LABELS,
        feat_extract_norm="layer" if layer_norm else "group", do_stable_layer_norm=layer_norm,
        initializer_range=0.3,
    )  # fmt: skip
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config).eval()
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(
        sampling_rate=16_000, do_normalize=True, return_attention_mask=layer_norm
    ).save_pretrained(folder)
    return model


def _own_sound(transformers: Any, folder: Path, model: Any) -> Callable[[np.ndarray], np.ndarray]:  # type: ignore[type-arg]
    extractor, torch = transformers.AutoFeatureExtractor.from_pretrained(folder), library("torch")

    def scores(pcm: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        asked = extractor(pcm.astype(np.float32) / 32768, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            answer: np.ndarray = model(**asked).logits.softmax(-1)[0].numpy()  # type: ignore[type-arg]
        return answer

    return scores


@pytest.mark.parametrize(
    "kind, layer_norm", [("Wav2Vec2", True), ("Wav2Vec2", False), ("Hubert", True), ("WavLM", True)]
)
def test_emotion_scores_are_transformers_own(
    transformers: Any, bench: Bench, tmp_path: Path, kind: str, layer_norm: bool
) -> None:
    folder = tmp_path / kind
    model = _sound_folder(transformers, folder, layer_norm=layer_norm, kind=kind)
    done = bench.install(folder, "emotion", labels={"ang": "angry", "hap": "happy"})
    assert done.draft.labels == ("angry", "happy", "neu", "sad")
    assert done.draft.spec.waveform is not None
    assert bool(done.draft.spec.waveform.mask) is layer_norm
    bench.lend_recogniser(16_000)
    stretches = [speech(16_000, seconds) for seconds in (1.5, 0.4, 3.7, 1.4)]
    with bench.served("asr", "emotion") as models:
        scores = models.emotions(stretches, deadline_s=60)
    own = np.stack([_own_sound(transformers, folder, model)(pcm) for pcm in stretches])
    np.testing.assert_allclose(scores, own, atol=2e-3)
    assert np.ptp(own, axis=0).max() > 0.02, "the control: the stretches differ"


def _text_folder(transformers: Any, folder: Path, *, kind: str, many: bool) -> Any:
    folder.mkdir()
    torch = library("torch")
    torch.manual_seed(5)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *sorted(set("".join(TURNS + BEFORE))),
        "hello",
        "##lo",
    ]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80, num_labels=3, id2label={0: "c_promise,to_pay", 1: "threat", 2: "other"},
        problem_type="multi_label_classification" if many else "single_label_classification",
        initializer_range=0.5, pad_token_id=0,
    )  # fmt: skip
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    "kind, many, pair", [("Bert", True, False), ("Bert", False, True), ("Electra", True, True)]
)
def test_tag_scores_are_transformers_own(
    transformers: Any, bench: Bench, tmp_path: Path, kind: str, many: bool, pair: bool
) -> None:
    folder, torch = tmp_path / "tags", library("torch")
    model = _text_folder(transformers, folder, kind=kind, many=many)
    done = bench.install(folder, "semantic_tags", pair=pair)
    assert done.draft.labels == ("c_promise/to_pay", "threat", "other")
    with bench.served("semantic_tags") as models:
        scores = models.tag_turns(TURNS, ["agent"] * len(TURNS), BEFORE, deadline_s=60)
    tokenizer, own = transformers.AutoTokenizer.from_pretrained(folder), []
    for turn, before in zip(TURNS, BEFORE, strict=True):
        texts = (before, turn) if pair else (turn,)
        asked = tokenizer(*texts, truncation=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(**asked).logits[0]
        own.append((logits.sigmoid() if many else logits.softmax(-1)).numpy())
    np.testing.assert_allclose(scores, np.stack(own), atol=1e-3)
    assert np.ptp(np.stack(own), axis=0).max() > 0.05, "the control: the turns differ"


def test_damage_is_named_and_leaves_nothing(transformers: Any, bench: Bench, tmp_path: Path) -> None:
    def folder(name: str) -> Path:
        path = tmp_path / name
        _text_folder(transformers, path, kind="Bert", many=True)
        return path

    cut, headless, absent, wordless = map(folder, ("cut", "headless", "absent", "wordless"))
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    base = transformers.BertModel.from_pretrained(headless)
    base.save_pretrained(headless)
    (headless / "config.json").write_bytes((cut / "config.json").read_bytes())
    (absent / "model.safetensors").unlink()
    (wordless / "config.json").write_text("{ no json")
    cases = {
        cut: "cannot be read",
        headless: "lacks 2 tensors",
        absent: "cannot be read",
        wordless: "not JSON",
    }
    for source, message in cases.items():
        with pytest.raises(BadCheckpoint, match=message) as caught:
            bench.install(source, "semantic_tags")
        assert "expected a Hugging Face" in caught.value.help
    assert list(bench.settings.model_repository.iterdir()) == []


def test_a_classifier_takes_its_own_place_only(transformers: Any, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "tags"
    _text_folder(transformers, folder, kind="Bert", many=True)
    with pytest.raises(BadCheckpoint, match="cannot serve as 'asr'"):
        bench.install(folder, "asr")
    with pytest.raises(BadCheckpoint, match="no label nothing"):
        bench.install(folder, "semantic_tags", labels={"nothing": "x"})
