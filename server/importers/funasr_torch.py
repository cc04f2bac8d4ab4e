"""FunASR's ``model.pt``: checked, loaded and written as ONNX by FunASR's own model code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.errors import BadCheckpoint
from server.importers.draft import library, reading

EXPECTED = "a FunASR model.pt: the weights of the model that config.yaml describes"
EXTRA = "funasr"
_OPSET = 17
_MOST_FRAMES = 1024
"""Longest input of the written network, in stacked frames (60 ms)."""


def write_network(source: Path, kind: str, path: Path) -> None:
    """Write the network of a folder with ``model.pt`` as ONNX.

    Raises:
        BadCheckpoint: the weights cannot be read, or are not this model's.
        BadSetting: FunASR cannot be imported here.
    """
    torch, funasr = library("torch", EXTRA), library("funasr", EXTRA)
    weights = _weights(torch, source / "model.pt")
    with reading(source, EXPECTED):
        auto = funasr.AutoModel(
            model=str(source), device="cpu", disable_update=True, disable_pbar=True, disable_log=True, ncpu=1
        )
    _check(auto.model, weights)
    about = {key: auto.kwargs[key] for key in ("encoder", "predictor", "decoder") if key in auto.kwargs}
    network = auto.model.export(max_seq_len=_MOST_FRAMES, type="onnx", device="cpu", **about)
    if kind == "Paraformer":
        network = _with_weights(torch, network)
    _export(torch, network.eval(), kind, path)


def _weights(torch: Any, path: Path) -> Mapping[str, Any]:
    with reading(path, EXPECTED):
        content = torch.load(path, map_location="cpu", weights_only=True)
    for name in ("state_dict", "model_state_dict", "model"):
        content = content.get(name, content) if isinstance(content, dict) else content
    if not isinstance(content, dict):
        raise BadCheckpoint(f"{path.name} holds a {type(content).__name__}", help=f"expected {EXPECTED}")
    return content


def _check(model: Any, weights: Mapping[str, Any]) -> None:
    """FunASR passes over tensors that do not fit; a half-loaded model would be served as if it were whole."""
    found = {name.removeprefix("module."): tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = [name for name, tensor in model.state_dict().items() if found.get(name) != tuple(tensor.shape)]
    if wrong:
        raise BadCheckpoint(
            f"model.pt lacks {len(wrong)} tensors of the network that config.yaml describes, e.g. {wrong[0]}",
            help=f"expected {EXPECTED}",
        )


def _with_weights(torch: Any, network: Any) -> Any:
    """FunASR's exported Paraformer, which tells the frame weights as well: they carry the times."""

    class Timed(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, speech: Any, speech_lengths: Any) -> Any:
            net = self.network
            encoded, lengths = net.encoder(speech=speech, speech_lengths=speech_lengths)
            mask = net.make_pad_mask(lengths)[:, None, :]
            embedded, count, alphas, _ = net.predictor(encoded, mask)
            count = count.floor().type(torch.int32)
            scores, _ = net.decoder(encoded, lengths, embedded, count)
            return torch.log_softmax(scores, dim=-1), count, alphas

    return Timed()


def _export(torch: Any, network: Any, kind: str, path: Path) -> None:
    sense_voice = kind == "SenseVoiceSmall"
    whole = [torch.tensor([value, value], dtype=torch.int32) for value in (30, 0, 15)]
    inputs = {"speech": torch.randn(2, 30, 560), "speech_lengths": whole[0]}
    if sense_voice:
        inputs |= {"language": whole[1], "textnorm": whole[2]}
    outputs = ["scores", "steps"] if sense_voice else ["scores", "token_num", "alphas"]
    axes = {name: {0: "B", 1: "T"} if tensor.dim() > 1 else {0: "B"} for name, tensor in inputs.items()}
    axes |= {"scores": {0: "B", 1: "S"}, outputs[1]: {0: "B"}, "alphas": {0: "B", 1: "F"}}
    axes = {name: axis for name, axis in axes.items() if name in inputs or name in outputs}
    with torch.no_grad(), reading(path, "a network that can be written as ONNX"):
        torch.onnx.export(
            network, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=outputs,
            dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
