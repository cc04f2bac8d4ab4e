"""The Conformer of a NeMo file as tensors of model_runtime.gpu.conformer, read without NeMo.

What is not served there (limited or chunked attention, causal convolutions, stacking) is refused by name.
"""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from server.errors import BadCheckpoint
from server.importers.draft import library, reading

EXPECTED = "a NeMo file (tar) with model_config.yaml and model_weights.ckpt of a (Fast)Conformer with CTC"
_NORM_GUARD = 1e-5
_HALVINGS = {2: 1, 4: 2, 8: 3, 16: 4}

Settings = Mapping[str, Any]
State = dict[str, Any]


def read(source: Path) -> tuple[dict[str, Any], State]:
    """Fields of conformer.Shape, and the Conformer's tensors.

    Raises:
        BadCheckpoint: not such a file, cut off, or of a kind that is not served on a GPU.
        BadSetting: torch cannot be imported here.
    """
    torch = library("torch", "gpu")
    with reading(source, EXPECTED), tarfile.open(source) as archive:
        members = {Path(member.name).name: member for member in archive}
        config, weights = (
            archive.extractfile(members[name]) for name in ("model_config.yaml", "model_weights.ckpt")
        )
        if config is None or weights is None:
            raise BadCheckpoint(f"{source.name} lacks config or weights", help=f"expected {EXPECTED}")
        content = yaml.safe_load(config.read())
        state: State = torch.load(weights, map_location="cpu", weights_only=True)
        shape = _shape(content["encoder"])
        return _with_sizes(shape, state), _renamed(state, shape)


def _shape(encoder: Settings) -> dict[str, Any]:
    """What the configuration decides; refuses what the GPU's encoder does not do."""
    told = {
        "_target_": (str(encoder.get("_target_", "")).rpartition(".")[2], ("ConformerEncoder",)),
        "subsampling": (encoder.get("subsampling", "striding"), ("striding", "dw_striding")),
        "subsampling_factor": (encoder.get("subsampling_factor", 4), tuple(_HALVINGS)),
        "self_attention_model": (encoder.get("self_attention_model", "rel_pos"), ("rel_pos",)),
        "att_context_size": (_flat(encoder.get("att_context_size")), ((-1, -1),)),
        "att_context_style": (encoder.get("att_context_style", "regular"), ("regular",)),
        "conv_norm_type": (encoder.get("conv_norm_type", "batch_norm"), ("batch_norm", "layer_norm")),
        "conv_context_size": (encoder.get("conv_context_size"), (None,)),
        "causal_downsampling": (encoder.get("causal_downsampling", False), (False,)),
        "reduction": (encoder.get("reduction"), (None,)),
        "feat_out": (encoder.get("feat_out", -1), (-1, None, encoder["d_model"])),
    }
    for name, (value, served) in told.items():
        if value not in served:
            raise BadCheckpoint(
                f"the encoder's {name} is {value!r}",
                help=f"the GPU's encoder has {name} {' or '.join(map(repr, served))}; serve it on the CPU",
            )
    return {
        "layers": encoder["n_layers"],
        "heads": encoder["n_heads"],
        "halvings": _HALVINGS[told["subsampling_factor"][0]],
        "depthwise": told["subsampling"][0] == "dw_striding",
        "scaled": bool(encoder.get("xscaling", True)),
        "conv_norm": "folded" if told["conv_norm_type"][0] == "batch_norm" else "layer",
        "bias": bool(encoder.get("use_bias", True)),
    }


def _flat(context: Any) -> tuple[int, ...]:
    """The context used for inference: the first of several."""
    if context is None:
        return (-1, -1)
    return tuple(context[0] if isinstance(context[0], list) else context)


def _with_sizes(shape: dict[str, Any], state: State) -> dict[str, Any]:
    """The sizes that the tensors tell themselves."""
    first = "encoder.layers.0."
    return shape | {
        "tokens": _head(state).shape[0],
        "bins": state["preprocessor.featurizer.fb"].shape[1],
        "width": state["encoder.pre_encode.out.weight"].shape[0],
        "inner": state[f"{first}feed_forward1.linear1.weight"].shape[0],
        "kernel": state[f"{first}conv.depthwise_conv.weight"].shape[2],
        "channels": state["encoder.pre_encode.conv.0.weight"].shape[0],
    }


def _head(state: State, part: str = "weight") -> Any:
    """The CTC decoder, a hybrid model's own one first."""
    name = f"decoder_layers.0.{part}"
    return state[f"ctc_decoder.{name}" if f"ctc_decoder.{name}" in state else f"decoder.{name}"]


def _renamed(state: State, shape: Settings) -> State:
    """All tensors by their names in conformer.Conformer."""
    found = {"head.weight": _head(state)[:, :, 0], "head.bias": _head(state, "bias")}
    for part in ("weight", "bias"):
        found[f"subsampling.out.{part}"] = state[f"encoder.pre_encode.out.{part}"]
        place = 0
        for number in range(shape["halvings"]):
            # NeMo numbers convolutions and activations in one row
            found[f"subsampling.strided.{number}.{part}"] = state[f"encoder.pre_encode.conv.{place}.{part}"]
            if number and shape["depthwise"]:
                place += 1
                found[f"subsampling.mixing.{number}.{part}"] = state[
                    f"encoder.pre_encode.conv.{place}.{part}"
                ]
            place += 2
    for number in range(shape["layers"]):
        prefix = f"encoder.layers.{number}."
        layer = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        found |= {f"layers.{number}.{key}": value for key, value in _layer(layer, shape).items()}
    return {name: tensor.float().contiguous() for name, tensor in found.items()}


def _layer(layer: State, shape: Settings) -> State:
    names = {
        "norm_feed_forward1": "before.norm", "feed_forward1.linear1": "before.rise",
        "feed_forward1.linear2": "before.fall", "norm_feed_forward2": "after.norm",
        "feed_forward2.linear1": "after.rise", "feed_forward2.linear2": "after.fall",
        "norm_self_att": "attention.norm", "self_attn.linear_out": "attention.out",
        "norm_conv": "convolution.norm", "conv.pointwise_conv1": "convolution.gate",
        "conv.pointwise_conv2": "convolution.out", "norm_out": "norm",
    }  # fmt: skip
    found: State = {}
    for theirs, ours in names.items():
        for part in ("weight", "bias"):
            if f"{theirs}.{part}" in layer:
                tensor = layer[f"{theirs}.{part}"]
                found[f"{ours}.{part}"] = tensor[:, :, 0] if tensor.ndim == 3 else tensor
    return found | _attention(layer) | _depthwise(layer, shape)


def _attention(layer: State) -> State:
    torch = library("torch", "gpu")
    found = {
        f"attention.project.{part}": torch.cat([layer[f"self_attn.linear_{name}.{part}"] for name in "qkv"])
        for part in ("weight", "bias")
        if f"self_attn.linear_q.{part}" in layer
    }
    return found | {
        "attention.position.weight": layer["self_attn.linear_pos.weight"],
        "attention.content_bias": layer["self_attn.pos_bias_u"][:, None],
        "attention.position_bias": layer["self_attn.pos_bias_v"][:, None],
    }


def _depthwise(layer: State, shape: Settings) -> State:
    """The depthwise convolution, batch norm multiplied into it."""
    weight = layer["conv.depthwise_conv.weight"].float()
    bias = layer.get("conv.depthwise_conv.bias", weight.new_zeros(len(weight))).float()
    norm = {part: layer[f"conv.batch_norm.{part}"].float() for part in ("weight", "bias")}
    if shape["conv_norm"] == "layer":
        kept = {f"convolution.inner.{part}": tensor for part, tensor in norm.items()}
        return kept | {"convolution.depth.weight": weight, "convolution.depth.bias": bias}
    variance = layer["conv.batch_norm.running_var"].float()
    factor = norm["weight"] / (variance + _NORM_GUARD).sqrt()
    moved = (bias - layer["conv.batch_norm.running_mean"].float()) * factor + norm["bias"]
    return {"convolution.depth.weight": weight * factor[:, None, None], "convolution.depth.bias": moved}
