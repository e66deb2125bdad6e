"""A server that completes prompts on loopback, as strict as vLLM is by its documentation, and as odd as others are."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tokenizers import Tokenizer

from bot.conversation.tokenizer import BEGIN_ID, encode

Fault = Callable[["CompletionsServer", web.Request, web.StreamResponse], Any]
_OPENAI_FIELDS = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stream", "stream_options", "stop", "user",
    "n", "logprobs", "echo", "suffix", "presence_penalty", "frequency_penalty", "best_of", "logit_bias",
}  # fmt: skip


@dataclass
class CompletionsServer:
    """Answers `answer` word by word; what it was asked, and how often it was left, is kept."""

    tokenizer: Tokenizer
    answer: str = "one two three four five"
    model: str = "llama"
    owned_by: str = "vllm"
    max_model_len: int | None = 4096
    key: str | None = None
    takes_token_ids: bool = True
    refuses_ids_with: int = 400
    is_strict: bool = False
    refused_fields: frozenset[str] = frozenset()
    """Answered with 400, as routers do for what the model behind them doesn't have."""
    slot: dict[str, Any] | None = None
    """What llama-server says of itself at /props; while its model loads it says 503 to all but the list of models."""
    is_loading: bool = False
    lists_models: bool = True
    cookie: str | None = None
    tells_token_ids: bool = True
    ends_with_mark: bool = True
    finish_reason: str = "stop"
    seconds_per_word: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    num_left: int = 0
    num_running: int = 0
    most_running: int = 0
    statuses: deque[int] = field(default_factory=deque)
    """What the next requests are answered with, instead."""
    break_after_words: deque[int] = field(default_factory=deque)
    """After so many words the next streams just end."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    words_before_gate: int | None = None
    url: str = ""

    async def models(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if not self.lists_models:
            return _error(500, "Internal Server Error")
        entry = {"id": self.model, "object": "model", "owned_by": self.owned_by, "root": f"/models/{self.model}"}
        if self.max_model_len is not None:
            entry["max_model_len"] = self.max_model_len  # type: ignore[assignment]
        listed = web.json_response({"object": "list", "data": [entry]})
        if self.cookie is not None:
            listed.set_cookie("replica", self.cookie)
        return listed

    async def props(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self.is_loading:
            return _error(503, "Loading model")
        return _error(404, "not found") if self.slot is None else web.json_response(self.slot)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self.is_loading:
            return _error(503, "Loading model")
        body = await request.json()
        if refused := self.refused_fields.intersection(body):
            return _error(400, f"unsupported: {sorted(refused)}")
        if self.is_strict and (unknown := set(body) - _OPENAI_FIELDS):
            return _error(422, f"unknown fields: {sorted(unknown)}")
        if "prompt" not in body:
            return _error(400, "prompt is missing")
        prompt = body["prompt"]
        if not isinstance(prompt, str) and not self.takes_token_ids:
            return _error(self.refuses_ids_with, "prompt has to be a string")
        num_prompt_tokens = len(prompt) if isinstance(prompt, list) else len(self.ids_of(prompt))
        window = self.slot["default_generation_settings"]["n_ctx"] if self.slot else self.max_model_len
        if window is not None and num_prompt_tokens + body["max_tokens"] > window:
            return _error(400, f"This model's maximum context length is {window} tokens")
        if not body["stream"]:
            usage = {"prompt_tokens": num_prompt_tokens, "completion_tokens": 1}
            choice = {"text": "x", "finish_reason": "length", "index": 0}
            return web.json_response({"choices": [choice], "usage": usage})
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        return await self._stream(request, body, num_prompt_tokens)

    def ids_of(self, text: str) -> list[int]:
        """As vLLM tokenizes a text: the beginning goes before it, and spelled control tokens become some."""
        tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        tokenizer.encode_special_tokens = False
        return [BEGIN_ID, *tokenizer.encode(text, add_special_tokens=False).ids]

    async def _stream(self, request: web.Request, body: dict[str, Any], num_prompt_tokens: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        is_whole = False
        try:
            await self._words(response, body, num_prompt_tokens)
            is_whole = True
        except (ConnectionError, asyncio.CancelledError):
            raise
        finally:
            self.num_running -= 1
            self.num_left += not is_whole
        return response

    async def _words(self, response: web.StreamResponse, body: dict[str, Any], num_prompt_tokens: int) -> None:
        rest = self.answer.split(" ")[self._said_before(body["prompt"]) :]
        words = rest[: body["max_tokens"]]
        finish_reason = self.finish_reason if len(words) == len(rest) else "length"
        break_after = self.break_after_words.popleft() if self.break_after_words else None
        for number, word in enumerate(words):
            if number == break_after:
                return
            if number == self.words_before_gate:
                await self.gate.wait()
            if self.seconds_per_word:
                await asyncio.sleep(self.seconds_per_word)
            choice: dict[str, Any] = {"index": 0, "text": f" {word}", "finish_reason": None}
            if body.get("return_token_ids") and self.tells_token_ids:
                choice["token_ids"] = encode(self.tokenizer, word)
            await _send(response, {"choices": [choice]})
        if break_after == len(words):
            return
        await _send(response, {"choices": [{"index": 0, "text": "", "finish_reason": finish_reason}]})
        if body.get("stream_options", {}).get("include_usage"):
            usage = {
                "prompt_tokens": num_prompt_tokens,
                "completion_tokens": len(words),
                "prompt_tokens_details": {"cached_tokens": num_prompt_tokens // 2},
            }
            await _send(response, {"choices": [], "usage": usage})
        if self.ends_with_mark:
            await response.write(b"data: [DONE]\n\n")

    def _said_before(self, prompt: str | Sequence[int]) -> int:
        """How many words of the answer stand at the prompt's end already."""
        text = prompt if isinstance(prompt, str) else self.tokenizer.decode([*prompt])
        words = self.answer.split(" ")
        return max((n for n in range(len(words) + 1) if text.rstrip().endswith(" ".join(words[:n]))), default=0)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Unauthorized")
        return _error(self.statuses.popleft(), "as it was planned") if self.statuses else None


@asynccontextmanager
async def serve(server: CompletionsServer, port: int = 0) -> AsyncIterator[CompletionsServer]:
    """Serve on loopback for as long as the block lasts; whoever is being answered then is cut off."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/v1/models", server.models),
            web.get("/props", server.props),
            web.post("/v1/completions", server.complete),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    host, bound = runner.addresses[0][:2]
    server.url = f"http://{host}:{bound}"
    try:
        yield server
    finally:
        with suppress(asyncio.CancelledError):
            await runner.cleanup()


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(f"data: {json.dumps(event)}\n\n".encode())


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status)
