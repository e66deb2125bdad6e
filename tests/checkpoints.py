"""Tiny random Llama checkpoints with a tokenizer, made in a folder of the test's own.

transformers takes seconds to import, in each process that tests run in: so it is imported where it is used, and the
tests that use it are gathered by `tests.groups.with_transformers`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, normalizers
from tokenizers.models import BPE

from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights, MatrixKind, checkpoint_places, checkpoint_tensors, empty_weights

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlamaForCausalLM

TINY = LlamaShape(320, 64, 96, 2, 2, 2, 32, 512)
"""What `tiny_config` describes."""
GROUPED = LlamaShape(320, 256, 96, 2, 8, 2, 32, 512)
"""What `grouped_config` describes."""
LLAMA_2_7B = LlamaShape(32000, 4096, 11008, 32, 32, 32, 128, 4096)
LLAMA_3_1B = LlamaShape(128_256, 2048, 8192, 16, 32, 8, 64, 131_072, has_tied_embeddings=True)
QWEN_2_05B = LlamaShape(151_936, 896, 4864, 24, 14, 2, 64, 32_768, has_tied_embeddings=True, has_qkv_bias=True)
LARGE_VOCABULARY = LlamaShape(262_144, 2048, 8192, 16, 16, 4, 128, 8192)
BYTE_TOKENS = [f"<0x{byte:02X}>" for byte in range(256)]
NUM_SPECIAL_AND_BYTE_TOKENS = 3 + 256


def tiny_config(**changes) -> "LlamaConfig":
    """Multi-head attention, two layers, and big enough heads for the kernels; `changes` override."""
    from transformers import LlamaConfig

    settings = {
        "vocab_size": 320,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.5,
    }
    return LlamaConfig(**(settings | changes))


def grouped_config(**changes) -> "LlamaConfig":
    """Grouped-query attention: four query heads share one of two key-value heads."""
    return tiny_config(**({"hidden_size": 256, "num_attention_heads": 8, "initializer_range": 0.2} | changes))


def random_model(config: "LlamaConfig", seed: int = 0) -> "LlamaForCausalLM":
    """A float32 Llama (or what else the config is of) with random weights, norms included."""
    import transformers

    torch.manual_seed(seed)
    model_class = getattr(transformers, type(config).__name__.replace("Config", "ForCausalLM"))
    model = model_class(config).eval().float()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def byte_tokenizer(vocab_size: int) -> Tokenizer:
    """Llama-2's pipeline with bytes and single ASCII characters for a vocabulary, filled up with placeholders."""
    names = ["<unk>", "<s>", "</s>", *BYTE_TOKENS, "\u2581", *map(chr, range(33, 127))]
    names += [f"<extra{number}>" for number in range(vocab_size - len(names))]
    vocab = {name: number for number, name in enumerate(names[:vocab_size])}
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=[], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def save_checkpoint(
    folder: Path, model: "LlamaForCausalLM", *, num_shards: int = 1, dtype: torch.dtype = torch.float32
) -> Path:
    """Write the model as safetensors (with an index where there are several files), its config and a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    is_tied = bool(model.config.tie_word_embeddings)
    tensors = {
        name: tensor.detach().to(dtype).contiguous().clone()
        for name, tensor in model.state_dict().items()
        if not (is_tied and name == "lm_head.weight")
    }
    _save_tensors(folder, tensors, num_shards)
    config = model.config.to_dict() | {"architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
    byte_tokenizer(model.config.vocab_size).save(str(folder / "tokenizer.json"))
    return folder


def _save_tensors(folder: Path, tensors: dict[str, torch.Tensor], num_shards: int) -> None:
    if num_shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    weight_map = {}
    for shard in range(num_shards):
        file = f"model-{shard + 1:05}-of-{num_shards:05}.safetensors"
        within = names[shard::num_shards]
        save_file({name: tensors[name] for name in within}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(within, file)
    index = {"metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def llama_2_7b_config(**changes) -> "LlamaConfig":
    """Llama-2-7B's shape."""
    from transformers import LlamaConfig

    settings = {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return LlamaConfig(**(settings | changes))


def llama_3_8b_config(**changes) -> "LlamaConfig":
    """Llama-3-8B's shape."""
    grouped = {"vocab_size": 128256, "intermediate_size": 14336, "num_key_value_heads": 8, "rope_theta": 500000.0}
    return llama_2_7b_config(**(grouped | {"max_position_embeddings": 8192} | changes))


def shape_of(config: "LlamaConfig") -> LlamaShape:
    """The same as the engine sees it."""
    return LlamaShape(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_layers=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        num_kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        context_window=config.max_position_embeddings,
        rms_norm_eps=config.rms_norm_eps,
    )


def random_weights(
    shape: LlamaShape, device: torch.device, dtype: torch.dtype, kind: MatrixKind = MatrixKind.FLOAT
) -> LlamaWeights:
    """Weights of about the size that transformers gives them at first, made on the device itself."""
    generator = torch.Generator(device).manual_seed(0)
    weights = empty_weights(shape, device, dtype, kind)
    for place in checkpoint_places(weights, shape).values():
        if place.scale is not None:
            place.data.random_(-127, 128, generator=generator)
            place.scale.uniform_(0.0002, 0.0003, generator=generator)
        elif place.data.dim() == 1:
            place.data.uniform_(0.5, 1.5, generator=generator)
        else:
            place.data.normal_(0.0, 0.02, generator=generator)
    return weights


def transformers_model(config: "LlamaConfig", weights: LlamaWeights, shape: LlamaShape) -> "LlamaForCausalLM":
    """transformers' model on the very same tensors, without a second copy."""
    from transformers import LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(checkpoint_tensors(weights, shape), assign=True)
    model.model.rotary_emb = LlamaRotaryEmbedding(config=config).to(weights.embedding.device)
    return model.eval()
