"""Compiles every kernel at Llama-2-7B's shape for an sm_75 card (without tensor-core kernels) and an sm_90 one.

Run by test_kernels.py in a process of its own. Usage: python -m tests.inference.compiled [all]

Without "all", sm_90 gets only what sm_75 goes without.
"""

import sys
from collections.abc import Iterator
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from bot.inference import dot_kernels, gemv_kernels, kernels, sampling_kernel

HIDDEN, INTERMEDIATE, VOCAB = 4096, 11008, 32000
HEADS = {"HEADS": 32, "KV_HEADS": 32, "HEAD_DIM": 128, "BLOCK_SIZE": 32}
GROUPED = {"HEADS": 64, "KV_HEADS": 8, "HEAD_DIM": 128, "BLOCK_SIZE": 32}
NORMED = {"WIDTH": HIDDEN}
FLOATS = ("cosines", "sines", "partial_sums", "partial_scales")
INTS = ("positions", "kv_slots", "tables", "arrivals", "tiles")
HALVES = ("x", "weight", "out", "norm", "qkv", "cache", "gate_up", "logits", "values")
SCALARS = {"eps": "fp32", "scale": "fp32", "cache_half": "i64", "table_stride": "i32", "num_rows": "i32"}
MOST_SHARED_ON_A_T4 = 48 * 1024


def jobs(has_dot: bool) -> Iterator[tuple[Any, dict[str, Any], int]]:
    """Kernel, constants, warps."""
    yield kernels.rms_norm_kernel, {"WIDTH": HIDDEN, "BLOCK": 4096}, 4
    yield kernels.rotate_and_store_kernel, HEADS | {"HALF_BLOCK": 64, "BLOCK_HEADS": 32}, 4
    yield kernels.silu_mul_kernel, {"WIDTH": INTERMEDIATE, "BLOCK": 1024}, 4
    yield kernels.decode_attention_kernel, HEADS | {"DIM_BLOCK": 128, "SPLITS": 8, "STAGES": 2}, 2
    yield kernels.decode_attention_kernel, GROUPED | {"DIM_BLOCK": 128, "SPLITS": 1, "STAGES": 1}, 2
    yield kernels.greedy_kernel, {"WIDTH": VOCAB, "BLOCK": 32768}, 16
    yield gemv_kernels.gemv_qkv_kernel, HEADS | {"WIDTH": HIDDEN, "BLOCK_N": 1, "BLOCK_K": 4096}, 4
    yield gemv_kernels.gemv_gated_kernel, NORMED | {"OUT_WIDTH": INTERMEDIATE, "BLOCK_N": 1, "BLOCK_K": 4096}, 4
    yield gemv_kernels.gemv_add_kernel, {"WIDTH": INTERMEDIATE, "OUT_WIDTH": HIDDEN, "BLOCK_N": 2, "BLOCK_K": 2048}, 4
    yield gemv_kernels.gemv_head_kernel, NORMED | {"OUT_WIDTH": VOCAB, "BLOCK_N": 2, "BLOCK_K": 2048}, 8
    yield sampling_kernel.sample_kernel, {"WIDTH": VOCAB, "BLOCK": 32768}, 16
    if has_dot:
        tile = {"BLOCK_M": 16, "BLOCK_N": 32, "BLOCK_K": 128, "STAGES": 6, "AHEAD": 16}
        yield dot_kernels.skinny_add_kernel, {"WIDTH": INTERMEDIATE, "OUT_WIDTH": HIDDEN} | tile, 4
        tile = {"DIM_BLOCK": 128, "BLOCK_M": 64, "BLOCK_N": 64, "STAGES": 2, "PRECISION": "tf32"}
        yield dot_kernels.prefill_attention_kernel, GROUPED | tile, 4


def compile_for(capability: int, kernel: Any, constants: dict[str, Any], num_warps: int) -> int:
    """Compile one kernel to machine code; the shared memory it takes."""
    constants = constants | {"PDL": capability >= 90}
    signature = {name: "constexpr" if name in constants else _type(name) for name in kernel.arg_names}
    aligned = {
        (number,): [["tt.divisibility", 16]]
        for number, name in enumerate(kernel.arg_names)
        if signature[name].startswith("*") or name == "cache_half"
    }
    places = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places, attrs=aligned)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": num_warps})
    assert len(compiled.asm["cubin"]) > 0
    return compiled.metadata.shared


def _type(name: str) -> str:
    if name in FLOATS:
        return "*fp32"
    if name in INTS:
        return "*i32"
    if name in HALVES:
        return "*fp16"
    others = {"finite": "*i1", "seen": "*i1"} | dict.fromkeys(("tokens", "slots", "seeds", "top_ks"), "*i64")
    others |= dict.fromkeys(("temperatures", "top_ps", "penalties"), "*fp32")
    return others.get(name) or SCALARS[name]


def main() -> int:
    """Compile everything; a kernel that fails raises."""
    for capability in (75, 90):
        wanted = list(jobs(has_dot=capability >= 80))
        if capability >= 80 and "all" not in sys.argv:
            wanted = [job for job in wanted if job[0].__module__ == dot_kernels.__name__]
        for kernel, constants, num_warps in wanted:
            shared = compile_for(capability, kernel, constants, num_warps)
            print(f"sm_{capability} {kernel.__name__}: {shared} bytes shared", flush=True)
            assert capability > 75 or shared <= MOST_SHARED_ON_A_T4
    return 0


if __name__ == "__main__":
    sys.exit(main())
