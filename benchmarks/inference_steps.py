"""Benchmark parts that need no engine thread: the card's limits, decode steps, memory."""

import asyncio
import statistics
import time

import torch
import triton
import triton.language as tl

from benchmarks.inference_serve import finish_all
from benchmarks.inference_setting import Report, Setting
from bot.inference.engine import SamplingParams
from bot.inference.loading.build import MemoryLimits, assemble_runner
from bot.inference.model.runner import LlamaRunner
from bot.inference.scheduling.step import DecodeRow, DecodeStep, PendingTokens, PrefillChunk, PrefillStep

_SAMPLED = SamplingParams(temperature=0.8, top_k=50, top_p=0.9)
_CAP_GIB = 14.7
_WANTED = {
    "llama2-7b": {
        (1, 500): ">= 0.80",
        (1, 3500): ">= 0.80",
        (8, 1250): ">= 0.76",
        (32, 1250): ">= 0.82",
        (64, 1250): ">= 0.82",
    },
    "llama3-8b": {
        (1, 500): ">= 0.90",
        (1, 3500): ">= 0.90",
        (8, 1250): ">= 0.82",
        (32, 1250): ">= 0.82",
        (64, 1250): ">= 0.80",
    },
}
"""Of the read roofline, by rows and context."""


@triton.jit
def _read_kernel(source, sums, num_blocks, BLOCK: tl.constexpr):  # noqa: N803
    offsets = tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for block in range(tl.program_id(0), num_blocks, tl.num_programs(0)):
        total += tl.load(source + block.to(tl.int64) * BLOCK + offsets)
    tl.store(sums + tl.program_id(0), tl.sum(total, 0))


def limits(setting: Setting, report: Report) -> None:
    """Read bandwidth and the rate of a matrix product; the other parts' floors follow from them."""
    setting.bandwidth = report.add("read bandwidth", _read_bandwidth(setting) / 1e12, "TB/s") * 1e12
    report.add("copy bandwidth, read plus written", _copy_bandwidth(setting) / 1e12, "TB/s")
    size = (64, 64, 64) if setting.is_tiny else (3000, 22016, 4096)
    name = "matrix product " + " x ".join(map(str, size))
    setting.gemm_rate = report.add(name, _gemm_rate(setting, *size) / 1e12, "TFLOP/s") * 1e12
    held = _held_gemm_rate(setting, *size) / 1e12
    note = "what power and heat allow; the floors follow from the row above"
    setting.held_gemm_rate = report.add("the same, without a pause for a second", held, "TFLOP/s", note=note) * 1e12


def _read_bandwidth(setting: Setting) -> float:
    source = torch.ones(2**20 if setting.is_tiny else 2**31, device=setting.device)
    if setting.is_tiny:
        return source.nbytes / setting.device_seconds(source.sum)
    sums, block = torch.zeros(132 * 8, device=setting.device), 8192
    grid, num_blocks = (len(sums),), len(source) // block
    seconds = setting.device_seconds(
        lambda: _read_kernel[grid](source, sums, num_blocks, BLOCK=block, num_warps=8),
    )
    return source.nbytes / seconds


def _copy_bandwidth(setting: Setting) -> float:
    source = torch.ones(2**20 if setting.is_tiny else 2**31, device=setting.device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / setting.device_seconds(lambda: target.copy_(source))


def _gemm_rate(setting: Setting, rows: int, columns: int, width: int) -> float:
    left = torch.randn(rows, width, device=setting.device, dtype=setting.dtype)
    right = torch.randn(columns, width, device=setting.device, dtype=setting.dtype)
    return 2 * rows * columns * width / setting.device_seconds(lambda: torch.mm(left, right.t()), repeats=30)


def _held_gemm_rate(setting: Setting, rows: int, columns: int, width: int) -> float:
    left = torch.randn(rows, width, device=setting.device, dtype=setting.dtype)
    right = torch.randn(columns, width, device=setting.device, dtype=setting.dtype)
    operations = 2 * rows * columns * width
    number = 10 if setting.is_tiny else int(setting.gemm_rate / operations)

    def run() -> None:
        for _ in range(number):
            torch.mm(left, right.t())

    return operations * number / setting.device_seconds(run, repeats=1)


def decode(setting: Setting, report: Report) -> None:
    """Decode steps by themselves, and what a sampled step costs."""
    runner = setting.runner
    note = "nothing was compiled while they were made; see the part `start`"
    report.add("assembling a runner over weights that are there", setting.startup_seconds, "s", note=note)
    setting.fill_cache()
    wanted = _WANTED[setting.shape_name]
    for num_rows, context in [(1, 500), (1, 3500), (2, 1250), (4, 1250), (8, 1250), (16, 1250), (32, 1250), (64, 1250)]:
        length = setting.scaled(context)
        seconds = step_seconds(runner, num_rows, length, SamplingParams())
        floor = setting.decode_seconds(1, num_rows * length)
        report.add(
            f"decode step, batch {num_rows}, context {context}",
            seconds * 1e3,
            "ms",
            floor=floor * 1e3,
            ratio=floor / seconds,
            wanted=wanted.get((num_rows, context), ""),
        )
    for num_rows in (1, 32):
        length = setting.scaled(500 if num_rows == 1 else 1250)
        greedy = step_seconds(runner, num_rows, length, SamplingParams())
        sampled = step_seconds(runner, num_rows, length, _SAMPLED)
        name = f"sampled step against greedy, batch {num_rows}"
        report.add(name, sampled * 1e3, "ms", floor=greedy * 1e3, ratio=sampled / greedy, wanted="<= 1.05")


def step_seconds(
    runner: LlamaRunner,
    num_rows: int,
    context: int,
    sampling: SamplingParams,
    num_steps: int = 20,
    num_proposed: int = 0,
) -> float:
    """Seconds of one decode step at `context`, launches and read-back included, blocks scattered: a median of five.

    Where each row has proposed tokens to verify, a step is read back before the next, as the engine has to.
    """
    per_row = -(-(context + num_proposed) // runner.block_size)
    order = torch.randperm(runner.num_blocks - 1, generator=torch.Generator().manual_seed(0)) + 1
    tables = order[torch.arange(num_rows * per_row) % len(order)].view(num_rows, per_row).tolist()
    for slot, table in enumerate(tables):
        chunk = PrefillChunk(slot, (5,), 0, tuple(table), sampling, is_last=True)
        runner.launch(PrefillStep((chunk,))).collect()
    newest, proposed = (5 if num_proposed else None), tuple(range(5, 5 + num_proposed))
    rows = [DecodeRow(slot, context - 1, tuple(table), newest, proposed) for slot, table in enumerate(tables)]
    step = DecodeStep(tuple(rows))

    def run(number: int) -> None:
        pending: PendingTokens | None = None
        for _ in range(number):
            if pending is not None and num_proposed:
                pending.collect()
                pending = None
            launched = runner.launch(step)
            if pending is not None:
                pending.collect()
            pending = launched
        if pending is not None:
            pending.collect()

    run(3)
    found = []
    for _ in range(5):
        start = time.perf_counter()
        run(num_steps)
        found.append((time.perf_counter() - start) / num_steps)
    return statistics.median(found)


def memory(setting: Setting, report: Report) -> None:
    """A card of 14.7 GiB: how many tokens fit, one conversation to the end, 64 that queue, and no growth."""
    setting.drop_runner()
    cap = MemoryLimits(num_blocks=120) if setting.is_tiny else MemoryLimits(gpu_memory_gib=_CAP_GIB)
    on_card = setting.device.type == "cuda"
    if on_card:
        total = torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction(_CAP_GIB * 2**30 / total)
    try:
        runner = assemble_runner(setting.shape, setting.weights, cap)
        before = _allocated(setting)
        num_tokens = (runner.num_blocks - 1) * runner.block_size
        report.add("KV tokens on 14.7 GiB", num_tokens, "tokens", wanted=">= 3,300")
        longest = min(num_tokens, runner.context_window)
        report.add("slots on 14.7 GiB", runner.max_num_sequences, "")
        lone, many = asyncio.run(finish_all(setting, runner, longest))
        report.add("a conversation at the cap: tokens at its end", lone, "tokens", wanted=f"= {longest:,}")
        report.add("of 64 that queue, finished", many, "", wanted="= 64")
        _mixed_steps(setting, runner, 30 if setting.is_tiny else 1000)
        after = _allocated(setting)
        names = ("allocated", "reserved")
        for name, first, last in zip(names, before, after, strict=True):
            report.add(f"growth of {name} memory over all this and 1,000 steps", last - first, "bytes", wanted="= 0")
        if on_card:
            report.add("reserved at the end", after[1] / 2**30, "GiB", wanted="<= 14.7")
        del runner
    finally:
        if on_card:
            torch.cuda.set_per_process_memory_fraction(1.0)
        setting.clean()


def _allocated(setting: Setting) -> tuple[int, int]:
    if setting.device.type != "cuda":
        return 0, 0
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()


def _mixed_steps(setting: Setting, runner: LlamaRunner, num_steps: int) -> None:
    """Prefills of all sizes and decodes of all batches, greedy and sampled."""
    num_slots, window = runner.max_num_sequences, min(runner.context_window, (runner.num_blocks - 1) * 32)
    table = tuple(range(1, -(-window // runner.block_size) + 1))
    for number in range(num_steps):
        sampling = _SAMPLED if number % 2 else SamplingParams()
        if number % 5 == 0:
            length = 1 + (number * 37) % min(runner.max_prefill_tokens, window)
            chunk = PrefillChunk(number % num_slots, setting.prompt(length), 0, table, sampling, is_last=True)
            runner.launch(PrefillStep((chunk,))).collect()
        else:
            rows = tuple(DecodeRow(slot, (number * 7) % window, table) for slot in range(1 + number % num_slots))
            runner.launch(DecodeStep(rows)).collect()
