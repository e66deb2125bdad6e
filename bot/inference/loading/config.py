"""What a model's folder says of it: its config.json, read and judged.

Only safetensors, tokenizer.json and JSON configuration are ever fetched or opened; code that comes with a model
(`auto_map`) is never executed.
"""

import logging
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError
from bot.inference.loading.files import SETTING, find_config_file, first_line, read_json
from bot.inference.model.shape import LlamaShape, RopeScaling

if TYPE_CHECKING:
    from transformers import LlamaConfig

log = logging.getLogger(__name__)

_ACTIVATIONS = "transformers.activations"
_ROPE_TYPES = ("default", "linear", "llama3")


def read_shape(folder: Path) -> LlamaShape:
    """Read config.json through transformers' LlamaConfig and judge it.

    Raises:
        ConfigError: it is missing, malformed, or describes something other than a plain Llama.
    """
    raw = read_json(find_config_file(folder))
    architectures = raw.get("architectures") or []
    if architectures != ["LlamaForCausalLM"]:
        name = ", ".join(map(str, architectures)) if isinstance(architectures, list) and architectures else "nothing"
        raise ConfigError(SETTING, f"{folder} holds {name}; only LlamaForCausalLM can be run")
    if "auto_map" in raw:
        log.warning("%s brings its own code (auto_map), which is never executed", folder)
    if raw.get("quantization_config"):
        raise ConfigError(SETTING, f"{folder} is quantised; only plain FP16, BF16 or FP32 weights can be run")
    return _shape(folder, raw)


def _shape(folder: Path, raw: dict[str, Any]) -> LlamaShape:
    try:
        config = _config_class().from_dict({key: value for key, value in raw.items() if key != "auto_map"})
        rope: dict[str, Any] = dict(config.rope_parameters or {})
        shape = LlamaShape(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_layers=config.num_hidden_layers,
            num_heads=config.num_attention_heads,
            num_kv_heads=config.num_key_value_heads or config.num_attention_heads,
            head_dim=config.head_dim or config.hidden_size // config.num_attention_heads,
            context_window=config.max_position_embeddings,
            rms_norm_eps=config.rms_norm_eps,
            rope_theta=float(rope.get("rope_theta", 10000.0)),
            rope_scaling=_rope_scaling(rope),
            has_tied_embeddings=bool(config.tie_word_embeddings),
            eos_token_ids=_eos_token_ids(folder, config.eos_token_id),
        )
    except ConfigError:
        raise
    except Exception as error:  # the configuration's validators raise errors of many kinds
        raise ConfigError(SETTING, f"{folder / 'config.json'} can't be understood: {first_line(error)}") from error
    _judge(folder, shape, biases=bool(config.attention_bias or config.mlp_bias), activation=str(config.hidden_act))
    return shape


def _config_class() -> "type[LlamaConfig]":
    """The LlamaConfig of transformers, without the modules for which a process would start three seconds later.

    Beside the configurations stands a check of activations by name. For the names it imports their code, and with that
    torch's compiler, Triton and distributed tensors. No Llama's config is checked that way, so an empty table does.
    """
    if _ACTIVATIONS not in sys.modules:
        stand_in = ModuleType(_ACTIVATIONS)
        vars(stand_in)["ACT2FN"] = {}
        sys.modules[_ACTIVATIONS] = stand_in
        try:
            import_module("transformers.models.llama.configuration_llama")
        except ImportError:
            log.debug("this version of transformers needs more of the activations", exc_info=True)
        finally:
            del sys.modules[_ACTIVATIONS]  # whoever asks for it later gets the real one
    from transformers import LlamaConfig  # noqa: PLC0415

    return LlamaConfig


def _rope_scaling(parameters: dict[str, Any]) -> RopeScaling:
    rope_type = str(parameters.get("rope_type", "default"))
    if rope_type not in _ROPE_TYPES:
        raise ConfigError(SETTING, f"rope scaling {rope_type!r} is not supported (only {', '.join(_ROPE_TYPES)})")
    return RopeScaling(
        rope_type,
        float(parameters.get("factor", 1.0)),
        float(parameters.get("low_freq_factor", 1.0)),
        float(parameters.get("high_freq_factor", 4.0)),
        int(parameters.get("original_max_position_embeddings") or 0),
    )


def _eos_token_ids(folder: Path, from_config: object) -> frozenset[int]:
    path = folder / "generation_config.json"
    found = read_json(path).get("eos_token_id") if path.is_file() else None
    eos: Any = from_config if found is None else found
    if eos is None:
        return frozenset()
    return frozenset(map(int, eos if isinstance(eos, list) else [eos]))


def _judge(folder: Path, shape: LlamaShape, *, biases: bool, activation: str) -> None:
    problems: Iterable[tuple[bool, str]] = (
        (biases, "attention_bias and mlp_bias are not supported"),
        (activation != "silu", f"activation {activation!r} is not supported (only silu)"),
        (min(shape.vocab_size, shape.num_layers, shape.num_heads, shape.head_dim) < 1, "its sizes must be positive"),
        (
            shape.num_kv_heads < 1 or shape.num_heads % shape.num_kv_heads != 0,
            "heads don't divide into key-value heads",
        ),
        (shape.head_dim % 2 != 0, f"head_dim {shape.head_dim} is odd"),
        (shape.context_window < 1, "max_position_embeddings must be positive"),
    )
    for is_wrong, problem in problems:
        if is_wrong:
            raise ConfigError(SETTING, f"{folder / 'config.json'}: {problem}")
