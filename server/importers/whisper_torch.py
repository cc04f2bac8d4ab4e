"""Whisper's encoder and decoder as two ONNX networks: keys and values go in and out as plain tensors.

The written networks call the projections of transformers' own layers; how those are put together is Whisper's
(Radford et al. 2022), and tests hold the tokens against transformers' own ``generate``.
"""

from pathlib import Path
from typing import Any

from server.importers.draft import library, reading
from server.importers.huggingface import EXTRA

_OPSET = 17
_WRITABLE = "a network that can be written as ONNX"
_FAR_BELOW = -1e9


def write_encoder(model: Any, path: Path) -> None:
    """features [1, bins, frames] → cross_keys, cross_values [layers, 1, heads, steps, width]."""
    torch, width = library("torch", EXTRA), _width(model.config)

    class Encoder(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.layers = model.model.encoder, model.model.decoder.layers

        def forward(self, features: Any) -> Any:
            states = self.encoder(features).last_hidden_state
            blocks = [layer.encoder_attn for layer in self.layers]
            keys = torch.stack([_parted(block.k_proj(states), width) for block in blocks])
            return keys, torch.stack([_parted(block.v_proj(states), width) for block in blocks])

    features = torch.zeros(1, model.config.num_mel_bins, 2 * model.config.max_source_positions)
    with torch.no_grad(), reading(path, _WRITABLE):
        torch.onnx.export(
            Encoder().eval(), (features,), str(path), input_names=["features"],
            output_names=["cross_keys", "cross_values"], opset_version=_OPSET, dynamo=False,
        )  # fmt: skip


def write_decoder(model: Any, path: Path) -> None:
    """tokens [1, n], past and cross keys and values → logits [1, 1, vocabulary] of the last, keys, values."""
    torch, config = library("torch", EXTRA), model.config
    shape, width = (config.decoder_layers, 1, config.decoder_attention_heads), _width(config)
    past = torch.zeros(*shape, 2, width)
    cross = torch.zeros(*shape, config.max_source_positions, width)
    names = ["tokens", "past_keys", "past_values", "cross_keys", "cross_values"]
    axes = {name: {3: "P"} for name in names[1:3]} | {name: {3: "Q"} for name in ("keys", "values")}
    with torch.no_grad(), reading(path, _WRITABLE):
        torch.onnx.export(
            _decoder(torch, model).eval(), (torch.zeros(1, 3, dtype=torch.long), past, past, cross, cross),
            str(path), input_names=names, output_names=["logits", "keys", "values"], opset_version=_OPSET,
            dynamo=False, dynamic_axes=axes | {"tokens": {1: "N"}},
        )  # fmt: skip


def _decoder(torch: Any, model: Any) -> Any:
    width = _width(model.config)

    def attended(block: Any, states: Any, keys: Any, values: Any, bias: Any) -> Any:
        queries = _parted(block.q_proj(states) * width**-0.5, width)
        shares = torch.softmax(queries @ keys.transpose(-1, -2) + bias, dim=-1)
        return block.out_proj((shares @ values).transpose(1, 2).flatten(2))

    class Decoder(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.decoder, self.words = model.model.decoder, model.proj_out

        def forward(self, tokens: Any, past_keys: Any, past_values: Any, *cross: Any) -> Any:
            before, count = past_keys.shape[3], tokens.shape[1]
            places = torch.arange(count) + before
            states = self.decoder.embed_tokens(tokens) + self.decoder.embed_positions.weight[places]
            later = torch.arange(count + before)[None, :] > places[:, None]
            bias = torch.zeros(count, count + before).masked_fill(later, _FAR_BELOW)
            keys, values = [], []
            for place, layer in enumerate(self.decoder.layers):
                seen, own = layer.self_attn_layer_norm(states), layer.self_attn
                keys.append(torch.cat([past_keys[place], _parted(own.k_proj(seen), width)], 2))
                values.append(torch.cat([past_values[place], _parted(own.v_proj(seen), width)], 2))
                states = states + attended(own, seen, keys[-1], values[-1], bias)
                seen = layer.encoder_attn_layer_norm(states)
                states = states + attended(layer.encoder_attn, seen, cross[0][place], cross[1][place], 0.0)
                seen = layer.activation_fn(layer.fc1(layer.final_layer_norm(states)))
                states = states + layer.fc2(seen)
            return self.words(self.decoder.layer_norm(states[:, -1:])), torch.stack(keys), torch.stack(values)

    return Decoder()


def _width(config: Any) -> int:
    return int(config.d_model // config.decoder_attention_heads)


def _parted(states: Any, width: int) -> Any:
    """[B, T, heads · width] → [B, heads, T, width]."""
    return states.unflatten(-1, (-1, width)).transpose(1, 2)
