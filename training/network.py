"""The model while it learns: LlamaForCausalLM's arithmetic and parameter names, arranged so that it compiles once.

Only the per-token parts are compiled, on one constant shape [tokens, width]; attention stands between them, uncompiled,
so rows of every length share one compilation.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from bot.inference.model.shape import LlamaShape
from training.values import MODEL_FOLDER


def _normalize(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x.float(), (x.shape[-1],), weight.float(), eps)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions in the half-split layout. x [tokens, heads, head_dim], cos and sin [tokens, 1, head_dim]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Layer(nn.Module):
    """One decoder layer's weights."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        width, inner, scale = shape.hidden_size, shape.intermediate_size, 0.02
        out_scale = scale / (2 * shape.num_layers) ** 0.5
        self.input_norm = nn.Parameter(torch.ones(width))
        self.post_norm = nn.Parameter(torch.ones(width))
        self.qkv = nn.Parameter(torch.randn(3 * width, width) * scale)
        self.o = nn.Parameter(torch.randn(width, width) * out_scale)
        self.gate_up = nn.Parameter(torch.randn(2 * inner, width) * scale)
        self.down = nn.Parameter(torch.randn(width, inner) * out_scale)


def attention_inputs(
    x: Tensor, norm: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, eps: float, dtype: torch.dtype, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one layer. x [tokens, width] -> three times [tokens, heads, head_dim]."""
    mixed = functional.linear(_normalize(x, norm, eps).to(dtype), qkv.to(dtype)).view(x.shape[0], 3, heads, -1)
    q, k, v = mixed.unbind(1)
    return _rotate(q.float(), cos, sin).to(dtype), _rotate(k.float(), cos, sin).to(dtype), v.contiguous()


def after_attention(
    x: Tensor, attended: Tensor, o: Tensor, norm: Tensor, gate_up: Tensor, down: Tensor, eps: float, dtype: torch.dtype
) -> Tensor:
    """The rest of one layer. The residual stream stays in float32."""
    x = x + functional.linear(attended, o.to(dtype)).float()
    gate, up = functional.linear(_normalize(x, norm, eps).to(dtype), gate_up.to(dtype)).chunk(2, dim=-1)
    return x + functional.linear(functional.silu(gate) * up, down.to(dtype)).float()


def head_loss(x: Tensor, norm: Tensor, head: Tensor, targets: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """The mean loss over targets that are not -100."""
    logits = functional.linear(_normalize(x, norm, eps).to(dtype), head.to(dtype)).float()
    return functional.cross_entropy(logits, targets, ignore_index=-100)


class Network(nn.Module):
    """A Llama for training: `forward` gives the loss of one batch."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: LlamaShape, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape, self.dtype = shape, dtype
        self.embedding = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.layers: list[Layer] = [Layer(shape) for _ in range(shape.num_layers)]
        self.registered = nn.ModuleList(self.layers)
        self.norm = nn.Parameter(torch.ones(shape.hidden_size))
        self.head = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.parts: list[Callable[..., Any]] = [attention_inputs, after_attention, head_loss]
        frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angles = torch.outer(torch.arange(shape.context_window).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)[:, None, :]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """The loss of ids and targets, both [rows, length]."""
        rows, length = ids.shape
        inputs_of, after, loss_of = self.parts
        eps, heads, dtype = self.shape.rms_norm_eps, self.shape.num_heads, self.dtype
        cos, sin = self.cos[:length].repeat(rows, 1, 1), self.sin[:length].repeat(rows, 1, 1)
        x = functional.embedding(ids.reshape(-1), self.embedding)
        for layer in self.layers:
            parts = inputs_of(x, layer.input_norm, layer.qkv, cos, sin, eps, dtype, heads)
            q, k, v = (part.view(rows, length, heads, -1).transpose(1, 2) for part in parts)
            attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            attended = attended.transpose(1, 2).reshape(rows * length, -1)
            x = after(x, attended, layer.o, layer.post_norm, layer.gate_up, layer.down, eps, dtype)
        return cast(Tensor, loss_of(x, self.norm, self.head, targets.reshape(-1), eps, dtype))

    def llama_parts(self) -> Iterator[tuple[nn.Parameter, tuple[str, ...]]]:
        """Each parameter, and LlamaForCausalLM's names for the rows that it is made of, in order."""
        yield self.embedding, ("model.embed_tokens.weight",)
        yield self.norm, ("model.norm.weight",)
        yield self.head, ("lm_head.weight",)
        for at, layer in enumerate(self.layers):
            prefix = f"model.layers.{at}."
            yield layer.qkv, tuple(f"{prefix}self_attn.{name}_proj.weight" for name in ("q", "k", "v"))
            yield layer.o, (f"{prefix}self_attn.o_proj.weight",)
            yield layer.gate_up, tuple(f"{prefix}mlp.{name}_proj.weight" for name in ("gate", "up"))
            yield layer.down, (f"{prefix}mlp.down_proj.weight",)
            yield layer.input_norm, (f"{prefix}input_layernorm.weight",)
            yield layer.post_norm, (f"{prefix}post_attention_layernorm.weight",)


def load_weights(network: Network, folder: Path) -> None:
    """Puts a saved model's weights into a network, to train it further."""
    saved = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for parameter, names in network.llama_parts():
            parameter.copy_(torch.cat([saved[name] for name in names]))


def save_model(network: Network, folder: Path) -> None:
    """Writes model.safetensors in FP16, and config.json and generation_config.json as the shipped model has them."""
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, Tensor] = {}
    for parameter, names in network.llama_parts():
        parts = parameter.detach().to("cpu", torch.float16).chunk(len(names))
        weights |= {name: part.contiguous().clone() for name, part in zip(names, parts, strict=True)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    shape = network.shape
    sizes = {
        "hidden_size": shape.hidden_size, "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads, "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim, "intermediate_size": shape.intermediate_size,
    }  # fmt: skip
    for name, own in (("config.json", sizes), ("generation_config.json", {})):
        content = json.loads((MODEL_FOLDER / name).read_text(encoding="utf-8")) | own
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
