"""Greedy answers in batches, through transformers' own LlamaForCausalLM and the files as they are shipped."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from bot.conversation.chat_format import ChatPrompt, TurnEncoder
from bot.conversation.tokenizer import END_ID
from training.probes import Probe
from training.values import tokenizer

_BATCH_POSITIONS = 400_000
_CHECKED_POSITIONS = 100_000
_WINDOW = 4096


def _batches(lengths: list[int], most_rows: int, most_positions: int) -> Iterator[list[int]]:
    """Which prompts go together, the longest first."""
    order = sorted(range(len(lengths)), key=lambda at: lengths[at])
    while order:
        size = max(1, min(most_rows, most_positions // lengths[order[-1]]))
        yield order[-size:]
        del order[-size:]


class Greedy:
    """A loaded checkpoint that answers lists of prompts."""

    def __init__(self, folder: Path) -> None:
        from transformers import LlamaForCausalLM  # noqa: PLC0415 - seconds, of which who only reads a report has no use

        logging.getLogger("transformers").setLevel(logging.ERROR)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        model: Any = LlamaForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model = model.to(self.device).eval()
        self._encoder = TurnEncoder(tokenizer())

    def answers(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        """One answer for each prompt; an answer that does not end is marked with a trailing ellipsis sign."""
        answers = [""] * len(prompts)
        for batch in _batches([len(prompt) + max_new_tokens for prompt in prompts], 512, _BATCH_POSITIONS):
            for at, answer in zip(batch, self._generate([prompts[at] for at in batch], max_new_tokens), strict=True):
                answers[at] = answer
        return answers

    def matches(self, prompts: list[list[int]], texts: list[str]) -> list[bool]:
        """Whether a greedy answer would be exactly the text: one pass over prompt and text instead of a decode.

        Every token of the right answer has to be the most likely one after those before it.
        """
        wanted = [[*self._encoder.encode(f"{text} "), END_ID] for text in texts]
        marks = [False] * len(prompts)
        lengths = [len(prompt) + len(answer) for prompt, answer in zip(prompts, wanted, strict=True)]
        for batch in _batches(lengths, 256, _CHECKED_POSITIONS):
            checked = self._check([prompts[at] for at in batch], [wanted[at] for at in batch])
            for at, mark in zip(batch, checked, strict=True):
                marks[at] = mark
        return marks

    def last_answers(self, probes: tuple[Probe, ...], max_new_tokens: int) -> list[str]:
        """What each conversation's last message is answered, through the bot's own prompt builder."""
        said: list[list[str]] = [[] for _ in probes]
        for turn in range(max((len(probe.says) for probe in probes), default=0)):
            live = [at for at, probe in enumerate(probes) if turn < len(probe.says)]
            prompts = [self._prompt(probes[at], said[at]) for at in live]
            for at, answer in zip(live, self.answers(prompts, max_new_tokens), strict=True):
                said[at].append(answer)
        return [answers[-1] for answers in said]

    def _prompt(self, probe: Probe, answers: list[str]) -> list[int]:
        prompt = ChatPrompt(probe.systems[len(answers)])
        for question, answer in zip(probe.says, answers, strict=False):
            prompt.add_user_message(question)
            prompt.add_assistant_message(answer or "...")
        prompt.add_user_message(probe.says[len(answers)])
        return prompt.token_ids(self._encoder)

    @torch.inference_mode()
    def _check(self, prompts: list[list[int]], wanted: list[list[int]]) -> list[bool]:
        rows = [[*prompt, *answer] for prompt, answer in zip(prompts, wanted, strict=True)]
        width = max(map(len, rows))
        ids = torch.tensor([row + [END_ID] * (width - len(row)) for row in rows], device=self.device)
        hidden = self._model.model(input_ids=ids, use_cache=False).last_hidden_state
        marks = []
        for prompt, answer, states in zip(prompts, wanted, hidden, strict=True):
            first = len(prompt) - 1
            likely = self._model.lm_head(states[first : first + len(answer)]).argmax(-1)
            marks.append(likely.tolist() == answer)
        return marks

    @torch.inference_mode()
    def _generate(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        width = max(map(len, prompts))
        ids = torch.tensor([[END_ID] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device)
        most, ends = min(max_new_tokens, _WINDOW - width), {"pad_token_id": END_ID, "eos_token_id": END_ID}
        out = self._model.generate(ids, attention_mask=mask, max_new_tokens=most, do_sample=False, **ends)
        answers = []
        for row in out[:, width:].tolist():
            ended = END_ID in row
            kept = row[: row.index(END_ID)] if ended else row
            text = tokenizer().decode(kept, skip_special_tokens=False).strip()
            answers.append(text if ended else f"{text}…")
        return answers
