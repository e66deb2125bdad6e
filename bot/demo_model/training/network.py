"""The model while it learns: LlamaForCausalLM's arithmetic and parameter names, arranged so that it compiles once.

Only the per-token parts are compiled, on one constant shape [tokens, width]; attention stands between them, uncompiled,
so rows of every length share one compilation.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The shape of the shipped model; tests use a smaller one."""

    hidden_size: int = 256
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    intermediate_size: int = 704
    vocab_size: int = 2048
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


def normalize(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x.float(), (x.shape[-1],), weight.float(), eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions in the half-split layout. x [tokens, heads, head_dim], cos and sin [tokens, 1, head_dim]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Layer(nn.Module):
    """One decoder layer's weights."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, inner = shape.hidden_size, shape.intermediate_size
        self.shape = shape
        self.input_norm = nn.Parameter(torch.ones(width))
        self.post_norm = nn.Parameter(torch.ones(width))
        scale = 0.02
        out_scale = scale / (2 * shape.num_hidden_layers) ** 0.5
        self.qkv = nn.Parameter(torch.randn(3 * width, width) * scale)
        self.o = nn.Parameter(torch.randn(width, width) * out_scale)
        self.gate_up = nn.Parameter(torch.randn(2 * inner, width) * scale)
        self.down = nn.Parameter(torch.randn(width, inner) * out_scale)


def attention_inputs(
    x: Tensor, norm: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, eps: float, dtype: torch.dtype, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one layer. x [tokens, width] -> three times [tokens, heads, head_dim]."""
    mixed = functional.linear(normalize(x, norm, eps).to(dtype), qkv.to(dtype)).view(x.shape[0], 3, heads, -1)
    q, k, v = mixed.unbind(1)
    return rotate(q.float(), cos, sin).to(dtype), rotate(k.float(), cos, sin).to(dtype), v.contiguous()


def after_attention(
    x: Tensor, attended: Tensor, o: Tensor, norm: Tensor, gate_up: Tensor, down: Tensor, eps: float, dtype: torch.dtype
) -> Tensor:
    """The rest of one layer. The residual stream stays in float32."""
    x = x + functional.linear(attended, o.to(dtype)).float()
    gate, up = functional.linear(normalize(x, norm, eps).to(dtype), gate_up.to(dtype)).chunk(2, dim=-1)
    return x + functional.linear(functional.silu(gate) * up, down.to(dtype)).float()


def head_loss(x: Tensor, norm: Tensor, head: Tensor, targets: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """The mean loss over targets that are not -100."""
    logits = functional.linear(normalize(x, norm, eps).to(dtype), head.to(dtype)).float()
    return functional.cross_entropy(logits, targets, ignore_index=-100)


class Network(nn.Module):
    """A Llama for training: `forward` gives the loss of one batch."""

    def __init__(self, shape: Shape, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape, self.dtype = shape, dtype
        self.embedding = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden_size))
        self.head = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.use_plain_parts()
        frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angles = torch.outer(torch.arange(shape.max_position_embeddings).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)[:, None, :]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def use_plain_parts(self) -> None:
        self.attention_inputs, self.after_attention, self.head_loss = attention_inputs, after_attention, head_loss

    def compile_parts(self) -> None:
        self.attention_inputs = torch.compile(attention_inputs, dynamic=False)
        self.after_attention = torch.compile(after_attention, dynamic=False)
        self.head_loss = torch.compile(head_loss, dynamic=False)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """ids and targets [rows, length] -> the loss."""
        rows, length = ids.shape
        shape = self.shape
        cos = self.cos[:length].repeat(rows, 1, 1)
        sin = self.sin[:length].repeat(rows, 1, 1)
        x = functional.embedding(ids.reshape(-1), self.embedding)
        for layer in self.layers:
            parts = self.attention_inputs(
                x, layer.input_norm, layer.qkv, cos, sin, shape.rms_norm_eps, self.dtype, shape.num_attention_heads
            )
            q, k, v = (
                part.view(rows, length, shape.num_attention_heads, shape.head_dim).transpose(1, 2) for part in parts
            )
            attended = (
                functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                .transpose(1, 2)
                .reshape(rows * length, -1)
            )
            x = self.after_attention(
                x, attended, layer.o, layer.post_norm, layer.gate_up, layer.down, shape.rms_norm_eps, self.dtype
            )
        return self.head_loss(x, self.norm, self.head, targets.reshape(-1), shape.rms_norm_eps, self.dtype)


def llama_weights(network: Network) -> dict[str, Tensor]:
    """The weights under LlamaForCausalLM's names, in FP16, on the CPU."""
    width, inner = network.shape.hidden_size, network.shape.intermediate_size
    weights = {
        "model.embed_tokens.weight": network.embedding,
        "model.norm.weight": network.norm,
        "lm_head.weight": network.head,
    }
    for at, layer in enumerate(network.layers):
        prefix = f"model.layers.{at}."
        for name, part in zip(("q", "k", "v"), layer.qkv.split(width), strict=True):
            weights[f"{prefix}self_attn.{name}_proj.weight"] = part
        weights[f"{prefix}self_attn.o_proj.weight"] = layer.o
        for name, part in zip(("gate", "up"), layer.gate_up.split(inner), strict=True):
            weights[f"{prefix}mlp.{name}_proj.weight"] = part
        weights[f"{prefix}mlp.down_proj.weight"] = layer.down
        weights[f"{prefix}input_layernorm.weight"] = layer.input_norm
        weights[f"{prefix}post_attention_layernorm.weight"] = layer.post_norm
    return {name: weight.detach().to("cpu", torch.float16).contiguous() for name, weight in weights.items()}


def load_weights(network: Network, folder: Path) -> None:
    """Puts a saved model's weights into a network, to train it further."""
    from safetensors.torch import load_file

    saved = load_file(folder / "model.safetensors")
    parts: dict[Tensor, list[str]] = {
        network.embedding: ["model.embed_tokens"],
        network.norm: ["model.norm"],
        network.head: ["lm_head"],
    }
    for at, layer in enumerate(network.layers):
        prefix = f"model.layers.{at}."
        parts[layer.qkv] = [f"{prefix}self_attn.{name}_proj" for name in ("q", "k", "v")]
        parts[layer.o] = [f"{prefix}self_attn.o_proj"]
        parts[layer.gate_up] = [f"{prefix}mlp.{name}_proj" for name in ("gate", "up")]
        parts[layer.down] = [f"{prefix}mlp.down_proj"]
        parts[layer.input_norm] = [f"{prefix}input_layernorm"]
        parts[layer.post_norm] = [f"{prefix}post_attention_layernorm"]
    with torch.no_grad():
        for parameter, names in parts.items():
            parameter.copy_(torch.cat([saved[f"{name}.weight"] for name in names]))


def llama_config(shape: Shape) -> dict[str, object]:
    """config.json of a LlamaForCausalLM of this shape."""
    sizes = asdict(shape)
    theta = sizes.pop("rope_theta")
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float16", **sizes, "head_dim": shape.head_dim,
        "num_key_value_heads": shape.num_attention_heads, "hidden_act": "silu", "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False,
        "rope_theta": theta, "rope_parameters": {"rope_type": "default", "rope_theta": theta}, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None,
        "initializer_range": 0.02, "pretraining_tp": 1, "tie_word_embeddings": False, "use_cache": True,
    }  # fmt: skip


def save_model(network: Network, folder: Path) -> None:
    """Writes model.safetensors, config.json and generation_config.json."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(llama_weights(network), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(llama_config(network.shape), indent=2) + "\n")
    generation = {
        "bos_token_id": 1,
        "eos_token_id": 2,
        "do_sample": False,
        "max_length": network.shape.max_position_embeddings,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
