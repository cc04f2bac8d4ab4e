"""Tiny sherpa-onnx exports: random networks of the true shapes with the true metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

HANZI = "您好请问是王先生吗我们的他不了在有人这上个国"
MARKS = (
    "<|zh|>",
    "<|en|>",
    "<|HAPPY|>",
    "<|SAD|>",
    "<|ANGRY|>",
    "<|NEUTRAL|>",
    "<|Speech|>",
    "<|BGM|>",
    "<|woitn|>",
)
CMVN_DIM = 560


def save(
    torch: Any,
    onnx: Any,
    net: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Mapping[int, str]],
    path: Path,
    metadata: Mapping[str, object],
) -> None:
    """Export a module with named inputs, dynamic in batch and time, and write metadata into it."""
    axes = {name: {0: "N", 1: "T"} if tensor.dim() > 1 else {0: "N"} for name, tensor in inputs.items()}
    if "audio_signal" in inputs:
        axes["audio_signal"] = {0: "N", 2: "T"}
    torch.onnx.export(
        net.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), output_names=list(outputs),
        dynamic_axes=axes | {name: dict(at) for name, at in outputs.items()}, opset_version=17, dynamo=False,
    )  # fmt: skip
    model = onnx.load(str(path))
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.save(model, str(path))


def write_symbols(folder: Path, symbols: list[str]) -> None:
    """Write tokens.txt."""
    lines = [f"{symbol} {index}" for index, symbol in enumerate(symbols)]
    (folder / "tokens.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def pointwise(torch: Any, width: int, tokens: int, *, silent: int, loud: float = 0.6) -> Any:
    """Frame by frame: a network whose answers a front end's slightest fault changes."""
    torch.manual_seed(width + tokens)
    first, last = torch.nn.Linear(width, 48), torch.nn.Linear(48, tokens)
    with torch.no_grad():
        first.weight.mul_(3.0)
        last.weight.mul_(8.0)
        last.bias[silent] += loud
    return torch.nn.Sequential(torch.nn.LayerNorm(width), first, torch.nn.Tanh(), last)


def cmvn() -> dict[str, str]:
    """Plausible numbers for log-mel features of 16-bit sound."""
    return {"neg_mean": ",".join(["-9.5"] * CMVN_DIM), "inv_stddev": ",".join(["0.21"] * CMVN_DIM)}


def zipformer(torch: Any, onnx: Any, folder: Path, *, leaky: bool = False) -> None:
    """A CTC export with Kaldi features; ``leaky`` ones mix all frames of the batch's width."""
    symbols = ["<blk>", "<sos/eos>", "<unk>", "▁", *HANZI, "▁hello", "▁wor", "ld"]

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = pointwise(torch, 80, len(symbols), silent=0)

        def forward(self, x: Any, x_lens: Any) -> Any:
            x = x[:, ::4] + (x.mean(1, keepdim=True) if leaky else 0.0)
            return torch.log_softmax(self.body(x), -1), (x_lens + 3) // 4

    inputs = {"x": torch.randn(2, 40, 80), "x_lens": torch.tensor([40, 30])}
    outputs = {"log_probs": {0: "N", 1: "S"}, "log_probs_len": {0: "N"}}
    save(
        torch,
        onnx,
        Net(),
        inputs,
        outputs,
        folder / "model.onnx",
        {"model_type": "zipformer2_ctc", "version": 1},
    )
    write_symbols(folder, symbols)


def nemo_ctc(torch: Any, onnx: Any, folder: Path) -> None:
    """A NeMo CTC export: features [N, bins, T], per-feature normalisation, blank last."""
    symbols = ["<unk>", *HANZI, "▁go", "ing", "<blk>"]

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = pointwise(torch, 80, len(symbols), silent=len(symbols) - 1)

        def forward(self, audio_signal: Any, length: Any) -> Any:
            scores = torch.log_softmax(self.body(audio_signal.transpose(1, 2)[:, ::8]), -1)
            return scores + 0.0 * length.max()

    inputs = {"audio_signal": torch.randn(2, 80, 40), "length": torch.tensor([40, 30])}
    metadata = {
        "model_type": "EncDecCTCModelBPE",
        "vocab_size": len(symbols) - 1,
        "subsampling_factor": 8,
        "normalize_type": "per_feature",
    }
    save(torch, onnx, Net(), inputs, {"logprobs": {0: "N", 1: "S"}}, folder / "model.onnx", metadata)
    write_symbols(folder, symbols)


def sense_voice(torch: Any, onnx: Any, folder: Path) -> None:
    """A SenseVoice export: four head tokens before the text."""
    symbols = ["<unk>", "<s>", "</s>", "▁", *HANZI, "▁the", "re", *MARKS]
    heads = [symbols.index(mark) for mark in ("<|zh|>", "<|HAPPY|>", "<|Speech|>", "<|woitn|>")]

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = pointwise(torch, CMVN_DIM, len(symbols), silent=0)
            self.query = torch.nn.Embedding(16, CMVN_DIM)
            told = torch.zeros(1, 4, len(symbols))
            for place, token in enumerate(heads):
                told[0, place, token] = 30.0
            self.register_buffer("told", told)
            text = torch.zeros(len(symbols))
            text[-len(MARKS) :] = -60.0
            self.register_buffer("text", text)

        def forward(self, x: Any, x_length: Any, language: Any, text_norm: Any) -> Any:
            query = self.query(
                torch.stack([language, text_norm * 0 + 1, text_norm * 0 + 2, text_norm], 1).long()
            )
            scores = self.body(torch.cat([query, x], 1)) + 0.0 * x_length.max()
            return torch.cat([scores[:, :4] + self.told, scores[:, 4:] + self.text], 1)

    ids = {"lang_auto": 0, "lang_zh": 3, "lang_en": 4, "lang_yue": 7, "lang_ja": 11, "lang_ko": 12}
    metadata = {
        "model_type": "sense_voice_ctc", "vocab_size": len(symbols),
        "lfr_window_size": 7, "lfr_window_shift": 6,
        "normalize_samples": 0, "with_itn": 14, "without_itn": 15, **ids, **cmvn(),
    }  # fmt: skip
    numbers = {
        name: torch.tensor([3, 3], dtype=torch.int32) for name in ("x_length", "language", "text_norm")
    }
    inputs = {"x": torch.randn(2, 20, CMVN_DIM)} | numbers
    save(torch, onnx, Net(), inputs, {"logits": {0: "N", 1: "S"}}, folder / "model.onnx", metadata)
    write_symbols(folder, symbols)


def paraformer(torch: Any, onnx: Any, folder: Path) -> None:
    """A Paraformer export: scores of every second frame, and how many of them count."""
    symbols = ["<blank>", "<s>", "</s>", *HANZI, "hel@@", "lo", "world", "<unk>"]

    class Net(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = pointwise(torch, CMVN_DIM, len(symbols), silent=2)

        def forward(self, speech: Any, speech_lengths: Any) -> Any:
            return torch.log_softmax(self.body(speech[:, ::2]), -1), (speech_lengths + 1) // 2

    metadata = {
        "model_type": "paraformer",
        "vocab_size": len(symbols),
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
    }
    inputs = {
        "speech": torch.randn(2, 20, CMVN_DIM),
        "speech_lengths": torch.tensor([20, 16], dtype=torch.int32),
    }
    outputs = {"logits": {0: "N", 1: "L"}, "token_num": {0: "N"}}
    save(torch, onnx, Net(), inputs, outputs, folder / "model.onnx", metadata | cmvn())
    write_symbols(folder, symbols)
