"""A Llama: embed, run the layers, project to logits. One path for prefill and decode, the arithmetic injected."""

import torch
from torch import Tensor

from bot.inference.model.kv_cache import KVCache
from bot.inference.model.ops import Ops, Pass
from bot.inference.model.weights import LayerWeights, LlamaWeights


class LlamaModel:
    """Weights, cache and operations, joined."""

    def __init__(self, weights: LlamaWeights, cache: KVCache, ops: Ops) -> None:
        self._weights = weights
        self._caches = tuple(cache.blocks.unbind(0))
        self.ops = ops

    def embed(self, token_ids: Tensor, rows: Pass) -> None:
        """Start the residual stream from token ids [n]."""
        torch.index_select(self._weights.embedding, 0, token_ids, out=rows.x)

    def run_layers(self, rows: Pass, num_layers: int | None = None) -> None:
        """Carry the residual stream `rows.x` through every layer (or the first ones), in place."""
        self.ops.prepare(rows)
        for layer, cache in zip(self._weights.layers[:num_layers], self._caches, strict=num_layers is None):
            self._attend(rows, layer, cache)
            self._finish(rows, layer)

    def run_to_last_attention(self, rows: Pass) -> None:
        """The same up to the last layer's attention: all that tokens need which nothing is sampled after."""
        self.ops.prepare(rows)
        *others, last = zip(self._weights.layers, self._caches, strict=True)
        for layer, cache in others:
            self._attend(rows, layer, cache)
            self._finish(rows, layer)
        self._attend(rows, *last)

    def finish_last_layer(self, rows: Pass) -> None:
        """What is left of the last layer, for the rows that are sampled from."""
        self._finish(rows, self._weights.layers[-1])

    def _attend(self, rows: Pass, layer: LayerWeights, cache: Tensor) -> None:
        self.ops.project_qkv(rows, layer, cache)
        self.ops.attend(rows, cache)

    def _finish(self, rows: Pass, layer: LayerWeights) -> None:
        self.ops.add_projection(rows.x, rows.attended, layer.output)
        self.ops.project_gated(rows, layer)
        self.ops.add_projection(rows.x, rows.activated, layer.down)

    def project(self, rows: Pass, logits: Tensor) -> None:
        """Logits [n, vocab] of the residual stream's rows."""
        self.ops.project_head(rows, self._weights.norm, self._weights.head, logits)
