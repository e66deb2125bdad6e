"""Benchmark parts beside transformers, in the same run: on the card, and on the CPU with the demo model."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from transformers import GenerationConfig, LlamaForCausalLM

from benchmarks.inference_answers import answer, opened
from benchmarks.inference_setting import Report, Setting
from benchmarks.inference_steps import step_seconds
from bot.inference.engine import SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.loading.config import read_shape
from bot.inference.model.runner import LlamaRunner
from tests.checkpoints import transformers_model

DEMO = Path(__file__).parents[1] / "bot" / "demo_model"


def peers(setting: Setting, report: Report) -> None:
    """How many times ours is faster than transformers on the very same tensors."""
    context = setting.scaled(500)
    ours = step_seconds(setting.runner, 1, context, SamplingParams())
    together = asyncio.run(_rate_together(setting, setting.runner, 32))
    report.add("ours: a token, batch 1, context 500", ours * 1e3, "ms")
    report.add("ours: 32 conversations at once", together, "tok/s")
    setting.drop_runner()
    _against(setting, report, ours, together)
    setting.clean()


def _against(setting: Setting, report: Report, ours: float, together: float) -> None:
    context, num_new = setting.scaled(500), 8 if setting.is_tiny else 32
    model = transformers_model(setting.config, setting.weights, setting.shape)

    def compare(name: str, wanted: str, measure: Callable[[], float]) -> None:
        try:
            seconds = measure()
        except Exception as error:  # a peer that fails is a row, and no reason to stop
            report.add(name, float("nan"), "ms", note=f"failed: {str(error)[:80]!r}")
            return
        report.add(name, seconds * 1e3, "ms", floor=ours * 1e3, ratio=seconds / ours, wanted=wanted)

    compare("transformers, eager generate", ">= 7", lambda: _eager(setting, model, context, num_new))
    eager = _one_at_a_time(setting, model, 2, 8 if setting.is_tiny else 24)
    name = "transformers, one at a time (from 2 conversations): ours with 32 against it"
    report.add(name, eager, "tok/s", ratio=together / eager, wanted=">= 60")
    if not setting.is_tiny:
        compare("transformers, static cache + compile", ">= 1.6", lambda: _static(setting, model, context, num_new))
        compare("transformers, continuous batching, batch 1", "", lambda: _continuous(setting, model, [context], 24))
        try:
            lengths = setting.lengths(32)
            seconds = _continuous(setting, model, lengths, 16) * 16
            rate = 32 * 16 / seconds
            name = "transformers, continuous batching, 32 at once, 16 new each"
            report.add(name, rate, "tok/s", ratio=together / rate, note="prefill weighs more with 16 new")
        except Exception as error:
            report.add("transformers, continuous batching, 32", float("nan"), "", note=f"failed: {str(error)[:80]!r}")


async def _rate_together(setting: Setting, runner: LlamaRunner, number: int) -> float:
    async with opened(setting, runner) as engine:
        num_new = setting.scaled(256)
        prompts = [setting.prompt(length) for length in setting.lengths(number)]
        start = time.perf_counter()
        await asyncio.gather(*(answer(engine, prompt, num_new, f"p{k}") for k, prompt in enumerate(prompts)))
        return number * num_new / (time.perf_counter() - start)


def _generate(setting: Setting, model: LlamaForCausalLM, length: int, num_new: int, **options: object) -> float:
    """Seconds of one generate."""
    ids = torch.tensor([setting.prompt(length)], device=setting.device)
    settings = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "max_new_tokens": num_new} | options
    start = time.perf_counter()
    with torch.inference_mode():
        model.generate(ids, attention_mask=torch.ones_like(ids), min_new_tokens=num_new, **settings)
    if setting.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _eager(setting: Setting, model: LlamaForCausalLM, context: int, num_new: int, **options: object) -> float:
    """Seconds of a token: a long completion less a short one."""
    _generate(setting, model, context, 2, **options)
    short = _generate(setting, model, context, 2, **options)
    return (_generate(setting, model, context, num_new + 2, **options) - short) / num_new


def _static(setting: Setting, model: LlamaForCausalLM, context: int, num_new: int) -> float:
    length = context + num_new + 2
    settings = {"cache_implementation": "static", "max_length": None}
    model.generation_config.max_length = length
    for _ in range(3):  # compiles, then records
        _generate(setting, model, context, num_new + 2, **settings)
    return _eager(setting, model, context, num_new, **settings)


def _one_at_a_time(setting: Setting, model: LlamaForCausalLM, number: int, num_new: int) -> float:
    seconds = sum(_generate(setting, model, length, num_new) for length in setting.lengths(number))
    return number * num_new / seconds


def _continuous(setting: Setting, model: LlamaForCausalLM, lengths: list[int], num_new: int) -> float:
    """Seconds of a token of each row, prompts included."""
    settings = GenerationConfig(max_new_tokens=num_new, do_sample=False, eos_token_id=-1, pad_token_id=0)
    prompts = [list(setting.prompt(length)) for length in lengths]
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        model.generate_batch(inputs=[prompts[0][:64]], generation_config=settings, progress_bar=False)
        start = time.perf_counter()
        model.generate_batch(inputs=prompts, generation_config=settings, progress_bar=False)
    return (time.perf_counter() - start) / num_new


@dataclass(slots=True)
class _Rates:
    """Tokens a second of every round, by the clock and by the processor's time."""

    by_clock: list[float] = field(default_factory=list)
    by_work: list[float] = field(default_factory=list)

    @contextmanager
    def measure(self, num_tokens: int) -> Iterator[None]:
        """Note how fast the block makes `num_tokens`."""
        start, worked = time.perf_counter(), time.process_time()
        yield
        self.by_clock.append(num_tokens / (time.perf_counter() - start))
        self.by_work.append(num_tokens / (time.process_time() - worked))


def cpu(setting: Setting, report: Report) -> None:
    """The demo model on the CPU, one conversation and eight at once, in turns with transformers' one at a time."""
    runner = build_runner(DEMO, "cpu")
    model = LlamaForCausalLM.from_pretrained(DEMO, dtype=torch.float32).eval()
    small = Setting(is_tiny=True)
    small.shape, small.config = read_shape(DEMO), model.config
    num_rounds, num_new, length = (2, 8, 40) if setting.is_tiny else (7, 64, 200)
    for number, what, wanted in ((1, "one conversation", ">= 1.6"), (8, "eight", ">= 4")):
        theirs, ours = asyncio.run(_in_turns(small, runner, model, number, num_rounds, num_new, length))
        ratios = [one / other for one, other in zip(ours.by_clock, theirs.by_clock, strict=True)]
        by_work = median(ours.by_work) / median(theirs.by_work)
        note = f"{min(ratios):.2f} to {max(ratios):.2f} in {num_rounds} rounds; {by_work:.2f} by processor time"
        report.add(f"transformers, CPU, demo model, {what}", median(theirs.by_clock), "tok/s")
        name = f"ours, CPU, demo model, {what}"
        report.add(name, median(ours.by_clock), "tok/s", ratio=median(ratios), wanted=wanted, note=note)


async def _in_turns(
    setting: Setting,
    runner: LlamaRunner,
    model: LlamaForCausalLM,
    number: int,
    num_rounds: int,
    num_new: int,
    length: int,
) -> tuple[_Rates, _Rates]:
    """The rates of transformers and ours: what else the machine does then hits both alike."""
    theirs, ours = _Rates(), _Rates()
    async with opened(setting, runner) as engine:
        _generate(setting, model, length, 4)
        await answer(engine, setting.prompt(length), 4, "warm")
        for one in range(num_rounds):
            with theirs.measure(number * num_new):
                for _ in range(number):
                    _generate(setting, model, length, num_new)
            prompts = [setting.prompt(length) for _ in range(number)]
            with ours.measure(number * num_new):
                await asyncio.gather(*(answer(engine, p, num_new, f"{one} {k}") for k, p in enumerate(prompts)))
    return theirs, ours
