"""A Llama: embed, run the layers, project to logits. One path for prefill and decode, the arithmetic injected."""

import torch
from torch import Tensor

from bot.inference.model.kv_cache import KVCache
from bot.inference.model.ops import ForwardPass, Ops
from bot.inference.model.weights import LayerWeights, LlamaWeights


class LlamaModel:
    """Weights, cache and operations, joined."""

    def __init__(self, weights: LlamaWeights, cache: KVCache, ops: Ops) -> None:
        self._weights = weights
        self._caches = tuple(cache.blocks.unbind(0))
        self.ops = ops

    def embed(self, token_ids: Tensor, forward: ForwardPass) -> None:
        """Start the residual stream from token ids [n]."""
        torch.index_select(self._weights.embedding, 0, token_ids, out=forward.x)

    def run_layers(self, forward: ForwardPass, num_layers: int | None = None) -> None:
        """Carry the residual stream `forward.x` through every layer (or the first ones), in place."""
        self.ops.prepare(forward)
        for layer, cache in zip(self._weights.layers[:num_layers], self._caches, strict=num_layers is None):
            self._attend(forward, layer, cache)
            self._finish(forward, layer)

    def run_to_last_attention(self, forward: ForwardPass) -> None:
        """The same up to the last layer's attention: all that tokens need which nothing is sampled after."""
        self.ops.prepare(forward)
        *others, last = zip(self._weights.layers, self._caches, strict=True)
        for layer, cache in others:
            self._attend(forward, layer, cache)
            self._finish(forward, layer)
        self._attend(forward, *last)

    def finish_last_layer(self, forward: ForwardPass) -> None:
        """What is left of the last layer, for the rows that are sampled from."""
        self._finish(forward, self._weights.layers[-1])

    def _attend(self, forward: ForwardPass, layer: LayerWeights, cache: Tensor) -> None:
        self.ops.project_qkv(forward, layer, cache)
        self.ops.attend(forward, cache)

    def _finish(self, forward: ForwardPass, layer: LayerWeights) -> None:
        self.ops.add_projection(forward.x, forward.attended, layer.output)
        self.ops.project_gated(forward, layer)
        self.ops.add_projection(forward.x, forward.activated, layer.down)

    def project(self, forward: ForwardPass, logits: Tensor) -> None:
        """Logits [n, vocab] of the residual stream's rows."""
        self.ops.project_head(forward, self._weights.norm, self._weights.head, logits)
