"""Tiny models of many shapes, of every family that can be run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from tests.checkpoints import random_model, tiny_config

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

LLAMA_3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@dataclass(frozen=True, slots=True)
class Tiny:
    """A tiny model of some family."""

    architecture: str = "LlamaForCausalLM"
    changes: tuple[tuple[str, Any], ...] = ()

    def config(self) -> Any:
        import transformers

        plain = tiny_config(initializer_range=0.1, **({} if "Llama" not in self.architecture else dict(self.changes)))
        if "Llama" in self.architecture:
            return plain
        settings = {
            name: getattr(plain, name)
            for name in (
                *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
                *("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings"),
                *("bos_token_id", "eos_token_id", "initializer_range"),
            )
        }
        config_class = getattr(transformers, self.architecture.replace("ForCausalLM", "Config"))
        return config_class(**(settings | dict(self.changes)))

    def model(self) -> "LlamaForCausalLM":
        """transformers' model, of random weights; its biases too, which transformers begins with zeros."""
        model = random_model(self.config())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(".bias"):
                    parameter.uniform_(-1.0, 1.0)
        return model


def llama(**changes: Any) -> Tiny:
    return Tiny(changes=tuple(changes.items()))


def grouped(head_dim: int) -> Tiny:
    """Four query heads of a size share two of keys, in a stream that is as wide as they aren't."""
    return llama(hidden_size=192, num_attention_heads=4, num_key_value_heads=2, head_dim=head_dim)


TINY = {
    "heads of 64": grouped(64),
    "heads of 80": grouped(80),
    "heads of 96": grouped(96),
    "heads of 128": grouped(128),
    "seven heads share a key": llama(hidden_size=224, num_attention_heads=7, num_key_value_heads=1),
    "attention bias": llama(attention_bias=True, hidden_size=128, num_attention_heads=4),
    "tied, 1B's proportions": llama(
        tie_word_embeddings=True, rope_parameters={"rope_theta": 5e5, **LLAMA_3_SCALING}, num_key_value_heads=1
    ),
    "linear": llama(rope_parameters={"rope_theta": 1e4, "rope_type": "linear", "factor": 4.0}),
    "Qwen2": Tiny("Qwen2ForCausalLM", (("tie_word_embeddings", True), ("num_key_value_heads", 1))),
    "Mistral": Tiny("MistralForCausalLM", (("sliding_window", None), ("num_key_value_heads", 1), ("head_dim", 48))),
    "Mistral, a window as wide": Tiny("MistralForCausalLM", (("sliding_window", 512),)),
}
