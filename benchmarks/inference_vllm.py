"""The benchmark's part beside vLLM: both are asked the same prompts, one after the other, on the same card.

vLLM is looked for where this runs, or in the environment whose interpreter VLLM_PYTHON names, and gets a process of its
own. Each figure follows for both from the seconds of the same jobs: prompts that are asked at once, and the number of
tokens that each is answered with.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.inference_answers import answer, opened
from benchmarks.inference_setting import ROOT, Report, Setting

Job = tuple[list[tuple[int, ...]], int]
"""Prompts that are asked at once, and how many tokens each answer has."""

_NUM_NEW = 128


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure, the jobs whose seconds it follows from, and whether less of it is better."""

    name: str
    unit: str
    jobs: tuple[Job, ...]
    figure: Callable[[list[float]], float]
    wanted: str
    is_time: bool = True


def vllm(setting: Setting, report: Report) -> None:
    """Trinity's figures with vLLM's as the floor, and how many times better Trinity's are."""
    python = os.environ.get("VLLM_PYTHON", sys.executable)
    looked_for = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    if subprocess.run([python, "-c", looked_for], check=False).returncode:
        print(f"vLLM isn't installed for {python}: nothing is compared with it (VLLM_PYTHON names another interpreter)")
        return
    comparisons = list(_comparisons(setting))
    warm: list[Job] = [([setting.prompt(setting.scaled(500)) for _ in range(2)], setting.scaled(64))] * 2
    all_jobs = [*warm, *(job for comparison in comparisons for job in comparison.jobs)]
    ours = asyncio.run(_ask_trinity(setting, all_jobs))
    setting.leave()
    theirs, version = _ask_vllm(python, setting, all_jobs)
    at = len(warm)
    for each in comparisons:
        within = slice(at, at + len(each.jobs))
        at += len(each.jobs)
        our, their = each.figure(ours[within]), each.figure(theirs[within])
        ratio = their / our if each.is_time else our / their
        note = f"vLLM {version}"
        report.add(each.name, our, each.unit, floor=their, ratio=ratio, wanted=each.wanted, note=note)


def _comparisons(setting: Setting) -> Iterator[Comparison]:
    """What both are asked."""
    for number, context, wanted in (
        (1, 500, 1.25),
        (1, 3500, 1.25),
        (8, 1250, 1.15),
        (32, 1250, 1.08),
        (64, 1250, 1.04),
    ):
        length = setting.scaled(context) - setting.scaled(_NUM_NEW) // 2
        prompts = [setting.prompt(length) for _ in range(number)]
        num_new = setting.scaled(_NUM_NEW)
        jobs: tuple[Job, ...] = ((prompts, 1), (prompts, 1), (prompts, num_new + 1))  # the first fills the cache

        def step(seconds: list[float], num_new: int = num_new) -> float:
            return (seconds[2] - seconds[1]) / num_new * 1e3

        yield Comparison(f"a decode step, batch {number}, context {context}", "ms", jobs, step, f">= {wanted}")
    for number, wanted in ((8, 1.18), (32, 1.09), (64, 1.04)):
        num_new = setting.scaled(256)
        prompts = [setting.prompt(length) for length in setting.lengths(number)]
        tokens = number * num_new

        def rate(seconds: list[float], tokens: int = tokens) -> float:
            return tokens / seconds[0]

        name = f"{number} conversations at once, 256 new"
        yield Comparison(name, "tok/s", ((prompts, num_new),), rate, f">= {wanted}", is_time=False)
    prompts = [setting.prompt(length) for length in setting.lengths(8 if setting.is_tiny else 64)]
    num_tokens = sum(map(len, prompts))
    name = f"prefill of {len(prompts)} unseen prompts, {num_tokens:,} tokens"
    yield Comparison(name, "tok/s", ((prompts, 1),), lambda seconds: num_tokens / seconds[0], ">= 1.01", is_time=False)
    name = "first token, 3,000 cold"
    yield Comparison(name, "ms", _two_turns(setting), lambda seconds: median(seconds[::2]) * 1e3, ">= 1.05")
    name = "first token, next turn of 64 on 3,000"
    yield Comparison(name, "ms", _two_turns(setting), lambda seconds: median(seconds[1::2]) * 1e3, ">= 1.5")
    singles: tuple[Job, ...] = tuple(
        ([setting.prompt(length)], 1) for length in setting.lengths(4 if setting.is_tiny else 24)
    )
    yield Comparison("first token, 24 unseen single prompts", "ms", singles, lambda s: median(s) * 1e3, "")


def _two_turns(setting: Setting) -> tuple[Job, ...]:
    """Five prompts of 3,000 tokens, each followed by itself with 64 more."""
    firsts = [setting.prompt(setting.scaled(3000)) for _ in range(5)]
    return tuple(([prompt], 1) for first in firsts for prompt in (first, (*first, *setting.prompt(64))))


async def _ask_trinity(setting: Setting, jobs: list[Job]) -> list[float]:
    times = []
    async with opened(setting, setting.runner) as engine:
        for prompts, num_new in jobs:
            start = time.perf_counter()
            owners = (f"owner {number}" for number in range(len(prompts)))  # whose earlier prompts are reused
            asked = (answer(engine, p, num_new, owner) for p, owner in zip(prompts, owners, strict=True))
            found = await asyncio.gather(*asked)
            times.append(time.perf_counter() - start)
            assert all(len(one.token_ids) == num_new for one in found)
    return times


def _ask_vllm(python: str, setting: Setting, jobs: list[Job]) -> tuple[list[float], str]:
    """The seconds of each job, and the version."""
    with tempfile.TemporaryDirectory() as folder:
        model, asked, found = Path(folder) / "model", Path(folder) / "jobs.json", Path(folder) / "seconds.json"
        model.mkdir()
        config = setting.config.to_dict() | {"architectures": ["LlamaForCausalLM"], "torch_dtype": "float16"}
        (model / "config.json").write_text(json.dumps(config))
        asked.write_text(json.dumps(jobs))
        script = ROOT / "benchmarks" / "vllm_answers.py"
        subprocess.run([python, str(script), str(model), str(asked), str(found)], cwd=folder, check=True)
        measured = json.loads(found.read_text())
    return measured["seconds"], measured["version"]
