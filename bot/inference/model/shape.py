"""What a Llama's config decides: the sizes of its tensors and the constants of its arithmetic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How positions beyond the original training length are squeezed: `rope_type` and its numbers."""

    rope_type: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context_window: int = 0


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """Everything about a Llama that decides its tensors' shapes and its arithmetic."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_window: int
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling = RopeScaling()
    has_tied_embeddings: bool = False
    has_qkv_bias: bool = False
    has_output_bias: bool = False
    eos_token_ids: frozenset[int] = frozenset({2})

    @property
    def q_size(self) -> int:
        """Width of the query projection."""
        return self.num_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Width of the key (or value) projection."""
        return self.num_kv_heads * self.head_dim

    @property
    def qkv_size(self) -> int:
        """Width of the merged query, key and value projection."""
        return self.q_size + 2 * self.kv_size
