"""A GGUF file made a folder of safetensors: its tensors as floats, and its metadata as config.json and the rest.

The package `gguf` reads the file and turns packed numbers into floats; what is ours is what they mean. What isn't
understood is refused, never guessed: a model that is nearly right answers nearly well.
"""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from bot.inference.loading.gguf_vocabulary import make_tokenizer
from bot.inference.loading.unusable import UnusableFile

if TYPE_CHECKING:
    from gguf import GGUFReader, ReaderTensor

_ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
"""Mistral's models call themselves llama in GGUF, and are one."""
_SHARD_BYTES = 2 * 1024**3
_MOST_IN_HALF = 65504.0
_KEYS = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "vocab_size": "vocab_size",
}
_HARMLESS_KEYS = {
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "attention.layer_norm_rms_epsilon",
}
"""What is read elsewhere."""
_LLAMA_3_SCALING = {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_LLAMA_3_LENGTH = 8192
"""What Llama 3.1 to 3.3 were trained for first: with it the file's factors give back the one number behind them."""
_LAYER = re.compile(r"blk\.(?P<number>\d+)\.(?P<name>\w+)\.(?P<kind>weight|bias)")
_IN_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_FACTORS = "rope_freqs.weight"


def unpack(file: Path, folder: Path, on_bytes: Callable[[int, int], None]) -> None:
    """Make `folder`, an empty one, a model's out of a GGUF file; `on_bytes` is told what is written of how much.

    Raises:
        UnusableFile: the file is damaged, or of a kind that can't be run.
    """
    from gguf import GGUFEndian, GGUFReader  # noqa: PLC0415 - it comes out of a wheel that was fetched for it

    try:
        reader = GGUFReader(file)
    except Exception as error:  # it raises errors of many kinds for whatever is wrong in the file
        raise UnusableFile(f"{file.name} can't be read as GGUF: {str(error)[:200]}") from error
    if reader.endianess is not GGUFEndian.LITTLE:  # the package would take the numbers as if they weren't turned
        raise UnusableFile(f"{file.name} is for machines of the other byte order (big-endian), and can't be run here")
    values = {name: field.contents() for name, field in reader.fields.items()}
    architecture = str(values.get("general.architecture"))
    if architecture not in _ARCHITECTURES:
        known = " and ".join(_ARCHITECTURES)
        raise UnusableFile(f"{file.name} holds a model of the kind {architecture}; only {known} can be run")
    try:
        config = _config(file, reader, architecture, values)
        _check_tensors(file, reader, int(config["num_hidden_layers"]))
        _write_vocabulary(file, folder, values)
    except (TypeError, ValueError, LookupError) as error:
        raise UnusableFile(f"{file.name} has metadata that can't be understood: {str(error)[:200]}") from error
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    is_permuted = architecture == "llama"
    _write_tensors(reader, config, folder, on_bytes, is_permuted=is_permuted)


def _config(file: Path, reader: "GGUFReader", architecture: str, values: dict[str, Any]) -> dict[str, Any]:
    own = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{architecture}.")}
    config: dict[str, Any] = {"architectures": [_ARCHITECTURES[architecture]], "hidden_act": "silu"}
    config |= {ours: own[theirs] for theirs, ours in _KEYS.items() if theirs in own}
    unknown = [name for name in own if name not in _KEYS and name not in _HARMLESS_KEYS and not _is_scaling(name)]
    if wrong := next((name for name in unknown if own[name]), None):
        raise UnusableFile(f"{file.name}: {wrong} ({str(own[wrong])[:60]}) is not known, and may change the arithmetic")
    if several := next((name for name in _KEYS if isinstance(own.get(name), list)), None):
        raise UnusableFile(f"{file.name} has another {several} in each layer, which can't be run")
    names = {tensor.name for tensor in reader.tensors}
    config["vocab_size"] = len(values.get("tokenizer.ggml.tokens", ())) or config.get("vocab_size", 0)
    config.setdefault("num_key_value_heads", config.get("num_attention_heads"))
    config["rms_norm_eps"] = _as_written(own.get("attention.layer_norm_rms_epsilon", 1e-6))
    config["tie_word_embeddings"] = "output.weight" not in names
    has_bias = "blk.0.attn_q.bias" in names
    if has_bias and architecture == "llama":
        config["attention_bias"] = True
    missing = [name for name in _KEYS.values() if name not in config and name not in ("head_dim", "sliding_window")]
    if missing:
        raise UnusableFile(f"{file.name} doesn't say its {', '.join(missing)}")
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    if own.get("rope.dimension_count", head_dim) != head_dim or own.get("attention.value_length", head_dim) != head_dim:
        raise UnusableFile(f"{file.name} turns only a part of each head, which can't be run")
    config["rope_parameters"] = {
        "rope_theta": float(own.get("rope.freq_base", 10000.0)),
        **_scaling(file, reader, own, float(own.get("rope.freq_base", 10000.0)), head_dim),
    }
    ends = [values.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    config["eos_token_id"] = sorted({int(end) for end in ends if end is not None}) or None
    config["bos_token_id"] = values.get("tokenizer.ggml.bos_token_id")
    return config


def _check_tensors(file: Path, reader: "GGUFReader", num_layers: int) -> None:
    """Refuse a file with tensors too many or too few, or of an unknown kind, before minutes are spent on it."""
    from gguf import quants  # noqa: PLC0415

    names = {tensor.name for tensor in reader.tensors} - {_FACTORS}
    if unknown := next((name for name in sorted(names) if _renamed(name) is None), None):
        raise UnusableFile(f"{file.name} has a tensor {unknown}, which no plain Llama has")
    expected = [name for name in _OUTSIDE if name != "output.weight"]
    expected += [f"blk.{number}.{name}.weight" for number in range(num_layers) for name in _IN_LAYER]
    if missing := [name for name in expected if name not in names]:
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise UnusableFile(f"{file.name} lacks {missing[0]}{more}: it is one part of several, or was made wrongly")
    for tensor in {tensor.tensor_type: tensor for tensor in reader.tensors}.values():
        try:
            quants.dequantize(tensor.data[:1], tensor.tensor_type)
        except NotImplementedError:
            problem = f"{file.name} has numbers packed as {tensor.tensor_type.name}, which can't be unpacked"
            raise UnusableFile(problem) from None


def _is_scaling(name: str) -> bool:
    return name.startswith("rope.scaling.")


def _as_written(number: float) -> float:
    """A float32 as somebody wrote it: 1e-05, not 9.999999747378752e-06."""
    return float(f"{number:.6g}")


def _scaling(file: Path, reader: "GGUFReader", own: dict[str, Any], theta: float, head_dim: int) -> dict[str, Any]:
    """How positions are scaled: by the file's words for it, or by Llama 3's factors, which stand there one by one."""
    kind = own.get("rope.scaling.type", "none")
    factors = next((tensor for tensor in reader.tensors if tensor.name == _FACTORS), None)
    if factors is not None:
        given = np.asarray(factors.data, dtype=np.float64).reshape(-1)
        wavelengths = 2 * math.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)
        factor = float(given.max())
        smooth = np.clip((_LLAMA_3_LENGTH / wavelengths - 1.0) / 3.0, 0.0, 1.0)
        expected = 1 / ((1 - smooth) / factor + smooth)
        if given.shape != expected.shape or not np.allclose(given, expected, rtol=1e-4):
            raise UnusableFile(f"{file.name} scales positions in a way that is not known ({_FACTORS})")
        return {**_LLAMA_3_SCALING, "factor": factor, "original_max_position_embeddings": _LLAMA_3_LENGTH}
    if kind == "linear":
        return {"rope_type": "linear", "factor": float(own.get("rope.scaling.factor", 1.0))}
    if kind != "none":
        raise UnusableFile(f"{file.name} scales positions by {kind}, which can't be run")
    return {"rope_type": "default"}


def _write_vocabulary(file: Path, folder: Path, values: dict[str, Any]) -> None:
    beside = [file.with_name(name) for name in ("tokenizer.json", "tokenizer.model")]
    if found := next((path for path in beside if path.is_file()), None):
        shutil.copyfile(found, folder / found.name)
    else:
        make_tokenizer(file.name, values).save(str(folder / "tokenizer.json"))
    if template := values.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    tokens = values.get("tokenizer.ggml.tokens", ())
    ids = {name: values.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos")}
    spelled = {f"{name}_token": tokens[number] for name, number in ids.items() if number is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(spelled, ensure_ascii=False), encoding="utf-8")


def _write_tensors(
    reader: "GGUFReader",
    config: dict[str, Any],
    folder: Path,
    on_bytes: Callable[[int, int], None],
    *,
    is_permuted: bool,
) -> None:
    tensors = [tensor for tensor in reader.tensors if tensor.name != _FACTORS]
    total = sum(_num_bytes(tensor) for tensor in tensors)
    done = 0
    shards = list(_shards(tensors))
    for number, shard in enumerate(shards, 1):
        made = {}
        for tensor in shard:
            name = str(_renamed(tensor.name))
            made[name] = _floats(tensor, _heads(name, config) if is_permuted else 0)
            done += _num_bytes(tensor)
            on_bytes(done, total)
        whole = len(shards) == 1
        file = "model.safetensors" if whole else f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(made, folder / file, metadata={"format": "pt"})


def _shards(tensors: "list[ReaderTensor]") -> "Iterator[list[ReaderTensor]]":
    """Runs of tensors that are written together, since one file is in memory as a whole first."""
    shard: list[ReaderTensor] = []
    for tensor in tensors:
        if shard and sum(map(_num_bytes, (*shard, tensor))) > _SHARD_BYTES:
            yield shard
            shard = []
        shard.append(tensor)
    yield shard


def _num_bytes(tensor: "ReaderTensor") -> int:
    """About what it takes as floats."""
    return int(tensor.n_elements) * 2


def _renamed(name: str) -> str | None:
    """What transformers calls a tensor; None of one that a Llama doesn't have."""
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    match = _LAYER.fullmatch(name)
    if match is None or match["name"] not in _IN_LAYER:
        return None
    return f"model.layers.{match['number']}.{_IN_LAYER[match['name']]}.{match['kind']}"


def _heads(name: str, config: dict[str, Any]) -> int:
    """How many heads' rows are in another order in GGUF; 0 where they aren't."""
    if ".q_proj." in name:
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if ".k_proj." in name else 0


def _floats(tensor: "ReaderTensor", num_heads: int) -> Tensor:
    """A tensor's numbers: packed ones as FP16, in whose range they are, and floats as they were.

    llama.cpp turns neighbours where transformers turns halves, so that a head's rows are interleaved in GGUF.
    """
    from gguf import GGMLQuantizationType, quants  # noqa: PLC0415

    kind = tensor.tensor_type
    numbers = torch.from_numpy(np.array(quants.dequantize(tensor.data, kind)))
    if num_heads:
        halves = numbers.reshape(num_heads, len(numbers) // num_heads // 2, 2, -1)
        numbers = halves.transpose(1, 2).reshape(numbers.shape)
    if kind == GGMLQuantizationType.F32 or float(numbers.abs().max()) > _MOST_IN_HALF:
        return numbers.float().contiguous()
    return numbers.to(torch.bfloat16 if kind == GGMLQuantizationType.BF16 else torch.float16).contiguous()
