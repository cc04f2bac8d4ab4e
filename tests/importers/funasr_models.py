"""Tiny FunASR folders, made by FunASR's own model code with random weights that say many different things."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.audio import Pcm
from tests.importers.conftest import library, speech

TEXT = "您好请问是王先生吗 我们的账单逾期了 hello world 请您尽快处理一下 好的谢谢 再见"
MARKS = (
    "<|zh|>", "<|en|>", "<|HAPPY|>", "<|SAD|>", "<|ANGRY|>", "<|NEUTRAL|>", "<|EMO_UNKNOWN|>",
    "<|Speech|>", "<|BGM|>", "<|woitn|>",
)  # fmt: skip
HEADS = ("<|zh|>", "<|SAD|>", "<|Speech|>", "<|woitn|>")
WIDTH, DIM = 560, 32


def _common(folder: Path) -> dict[str, Any]:
    """Front end and CMVN, written where config.yaml says."""
    numbers = " ".join(["-9.5"] * WIDTH), " ".join(["0.21"] * WIDTH)
    lines = [
        "<Nnet>", f"<Splice> {WIDTH} {WIDTH}", "[ 0 ]", f"<AddShift> {WIDTH} {WIDTH}",
        f"<LearnRateCoef> 0 [ {numbers[0]} ]", f"<Rescale> {WIDTH} {WIDTH}",
        f"<LearnRateCoef> 0 [ {numbers[1]} ]", "</Nnet>", "",
    ]  # fmt: skip
    (folder / "am.mvn").write_text("\n".join(lines))
    return {
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7,
            "lfr_n": 6, "dither": 0.0, "cmvn_file": str(folder / "am.mvn"),
        },
    }  # fmt: skip


def _encoder() -> dict[str, Any]:
    return {
        "output_size": DIM, "attention_heads": 2, "linear_units": 64, "num_blocks": 2, "dropout_rate": 0.0,
        "positional_dropout_rate": 0.0, "attention_dropout_rate": 0.0, "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder", "normalize_before": True, "kernel_size": 11,
        "sanm_shfit": 0, "selfattention_layer_type": "sanm",
    }  # fmt: skip


def _sense_voice(folder: Path) -> dict[str, Any]:
    spm = library("sentencepiece")
    (folder / "text.txt").write_text("\n".join(TEXT.split()) + f"\n{TEXT}\n", encoding="utf-8")
    spm.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "bpe"), vocab_size=90, model_type="bpe",
        character_coverage=1.0, user_defined_symbols=list(MARKS), minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    pieces = spm.SentencePieceProcessor(model_file=str(folder / "bpe.model"))
    symbols = [pieces.id_to_piece(index) for index in range(pieces.get_piece_size())]
    (folder / "tokens.json").write_text(json.dumps(symbols, ensure_ascii=False), encoding="utf-8")
    return {
        "model": "SenseVoiceSmall",
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": _encoder() | {"tp_blocks": 1},
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {
            "bpemodel": str(folder / "bpe.model"),
            "unk_symbol": "<unk>",
            "split_with_space": True,
        },
    }


def _paraformer(folder: Path) -> dict[str, Any]:
    symbols = [
        "<blank>",
        "<s>",
        "</s>",
        *sorted({c for c in TEXT if ord(c) > 127}),
        "hello",
        "world",
        "<unk>",
    ]
    (folder / "tokens.json").write_text(json.dumps(symbols, ensure_ascii=False), encoding="utf-8")
    return {
        "model": "Paraformer",
        "model_conf": {"ctc_weight": 0.0, "predictor_bias": 1, "sampling_ratio": 0.75},
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder(),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {
            "attention_heads": 2, "linear_units": 64, "num_blocks": 2, "att_layer_num": 2, "kernel_size": 11,
            "sanm_shfit": 0, "dropout_rate": 0.0, "positional_dropout_rate": 0.0,
            "self_attention_dropout_rate": 0.0, "src_attention_dropout_rate": 0.0,
        },
        "predictor": "CifPredictorV2",
        "predictor_conf": {"idim": DIM, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {
            "unk_symbol": "<unk>", "split_with_space": True, "token_list": str(folder / "tokens.json"),
        },
    }  # fmt: skip


class Made:
    """A tiny FunASR folder and its model."""

    def __init__(self, funasr: Any, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self._torch, self._funasr = library("torch"), funasr
        content = _common(folder) | (_sense_voice if kind == "SenseVoiceSmall" else _paraformer)(folder)
        library("omegaconf").OmegaConf.save(content, folder / "config.yaml")
        self._torch.manual_seed(11)
        auto = self.auto(content)
        with self._torch.no_grad():
            (_say_much if kind == "Paraformer" else _say_heads)(self, auto)
        self._torch.save({"state_dict": auto.model.state_dict()}, folder / "model.pt")

    def auto(self, config: dict[str, Any] | None = None) -> Any:
        """FunASR's own model, of the folder or of a config without weights."""
        quiet = {
            "device": "cpu",
            "disable_update": True,
            "disable_pbar": True,
            "disable_log": True,
            "ncpu": 1,
        }
        return self._funasr.AutoModel(**(config or {"model": str(self.folder)}), **quiet)

    def own(self, segments: list[Pcm]) -> list[dict[str, Any]]:
        """What FunASR itself answers, one segment at a time."""
        auto = self.auto()
        about = {"language": "zh"} if self.kind == "SenseVoiceSmall" else {"pred_timestamp": True}
        return [auto.generate(pcm.astype(np.float32) / 32768, **about)[0] for pcm in segments]

    def encoded(self, model: Any) -> Any:
        """What the output layer sees of a sentence [steps, DIM]."""
        torch, auto = self._torch, self._funasr.frontends.wav_frontend.WavFrontend
        config = library("omegaconf").OmegaConf.load(self.folder / "config.yaml")
        front = auto(**config["frontend_conf"])
        sound = torch.tensor(speech(16_000, 6.0).astype(np.float32) / 32768)[None]
        features, lengths = front(sound, torch.tensor([sound.shape[1]]))
        if self.kind == "SenseVoiceSmall":
            query = model.embed(torch.tensor([[3, 1, 2, 15]]))
            features = torch.cat([query, features], 1)
            return model.encoder(features, lengths + 4)[0][0]
        return model.encoder(features, lengths)[0][0]


def _say_heads(made: Made, auto: Any) -> None:
    """Let the first four steps tell marks, and the others many different tokens."""
    symbols = json.loads((made.folder / "tokens.json").read_text("utf-8"))
    encoded, layer = made.encoded(auto.model), auto.model.ctc.ctc_lo
    middle = encoded[4:].mean(0)
    layer.weight.mul_(30.0)
    layer.bias.copy_(-(layer.weight @ middle))
    for mark in MARKS:
        layer.weight[symbols.index(mark)], layer.bias[symbols.index(mark)] = 0.0, -50.0
    for step, mark in enumerate(HEADS):
        away = encoded[step] - middle
        row = 200.0 * away / away.square().sum()
        layer.weight[symbols.index(mark)] = row
        layer.bias[symbols.index(mark)] = -(row @ middle) - 120.0


def _say_much(made: Made, auto: Any) -> None:
    """Take the mean out of what the random output layer sees, so that it says many different tokens."""
    layer, seen = auto.model.decoder.output_layer, list[Any]()
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    auto.generate(speech(16_000, 6.0).astype(np.float32) / 32768)
    hook.remove()
    layer.weight.mul_(30.0)
    layer.bias.copy_(-(layer.weight @ seen[0][0].mean(0)))
