"""A Llama's weights as they lie on the device; query, key and value (and gate and up) projections are one matrix each.

So a step reads a merged matrix with one kernel. A matrix is a value with a kind, which the operations ask for: other
ways of storing weights are further kinds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from bot.inference.model.int8 import dequantise_matrix, quantise_matrix
from bot.inference.model.shape import LlamaShape

FEW_ROWS = 16
"""So many are multiplied faster by a matrix that lies by rows; one, and many, by one that lies by columns."""


class MatrixKind(StrEnum):
    """How a matrix's numbers are stored."""

    FLOAT = "float"
    """As they are, in the type that products are computed in."""
    INT8 = "int8"
    """Rounded to eight bits, with a scale for each output channel (a row)."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight matrix [out, in]; `scale` is what `data` has to be multiplied with, where its kind has one.

    A `bias` is added to its products by whoever makes them.
    """

    data: Tensor
    kind: MatrixKind = MatrixKind.FLOAT
    scale: Tensor | None = None
    by_rows: Tensor | None = None
    """The same numbers once more, row by row, where `data` lies by columns."""
    bias: Tensor | None = None  # [out]

    def fill(self, values: Tensor) -> None:
        """Take numbers from wherever they lie, and store them as the kind has it."""
        if self.scale is None:
            self.data.copy_(values)
            if self.by_rows is not None:
                self.by_rows.copy_(values)
        else:
            quantise_matrix(values, self.data, self.scale)

    def dense(self, dtype: torch.dtype) -> Tensor:
        """The numbers themselves [out, in]; a matrix of floats gives its own."""
        return self.data if self.scale is None else dequantise_matrix(self.data, self.scale, dtype)

    def factor(self, num_rows: int, dtype: torch.dtype) -> Tensor:
        """What `num_rows` rows of values are multiplied with [in, out], as it is read fastest."""
        is_few = 1 < num_rows <= FEW_ROWS
        return self.by_rows.t() if is_few and self.by_rows is not None else self.dense(dtype).t()

    def split(self, sizes: Sequence[int]) -> tuple["Matrix", ...]:
        """Runs of its rows, as views."""

        def parts(tensor: Tensor | None) -> Sequence[Tensor | None]:
            return [None] * len(sizes) if tensor is None else torch.split(tensor, list(sizes))

        data = torch.split(self.data, list(sizes))
        others = zip(parts(self.scale), parts(self.by_rows), parts(self.bias), strict=True)
        return tuple(Matrix(part, self.kind, *other) for part, other in zip(data, others, strict=True))

    def tensors(self) -> Iterator[Tensor]:
        """What it takes on the device."""
        yield self.data
        for other in (self.scale, self.by_rows, self.bias):
            if other is not None:
                yield other


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One decoder layer."""

    input_norm: Tensor
    qkv: Matrix  # [q_size + 2 * kv_size, hidden]: queries, keys, values
    output: Matrix  # [hidden, q_size]
    mlp_norm: Tensor
    gate_up: Matrix  # [2 * intermediate, hidden]: gates, ups
    down: Matrix  # [hidden, intermediate]


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """All weights of a model on one device. `head` holds `embedding` itself where the checkpoint ties them."""

    embedding: Tensor  # [vocab, hidden]
    layers: tuple[LayerWeights, ...]
    norm: Tensor
    head: Matrix  # [vocab, hidden]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor once."""
        yield from (self.embedding, self.norm)
        for layer in self.layers:
            yield from (layer.input_norm, layer.mlp_norm)
            for matrix in (layer.qkv, layer.output, layer.gate_up, layer.down):
                yield from matrix.tensors()
        if self.head.data is not self.embedding:
            yield from self.head.tensors()

    @property
    def kind(self) -> MatrixKind:
        """What the layers' matrices are."""
        return self.layers[0].qkv.kind

    @property
    def num_bytes(self) -> int:
        """What they take on the device."""
        return sum(tensor.nbytes for tensor in self.tensors())


def empty_weights(
    shape: LlamaShape,
    device: torch.device,
    dtype: torch.dtype,
    kind: MatrixKind = MatrixKind.FLOAT,
    *,
    by_columns: bool = False,
    also_by_rows: bool = False,
) -> LlamaWeights:
    """Allocate a model's tensors without filling them; `kind` is that of the layers' matrices and of the head.

    A head that is the embedding stays as that is. With `by_columns` matrices of floats lie in memory as [in, out],
    though their shape is the same: on the CPU a product of one row then takes two thirds of the time. A few rows are
    faster with the usual order, in which they lie a second time with `also_by_rows`. The kernels read [out, in].
    """

    def empty(*size: int) -> Tensor:
        return torch.empty(size, device=device, dtype=dtype)

    def matrix(num_out: int, num_in: int, *, has_bias: bool = False) -> Matrix:
        bias = empty(num_out) if has_bias else None
        if kind is MatrixKind.INT8:
            data = torch.empty((num_out, num_in), device=device, dtype=torch.int8)
            return Matrix(data, kind, torch.empty(num_out, device=device, dtype=torch.float32), bias=bias)
        if not by_columns:
            return Matrix(empty(num_out, num_in), bias=bias)
        by_rows = empty(num_out, num_in) if also_by_rows else None
        return Matrix(empty(num_in, num_out).t(), by_rows=by_rows, bias=bias)

    layers = tuple(
        LayerWeights(
            input_norm=empty(shape.hidden_size),
            qkv=matrix(shape.qkv_size, shape.hidden_size, has_bias=shape.has_qkv_bias),
            output=matrix(shape.hidden_size, shape.q_size, has_bias=shape.has_output_bias),
            mlp_norm=empty(shape.hidden_size),
            gate_up=matrix(2 * shape.intermediate_size, shape.hidden_size),
            down=matrix(shape.hidden_size, shape.intermediate_size),
        )
        for _ in range(shape.num_layers)
    )
    embedding = empty(shape.vocab_size, shape.hidden_size)
    head = Matrix(embedding) if shape.has_tied_embeddings else matrix(shape.vocab_size, shape.hidden_size)
    return LlamaWeights(embedding, layers, empty(shape.hidden_size), head)


def checkpoint_places(weights: LlamaWeights, shape: LlamaShape) -> dict[str, Matrix]:
    """Where a checkpoint's tensors go, by their names, as views: rows of the merged ones."""
    places = {
        "model.embed_tokens.weight": Matrix(weights.embedding),
        "model.norm.weight": Matrix(weights.norm),
        "lm_head.weight": weights.head,
    }
    for number, layer in enumerate(weights.layers):
        query, key, value = layer.qkv.split([shape.q_size, shape.kv_size, shape.kv_size])
        gate, up = layer.gate_up.split([shape.intermediate_size] * 2)
        in_layer = {
            "input_layernorm": Matrix(layer.input_norm),
            "self_attn.q_proj": query,
            "self_attn.k_proj": key,
            "self_attn.v_proj": value,
            "self_attn.o_proj": layer.output,
            "post_attention_layernorm": Matrix(layer.mlp_norm),
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": layer.down,
        }
        for name, place in in_layer.items():
            places[f"model.layers.{number}.{name}.weight"] = place
            if place.bias is not None:
                places[f"model.layers.{number}.{name}.bias"] = Matrix(place.bias)
    return places


def checkpoint_tensors(weights: LlamaWeights, shape: LlamaShape) -> dict[str, Tensor]:
    """The tensors of weights that are stored as floats, by their names in a checkpoint, as views."""
    return {name: place.data for name, place in checkpoint_places(weights, shape).items()}
