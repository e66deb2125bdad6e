"""What a model's folder says of it: its config.json, read and judged.

Only safetensors, tokenizer.json and JSON configuration are ever fetched or opened; code that comes with a model
(`auto_map`) is never executed. Mistral and Qwen2 are Llamas whose configs are written otherwise: a sliding window,
which changes nothing up to its length, and biases that Qwen2 always has.
"""

import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError
from bot.inference.loading.files import SETTING, find_config_file, first_line, read_json
from bot.inference.model.shape import LlamaShape, RopeScaling

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

log = logging.getLogger(__name__)

_ACTIVATIONS = "transformers.activations"
_ROPE_TYPES = ("default", "linear", "llama3")


@dataclass(frozen=True, slots=True)
class _Family:
    """How transformers calls a family's config."""

    module: str
    config: str
    has_qkv_bias: bool = False
    """Whatever the config says."""


_FAMILIES = {
    "LlamaForCausalLM": _Family("llama", "LlamaConfig"),
    "MistralForCausalLM": _Family("mistral", "MistralConfig"),
    "Qwen2ForCausalLM": _Family("qwen2", "Qwen2Config", has_qkv_bias=True),
}

_OTHER_NAMES = {"rope_theta", "rope_scaling", "sliding_window", "use_sliding_window", "max_window_layers"}
"""What is read though a family's config doesn't have it: older versions' names, and another family's."""
_ARITHMETIC = re.compile(
    r"rope|rotary|norm|scal|multipl|cap(ping)?$|window|sliding|expert|moe|bias|clip|alibi|residual|parallel|sink|layer_types"
)
"""Names that nobody knows here but that sound like arithmetic."""


def read_shape(folder: Path) -> LlamaShape:
    """Read config.json through transformers' own class for it, and judge it.

    Raises:
        ConfigError: it is missing, malformed, or describes something other than a plain Llama.
    """
    raw = read_json(find_config_file(folder))
    architectures = raw.get("architectures") or []
    name = architectures[0] if isinstance(architectures, list) and len(architectures) == 1 else None
    family = _FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        held = ", ".join(map(str, architectures)) if isinstance(architectures, list) and architectures else "nothing"
        *others, last = _FAMILIES
        raise ConfigError(SETTING, f"{folder} holds {held}; only {', '.join(others)} and {last} can be run")
    if "auto_map" in raw:
        log.warning("%s brings its own code (auto_map), which is never executed", folder)
    if raw.get("quantization_config"):
        raise ConfigError(SETTING, f"{folder} is quantised; only plain FP16, BF16 or FP32 weights can be run")
    return _shape(folder, raw, family)


def _shape(folder: Path, raw: dict[str, Any], family: _Family) -> LlamaShape:
    try:
        config_class = _config_class(family)
        config: Any = config_class.from_dict({key: value for key, value in raw.items() if key != "auto_map"})
        rope: dict[str, Any] = dict(config.rope_parameters or {})
        biased = bool(getattr(config, "attention_bias", False))
        shape = LlamaShape(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_layers=config.num_hidden_layers,
            num_heads=config.num_attention_heads,
            num_kv_heads=config.num_key_value_heads or config.num_attention_heads,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
            context_window=_context_window(folder, config),
            rms_norm_eps=config.rms_norm_eps,
            rope_theta=float(rope.get("rope_theta", 10000.0)),
            rope_scaling=_rope_scaling(rope),
            has_tied_embeddings=bool(config.tie_word_embeddings),
            has_qkv_bias=biased or family.has_qkv_bias,
            has_output_bias=biased,
            eos_token_ids=_eos_token_ids(folder, config.eos_token_id),
        )
        known = set(config_class().to_dict())
    except ConfigError:
        raise
    except Exception as error:  # the configuration's validators raise errors of many kinds
        raise ConfigError(SETTING, f"{folder / 'config.json'} can't be understood: {first_line(error)}") from error
    _refuse_unknown_arithmetic(folder, raw, known)
    has_mlp_bias = bool(getattr(config, "mlp_bias", False))
    _judge(folder, shape, rope, has_mlp_bias=has_mlp_bias, activation=str(config.hidden_act))
    return shape


def _config_class(family: _Family) -> "type[PreTrainedConfig]":
    """The family's config of transformers, without the modules for which a process would start three seconds later.

    Beside the configurations stands a check of activations by name. For the names it imports their code, and with that
    torch's compiler, Triton and distributed tensors. No Llama's config is checked that way, so an empty table does.
    """
    name = f"transformers.models.{family.module}.configuration_{family.module}"
    if _ACTIVATIONS not in sys.modules:
        stand_in = ModuleType(_ACTIVATIONS)
        vars(stand_in)["ACT2FN"] = {}
        sys.modules[_ACTIVATIONS] = stand_in
        try:
            import_module(name)
        except ImportError:
            log.debug("this version of transformers needs more of the activations", exc_info=True)
        finally:
            del sys.modules[_ACTIVATIONS]  # whoever asks for it later gets the real one
    found: type[PreTrainedConfig] = getattr(import_module(name), family.config)
    return found


def _context_window(folder: Path, config: Any) -> int:
    """What the model was trained for, or its sliding window: up to there it attends to everything."""
    window, sliding = int(config.max_position_embeddings), getattr(config, "sliding_window", None)
    layers = getattr(config, "layer_types", None)
    is_off = getattr(config, "use_sliding_window", True) is False or (layers and "sliding_attention" not in layers)
    if not sliding or is_off or sliding >= window:
        return window
    log.warning("%s attends to %d tokens at a time (sliding_window): that is its context window here", folder, sliding)
    return int(sliding)


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


def _refuse_unknown_arithmetic(folder: Path, raw: dict[str, Any], known: set[str]) -> None:
    """Refuse what other models' configs have to change the arithmetic, and say what else is passed over.

    A name that is there but switched off (null, false, 0, or 1 as a factor) changes nothing.
    """
    unknown = {
        name: value
        for name, value in raw.items()
        if name not in known | _OTHER_NAMES and not name.startswith("_") and value and (value is True or value != 1)
    }
    for name, value in unknown.items():
        if _ARITHMETIC.search(name):
            shown = str(value)[:60]
            problem = f"{name} ({shown}) is not known here, and may change the arithmetic"
            raise ConfigError(SETTING, f"{folder / 'config.json'}: {problem}")
    if unknown:
        log.debug("%s: passed over: %s", folder / "config.json", ", ".join(sorted(unknown)))


def _judge(folder: Path, shape: LlamaShape, rope: dict[str, Any], *, has_mlp_bias: bool, activation: str) -> None:
    scaling, share = shape.rope_scaling, rope.get("partial_rotary_factor", 1.0)
    problems: Iterable[tuple[bool, str]] = (
        (has_mlp_bias, "mlp_bias is not supported"),
        (activation != "silu", f"activation {activation!r} is not supported (only silu)"),
        (share not in (None, 1), f"partial_rotary_factor {share} is not supported (only 1)"),
        (scaling.factor <= 0 or shape.rope_theta <= 0, "rope_theta and the scaling's factor must be positive"),
        (
            scaling.rope_type == "llama3"
            and (scaling.original_context_window < 1 or not 0 < scaling.low_freq_factor < scaling.high_freq_factor),
            "llama3's scaling needs original_max_position_embeddings, and low_freq_factor below high_freq_factor",
        ),
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
