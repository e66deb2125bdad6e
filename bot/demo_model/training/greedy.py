"""Greedy answers in batches, through transformers' own LlamaForCausalLM and the files as they are shipped."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, logging

from bot.demo_model.training.chat_format import EOS, encode_prompt, load_tokenizer

BATCH_POSITIONS = 400_000
CHECKED_POSITIONS = 100_000


@dataclass(frozen=True)
class Expected:
    """Token ids of a prompt and of the one right answer, its end included."""

    prompt: list[int]
    answer: list[int]


class Greedy:
    """A loaded checkpoint that answers lists of prompts."""

    def __init__(self, folder: Path, tokenizer_file: Path | None = None) -> None:
        logging.set_verbosity_error()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self.model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype).to(self.device).eval()
        self.tokenizer = load_tokenizer(tokenizer_file) if tokenizer_file else load_tokenizer()

    def answers(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        """One answer for each prompt; an answer that does not end is marked with a trailing ellipsis sign."""
        order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
        answers = [""] * len(prompts)
        while order:
            longest = len(prompts[order[-1]]) + max_new_tokens
            size = max(1, min(512, BATCH_POSITIONS // longest))
            batch, order = order[-size:], order[:-size]
            for at, answer in zip(batch, self._batch([prompts[at] for at in batch], max_new_tokens), strict=True):
                answers[at] = answer
        return answers

    def matches(self, prompts: list[list[int]], texts: list[str]) -> list[bool]:
        """Whether a greedy answer would be exactly the text: one pass over prompt and text instead of a decode.

        The pass is over every right answer's own tokens, each of which has to be the most likely after those before it.
        """
        encode = self.tokenizer.encode
        expected = [
            Expected(prompt, [*encode(f"{text} ", add_special_tokens=False).ids, EOS])
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        order = sorted(range(len(expected)), key=lambda at: len(prompts[at]) + len(expected[at].answer))
        marks = [False] * len(expected)
        while order:
            longest = len(prompts[order[-1]]) + len(expected[order[-1]].answer)
            size = max(1, min(256, CHECKED_POSITIONS // longest))
            batch, order = order[-size:], order[:-size]
            for at, mark in zip(batch, self._check([expected[at] for at in batch]), strict=True):
                marks[at] = mark
        return marks

    @torch.inference_mode()
    def _check(self, cases: list[Expected]) -> list[bool]:
        rows = [case.prompt + case.answer for case in cases]
        width = max(map(len, rows))
        ids = torch.tensor([row + [EOS] * (width - len(row)) for row in rows], device=self.device)
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        marks = []
        for case, states in zip(cases, hidden, strict=True):
            first = len(case.prompt) - 1
            likely = self.model.lm_head(states[first : first + len(case.answer)]).argmax(-1)
            marks.append(likely.tolist() == case.answer)
        return marks

    @torch.inference_mode()
    def _batch(self, prompts: list[list[int]], max_new_tokens: int) -> list[str]:
        width = max(map(len, prompts))
        ids = torch.tensor([[EOS] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device)
        room = min(max_new_tokens, 4096 - width)
        out = self.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=room, do_sample=False, pad_token_id=EOS, eos_token_id=EOS
        )
        answers = []
        for row in out[:, width:].tolist():
            end = row.index(EOS) if EOS in row else None
            text = self.tokenizer.decode(row[:end], skip_special_tokens=False).strip()
            answers.append(text if end is not None else f"{text}…")
        return answers

    def chat(self, conversations: list[list[str]], max_new_tokens: int = 200) -> list[list[str]]:
        """Answers every message of every conversation in turn; the first message holds the system block already."""
        histories: list[list[tuple[str, str]]] = [[] for _ in conversations]
        for turn in range(max(map(len, conversations))):
            live = [at for at, messages in enumerate(conversations) if turn < len(messages)]
            prompts = [encode_prompt(self.tokenizer, histories[at], conversations[at][turn]) for at in live]
            for at, answer in zip(live, self.answers(prompts, max_new_tokens), strict=True):
                histories[at].append((conversations[at][turn], answer))
        return [[answer for _, answer in history] for history in histories]
