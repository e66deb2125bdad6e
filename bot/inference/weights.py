"""A Llama's weights, filled straight from safetensors slices into the merged tensors that the kernels read.

Query, key and value (and gate and up) projections are one matrix each, so that a step reads them with one kernel. They
are allocated once, on the device, and every checkpoint tensor is copied into its rows: there is never a second copy.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bot.errors import ConfigError
from bot.inference.checkpoint_files import SETTING, find_tokenizer_file, find_weight_files, first_line, what_else_it_is
from bot.inference.loading import LlamaShape

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""

_FLOAT_DTYPES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
_FULL_HASH_BYTES = 64 * 1024 * 1024
_HASH_SAMPLES = 1024
_MOST_TURNED_BYTES = 1024**3
"""Beyond, turning matrices would take longer than it is worth: they are read from memory whichever way they lie."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One decoder layer; every matrix is [out, in]."""

    input_norm: Tensor
    qkv: Tensor  # [q_size + 2 * kv_size, hidden]: queries, keys, values
    output: Tensor  # [hidden, q_size]
    mlp_norm: Tensor
    gate_up: Tensor  # [2 * intermediate, hidden]: gates, ups
    down: Tensor  # [hidden, intermediate]


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """All weights of a model on one device. `head` is `embedding` itself where the checkpoint ties them."""

    embedding: Tensor  # [vocab, hidden]
    layers: tuple[LayerWeights, ...]
    norm: Tensor
    head: Tensor  # [vocab, hidden]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor once."""
        yield from (self.embedding, self.norm)
        for layer in self.layers:
            yield from (layer.input_norm, layer.qkv, layer.output, layer.mlp_norm, layer.gate_up, layer.down)
        if self.head is not self.embedding:
            yield self.head

    @property
    def num_bytes(self) -> int:
        """What they take on the device."""
        return sum(tensor.nbytes for tensor in self.tensors())


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a checkpoint tensor lies."""

    file: Path
    shape: tuple[int, ...]
    num_bytes: int


def empty_weights(
    shape: LlamaShape, device: torch.device, dtype: torch.dtype, *, by_columns: bool = False
) -> LlamaWeights:
    """Allocate a model's tensors without filling them.

    With `by_columns` the layers' matrices and the head lie in memory as [in, out], though their shape is the same: on
    the CPU a product of a few rows then takes two thirds of the time. The kernels read [out, in].
    """

    def empty(*size: int) -> Tensor:
        return torch.empty(size, device=device, dtype=dtype)

    def matrix(num_out: int, num_in: int) -> Tensor:
        return empty(num_in, num_out).t() if by_columns else empty(num_out, num_in)

    layers = tuple(
        LayerWeights(
            input_norm=empty(shape.hidden_size),
            qkv=matrix(shape.qkv_size, shape.hidden_size),
            output=matrix(shape.hidden_size, shape.q_size),
            mlp_norm=empty(shape.hidden_size),
            gate_up=matrix(2 * shape.intermediate_size, shape.hidden_size),
            down=matrix(shape.hidden_size, shape.intermediate_size),
        )
        for _ in range(shape.num_layers)
    )
    embedding = empty(shape.vocab_size, shape.hidden_size)
    head = embedding if shape.has_tied_embeddings else matrix(shape.vocab_size, shape.hidden_size)
    return LlamaWeights(embedding, layers, empty(shape.hidden_size), head)


def load_weights(
    folder: Path, shape: LlamaShape, device: torch.device, dtype: torch.dtype, progress: Progress | None = None
) -> tuple[LlamaWeights, str]:
    """Load a checkpoint and return it with its model hash.

    The hash is a SHA-256 over config.json, tokenizer.json and every tensor's name, type, shape and content: all of it
    for checkpoints up to 64 MiB, 1,024 evenly spaced elements of each tensor above.

    Raises:
        ConfigError: a file is damaged, or a tensor is missing, unknown, mis-shaped or not finite.
    """
    entries = _read_headers(find_weight_files(folder))
    expected = _expected_shapes(shape)
    wanted = _compare(folder, entries, expected)
    num_bytes = sum(entry.num_bytes for entry in wanted.values())
    by_columns = device.type == "cpu" and num_bytes <= _MOST_TURNED_BYTES
    weights = empty_weights(shape, device, dtype, by_columns=by_columns)
    digests = _fill(checkpoint_tensors(weights, shape), wanted, num_bytes, progress or (lambda _done, _total: None))
    _refuse_non_finite(folder, weights, shape)
    return weights, _combine(folder, digests)


def _read_headers(files: list[Path]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  (not a dict)
                    if name in entries:
                        raise ConfigError(SETTING, f"{name} is in {entries[name].file} and again in {file.name}")
                    entries[name] = _entry(file, name, opened.get_slice(name))
        except (SafetensorError, OSError) as error:
            raise _unreadable(file, error) from error
    return entries


def _unreadable(file: Path, error: Exception) -> ConfigError:
    return ConfigError(SETTING, f"{file} is damaged or truncated: {what_else_it_is(file) or first_line(error)}")


def _entry(file: Path, name: str, found: object) -> _Entry:
    size, dtype = tuple(found.get_shape()), str(found.get_dtype())  # type: ignore[attr-defined]
    if dtype not in _FLOAT_DTYPES:
        raise ConfigError(SETTING, f"{name} in {file} is {dtype}; only FP16, BF16 and FP32 weights can be run")
    return _Entry(file, size, math.prod(size) * _FLOAT_DTYPES[dtype])


def _expected_shapes(shape: LlamaShape) -> dict[str, tuple[int, ...]]:
    hidden, intermediate = shape.hidden_size, shape.intermediate_size
    in_layer = {
        "input_layernorm": (hidden,),
        "self_attn.q_proj": (shape.q_size, hidden),
        "self_attn.k_proj": (shape.kv_size, hidden),
        "self_attn.v_proj": (shape.kv_size, hidden),
        "self_attn.o_proj": (hidden, shape.q_size),
        "post_attention_layernorm": (hidden,),
        "mlp.gate_proj": (intermediate, hidden),
        "mlp.up_proj": (intermediate, hidden),
        "mlp.down_proj": (hidden, intermediate),
    }
    expected: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab_size, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(shape.num_layers):
        expected |= {f"model.layers.{layer}.{name}.weight": size for name, size in in_layer.items()}
    if not shape.has_tied_embeddings:
        expected["lm_head.weight"] = (shape.vocab_size, hidden)
    return expected


def _compare(folder: Path, entries: dict[str, _Entry], expected: dict[str, tuple[int, ...]]) -> dict[str, _Entry]:
    missing = sorted(expected.keys() - entries.keys())
    if missing:
        raise ConfigError(SETTING, f"{folder} lacks {_some(missing)}")
    extra = sorted(name for name in entries.keys() - expected.keys() if not _is_harmless(name))
    if extra:
        raise ConfigError(SETTING, f"{folder} has tensors that its config doesn't know: {_some(extra)}")
    for name, size in expected.items():
        if entries[name].shape != size:
            problem = f"{name} in {folder} is {list(entries[name].shape)}; its config says {list(size)}"
            raise ConfigError(SETTING, problem)
    return {name: entries[name] for name in expected}


def _is_harmless(name: str) -> bool:
    """Old checkpoints carry rotary tables; a tied head may be stored a second time."""
    return name.endswith(".rotary_emb.inv_freq") or name == "lm_head.weight"


def checkpoint_tensors(weights: LlamaWeights, shape: LlamaShape) -> dict[str, Tensor]:
    """The tensors by their names in a checkpoint, as views: rows of the merged ones."""
    places = {
        "model.embed_tokens.weight": weights.embedding,
        "model.norm.weight": weights.norm,
        "lm_head.weight": weights.head,
    }
    for number, layer in enumerate(weights.layers):
        query, key, value = torch.split(layer.qkv, [shape.q_size, shape.kv_size, shape.kv_size])
        gate, up = layer.gate_up.chunk(2)
        in_layer = {
            "input_layernorm": layer.input_norm,
            "self_attn.q_proj": query,
            "self_attn.k_proj": key,
            "self_attn.v_proj": value,
            "self_attn.o_proj": layer.output,
            "post_attention_layernorm": layer.mlp_norm,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": layer.down,
        }
        places |= {f"model.layers.{number}.{name}.weight": place for name, place in in_layer.items()}
    return places


def _fill(places: dict[str, Tensor], wanted: dict[str, _Entry], total: int, progress: Progress) -> dict[str, str]:
    done = 0
    digests: dict[str, str] = {}
    for file in dict.fromkeys(entry.file for entry in wanted.values()):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in [name for name, entry in wanted.items() if entry.file == file]:
                    tensor = opened.get_tensor(name)
                    places[name].copy_(tensor)
                    digests[name] = _digest(tensor, is_whole=total <= _FULL_HASH_BYTES)
                    done += wanted[name].num_bytes
                    progress(done, total)
        except (SafetensorError, OSError) as error:  # the file was changed or taken away meanwhile
            raise _unreadable(file, error) from error
    return digests


def _digest(tensor: Tensor, *, is_whole: bool) -> str:
    flat = tensor.reshape(-1)
    sampled = flat if is_whole else flat[:: max(1, len(flat) // _HASH_SAMPLES)].contiguous()
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(sampled.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _combine(folder: Path, digests: dict[str, str]) -> str:
    combined = hashlib.sha256((folder / "config.json").read_bytes())
    combined.update(find_tokenizer_file(folder).read_bytes())
    for name in sorted(digests):
        combined.update(f"{name} {digests[name]}\n".encode())
    return combined.hexdigest()


def _refuse_non_finite(folder: Path, weights: LlamaWeights, shape: LlamaShape) -> None:
    """Look for NaN and infinity after conversion, so that numbers too large for FP16 are found as well."""
    places = checkpoint_tensors(weights, shape)
    extremes = torch.stack([torch.stack(torch.aminmax(place)) for place in places.values()])  # [tensors, 2]
    is_finite = torch.isfinite(extremes).all(dim=1).tolist()
    bad = [name for name, fine in zip(places, is_finite, strict=True) if not fine]
    if bad:
        raise ConfigError(SETTING, f"{folder} holds NaN, infinity or numbers too large for its type in {_some(bad)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
