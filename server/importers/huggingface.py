"""Hugging Face folders: audio classification (wav2vec2 and its kin), sequence classification (BERT and its).

transformers reads the folder; the network becomes ONNX, a fast tokenizer stays ``tokenizer.json``.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_runtime.classifiers import TOKENIZER_FILE
from model_runtime.recogniser import NETWORK_FILE
from model_runtime.spec import Classifier, Spec, Text, Waveform
from server.errors import BadCheckpoint
from server.importers.draft import EMOTION, TAGS, Draft, Wishes, library, reading, renamed, wanted

EXPECTED = "a Hugging Face folder: config.json with a classification head, and all of its weights"
SOUND_TYPES = (
    "data2vec-audio", "hubert", "sew", "sew-d", "unispeech", "unispeech-sat", "wav2vec2",
    "wav2vec2-conformer", "wavlm",
)  # fmt: skip
"""Model types that read samples."""
EXTRA = "transformers"
_OPSET = 17
_UNLIMITED = 100_000
"""A tokenizer that knows no limit says a number far above."""


def build(source: Path, folder: Path, wishes: Wishes) -> Draft:
    """Write the files of a classifier's model folder.

    Raises:
        BadCheckpoint: not a classifier, damaged, or weights are missing.
        BadSetting: transformers cannot be imported here.
    """
    config = json.loads((source / "config.json").read_bytes())
    heads = [str(name) for name in config.get("architectures") or ()]
    if not any(name.endswith("ForSequenceClassification") for name in heads):
        raise BadCheckpoint(
            f"{source.name} is a {', '.join(heads) or 'model without a head'}", help=f"expected {EXPECTED}"
        )
    if config.get("model_type") in SOUND_TYPES:
        wanted(wishes, (EMOTION,), "an audio classifier")
        return _sound(source, folder, wishes)
    wanted(wishes, (TAGS,), "a text classifier")
    return _text(source, folder, wishes)


def load(source: Path, maker: str) -> Any:
    """A model by transformers, every tensor of it from the folder.

    Raises:
        BadCheckpoint: it cannot be read, or tensors are missing.
    """
    transformers = library("transformers", EXTRA)
    transformers.utils.logging.set_verbosity_error()
    with reading(source, EXPECTED):
        model, told = getattr(transformers, maker).from_pretrained(
            source, local_files_only=True, output_loading_info=True, attn_implementation="eager"
        )
    missing = sorted(told["missing_keys"]) + [str(wrong[0]) for wrong in told["mismatched_keys"]]
    if missing:
        raise BadCheckpoint(
            f"{source.name} lacks {len(missing)} tensors of its own network, e.g. {missing[0]}",
            help=f"expected {EXPECTED}; a base model without a trained head cannot be imported",
        )
    return model.float().eval()


def _sound(source: Path, folder: Path, wishes: Wishes) -> Draft:
    transformers, torch = library("transformers", EXTRA), library("torch", EXTRA)
    with reading(source / "preprocessor_config.json", "the folder's preprocessor_config.json"):
        extractor = transformers.AutoFeatureExtractor.from_pretrained(source, local_files_only=True)
    if type(extractor).__name__ != "Wav2Vec2FeatureExtractor":
        raise BadCheckpoint(
            f"its features are made by {type(extractor).__name__}",
            help="expected a network that reads samples",
        )
    model = load(source, "AutoModelForAudioClassification")
    masked = bool(extractor.return_attention_mask)

    waves = torch.randn(2, extractor.sampling_rate)
    inputs = {"input_values": waves}
    if masked:
        inputs["attention_mask"] = torch.ones(2, extractor.sampling_rate, dtype=torch.long)
        inputs["attention_mask"][1, extractor.sampling_rate // 2 :] = 0
    _write_network(model, inputs, folder / NETWORK_FILE)
    classifier, labels = _labels(model.config, wishes)
    waveform = Waveform(
        extractor.sampling_rate, bool(extractor.do_normalize), "attention_mask" if masked else ""
    )
    spec = Spec(waveform=waveform, classifier=classifier)
    return Draft(spec, f"Hugging Face {model.config.model_type}", extractor.sampling_rate, labels)


def _text(source: Path, folder: Path, wishes: Wishes) -> Draft:
    transformers = library("transformers", EXTRA)
    with reading(source, "the folder's tokenizer files"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True, use_fast=True)
    if not tokenizer.is_fast:
        raise BadCheckpoint(
            f"{type(tokenizer).__name__} is no fast tokenizer", help="expected a tokenizer.json"
        )
    model = load(source, "AutoModelForSequenceClassification")
    taken = inspect.signature(model.forward).parameters
    names = tuple(name for name in tokenizer.model_input_names if name in taken)

    example = tokenizer(["您好请问是王先生吗", "好"], padding=True, return_tensors="pt")
    _write_network(model, {name: example[name] for name in names}, folder / NETWORK_FILE)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))
    classifier, labels = _labels(model.config, wishes)
    longest = _longest(tokenizer, model.config)
    pad = tokenizer.pad_token_id or 0
    spec = Spec(text=Text(longest, names, wishes.pair, pad), classifier=classifier)
    remarks = (
        f"a turn is read up to {longest} tokens, the rest is left out",
        "the speaker's role is not read"
        + (", the turn before is" if wishes.pair else ", nor the turn before"),
    )
    return Draft(spec, f"Hugging Face {model.config.model_type}", labels=labels, remarks=remarks)


def _longest(tokenizer: Any, config: Any) -> int:
    if tokenizer.model_max_length < _UNLIMITED:
        return int(tokenizer.model_max_length)
    positions = getattr(config, "max_position_embeddings", 512)
    # RoBERTa and its kin count positions from behind the padding's id
    taken = (config.pad_token_id or 0) + 1 if "roberta" in config.model_type else 0
    return int(positions) - taken


def _labels(config: Any, wishes: Wishes) -> tuple[Classifier, tuple[str, ...]]:
    names = [str(config.id2label[index]) for index in range(config.num_labels)]
    if len(names) < 2 or config.problem_type == "regression":
        raise BadCheckpoint(
            f"the head has {len(names)} output", help="expected a classifier of two labels or more"
        )
    many = config.problem_type == "multi_label_classification"
    classifier = Classifier("sigmoid" if many else "softmax", tuple(range(len(names))))
    return classifier, renamed(names, wishes)


def _write_network(model: Any, inputs: Mapping[str, Any], path: Path) -> None:
    """Write a model's logits as ONNX, batch and length of every input free."""
    torch = library("torch", EXTRA)

    class Logits(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            return self.model(**dict(zip(inputs, values, strict=True))).logits

    axes = {name: {0: "B", 1: "T"} for name in inputs} | {"logits": {0: "B"}}
    with torch.no_grad(), reading(path, "a network that can be written as ONNX"):
        torch.onnx.export(
            Logits().eval(), tuple(inputs.values()), str(path), input_names=list(inputs),
            output_names=["logits"], dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
