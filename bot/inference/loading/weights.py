"""A Llama's weights, filled straight from safetensors slices into the merged tensors that the kernels read.

Query, key and value (and gate and up) projections are one matrix each, so that a step reads them with one kernel. They
are allocated once, on the device, and every checkpoint tensor is copied into its rows: there is never a second copy.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bot.errors import ConfigError
from bot.inference.loading.files import SETTING, find_tokenizer_file, find_weight_files, first_line, what_else_it_is
from bot.inference.messages import ReportProgress
from bot.inference.model.int8 import MOST
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import LlamaWeights, Matrix, MatrixKind, checkpoint_places, empty_weights


class TooLargeForHalf(ConfigError):
    """The checkpoint has finite numbers that FP16 can't hold."""


_FLOAT_DTYPES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}


_FULL_HASH_BYTES = 64 * 1024 * 1024


_HASH_SAMPLES = 1024


_MOST_TURNED_BYTES = 1024**3
"""Beyond, turning matrices would take longer than it is worth: they are read from memory whichever way they lie."""


_MOST_DOUBLED_BYTES = 128 * 1024**2
"""Up to here the memory for a second copy is worth the time that several conversations at once gain by it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a checkpoint tensor lies."""

    file: Path
    shape: tuple[int, ...]
    num_bytes: int


def load_weights(
    folder: Path,
    shape: LlamaShape,
    device: torch.device,
    dtype: torch.dtype,
    progress: ReportProgress | None = None,
    *,
    kind: MatrixKind = MatrixKind.FLOAT,
) -> tuple[LlamaWeights, str]:
    """Load a checkpoint, its matrices stored as `kind` has it, and return it with its model hash.

    The hash is a SHA-256 over config.json, tokenizer.json and every tensor's name, type, shape and content: all of it
    for checkpoints up to 64 MiB, 1,024 evenly spaced elements of each tensor above. A kind that rounds changes it.

    Raises:
        TooLargeForHalf: numbers of the checkpoint are beyond FP16's range, in which they were to be stored.
        ConfigError: a file is damaged, or a tensor is missing, unknown, mis-shaped or not finite.
    """
    entries = _read_headers(find_weight_files(folder))
    expected = _expected_shapes(shape)
    wanted = _compare(folder, entries, expected)
    num_bytes = sum(entry.num_bytes for entry in wanted.values())
    by_columns = device.type == "cpu" and num_bytes <= _MOST_TURNED_BYTES
    also_by_rows = num_bytes <= _MOST_DOUBLED_BYTES
    weights = empty_weights(shape, device, dtype, kind, by_columns=by_columns, also_by_rows=also_by_rows)
    digests = _fill(checkpoint_places(weights, shape), wanted, num_bytes, progress or (lambda _done, _total: None))
    _refuse_non_finite(folder, weights, shape, wanted)
    return weights, _combine(folder, digests, kind)


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
    biased = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"] if shape.has_qkv_bias else []
    biased += ["self_attn.o_proj"] if shape.has_output_bias else []
    expected: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab_size, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(shape.num_layers):
        expected |= {f"model.layers.{layer}.{name}.weight": size for name, size in in_layer.items()}
        expected |= {f"model.layers.{layer}.{name}.bias": in_layer[name][:1] for name in biased}
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


def _fill(places: dict[str, Matrix], wanted: dict[str, _Entry], total: int, progress: ReportProgress) -> dict[str, str]:
    done = 0
    digests: dict[str, str] = {}
    for file in dict.fromkeys(entry.file for entry in wanted.values()):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in [name for name, entry in wanted.items() if entry.file == file]:
                    tensor = opened.get_tensor(name)
                    places[name].fill(tensor)
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


def _combine(folder: Path, digests: dict[str, str], kind: MatrixKind) -> str:
    combined = hashlib.sha256((folder / "config.json").read_bytes())
    combined.update(find_tokenizer_file(folder).read_bytes())
    for name in sorted(digests):
        combined.update(f"{name} {digests[name]}\n".encode())
    if kind is not MatrixKind.FLOAT:
        combined.update(kind.encode())
    return combined.hexdigest()


def _refuse_non_finite(folder: Path, weights: LlamaWeights, shape: LlamaShape, wanted: dict[str, _Entry]) -> None:
    """Look for NaN and infinity after conversion, so that numbers too large for FP16 are found as well.

    Where numbers are rounded to integers, the scale of their row tells: it is of the largest of them.
    """
    places = checkpoint_places(weights, shape)
    dtype = weights.embedding.dtype
    floats = [place.data if place.scale is None else (MOST * place.scale).to(dtype) for place in places.values()]
    extremes = torch.stack([torch.stack(torch.aminmax(part)).float() for part in floats])  # [tensors, 2]
    is_finite = torch.isfinite(extremes).all(dim=1).tolist()
    bad = [name for name, fine in zip(places, is_finite, strict=True) if not fine]
    if not bad:
        return
    if any(not _is_finite(wanted[name], name) for name in bad if name in wanted):
        raise ConfigError(SETTING, f"{folder} holds NaN or infinity in {_some(bad)}")
    raise TooLargeForHalf(SETTING, f"{folder} holds numbers too large for FP16 (above 65,504) in {_some(bad)}")


def _is_finite(entry: _Entry, name: str) -> bool:
    with safe_open(entry.file, framework="pt") as opened:
        return bool(torch.isfinite(opened.get_tensor(name)).all())


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
