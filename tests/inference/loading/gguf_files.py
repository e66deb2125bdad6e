"""Tiny models as GGUF files, written as llama.cpp's converter does, with the package that Trinity reads them with.

Each process fetches the package once, 0.1 MB from PyPI, and takes it out of the wheel, as `make_model` does.
"""

import functools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from bot.inference.loading.packages import GGUF, PackageUnavailable, fetch, is_installed

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


@functools.cache
def gguf() -> Any:
    """The package `gguf`; the test is skipped, loudly, where PyPI can't be reached."""
    if not is_installed(GGUF):
        try:
            wheel = fetch(GGUF, Path(tempfile.mkdtemp(prefix="gguf-")) / "fetched", lambda _done: None)
        except PackageUnavailable as error:
            pytest.skip(f"GGUF files were not tried: {error}")
        sys.path.append(str(wheel))
    import gguf as package

    return package


def write_gguf(
    file: Path,
    model: "LlamaForCausalLM",
    kind: str = "F32",
    *,
    without: str = "",
    beside: str = "",
    beside_kind: type[np.generic] = np.float32,
    is_big_endian: bool = False,
    **changes: Any,
) -> Path:
    """Write `model` with its matrices packed as `kind`; `changes` are further metadata, None to leave some out.

    One tensor may be left out, and one that no Llama has, or in its place, written beside the others.
    """
    package, config = gguf(), model.config
    is_llama = config.model_type != "qwen2"
    architecture = "llama" if is_llama else "qwen2"
    order = package.GGUFEndian.BIG if is_big_endian else package.GGUFEndian.LITTLE
    writer = package.GGUFWriter(file, changes.pop("architecture", architecture), endianess=order)
    metadata = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
    }
    for name, value in (metadata | changes).items():
        if value is not None:
            adding = {float: writer.add_float32, str: writer.add_string, list: writer.add_array}
            add = adding.get(type(value), writer.add_uint32)
            add(f"{architecture}.{name}", value)
    letters = [chr(256 + number) for number in range(config.vocab_size - 4)]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, letters[0] + letters[1]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *(1 for _ in tokens[3:])])
    writer.add_token_merges([f"{tokens[3]} {tokens[4]}"])
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    writer.add_chat_template("{{ messages }}")
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        numbers = tensor.float().numpy()
        if is_llama and (".q_proj." in name or ".k_proj." in name):
            heads = config.num_attention_heads if ".q_proj." in name else config.num_key_value_heads
            numbers = _interleaved(numbers, heads)
        packed = package.GGMLQuantizationType[kind if numbers.ndim > 1 else "F32"]
        data = package.quants.quantize(np.ascontiguousarray(numbers), packed)
        if _name(name) != without:
            writer.add_tensor(_name(name), data, raw_dtype=packed)
    if beside:
        writer.add_tensor(beside, np.zeros(4, beside_kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _interleaved(numbers: np.ndarray, heads: int) -> np.ndarray:
    """A head's rows as llama.cpp has them: one of the first half, one of the second, and so on."""
    halves = numbers.reshape(heads, 2, len(numbers) // heads // 2, -1)
    return halves.swapaxes(1, 2).reshape(numbers.shape)


def _name(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    _, _, number, *inner, kind = name.split(".")
    return f"blk.{number}.{_IN_LAYER['.'.join(inner)]}.{kind}"


def rounded(model: "LlamaForCausalLM", kind: str) -> "LlamaForCausalLM":
    """The same model with its matrices as a file of `kind` gives them back."""
    package = gguf()
    packed = package.GGMLQuantizationType[kind]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                numbers = package.quants.quantize(parameter.numpy(), packed)
                parameter.copy_(torch.from_numpy(np.array(package.quants.dequantize(numbers, packed))))
    return model
