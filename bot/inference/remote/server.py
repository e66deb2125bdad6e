"""Which server stands at an address, and what it can do: asked at the start, and again whenever it was away.

What servers say of themselves is believed only where nothing depends on it. Whether prompts may be token ids, whether
unknown fields are refused and whether the vocabulary is ours is found out by two requests of one token.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import aiohttp

from bot.errors import ConfigError

log = logging.getLogger(__name__)

URL_SETTING, KEY_SETTING = "TRINITY_ENGINE_URL", "TRINITY_ENGINE_API_KEY"
ASKING_SECONDS = 60.0
"""A question about the server itself; the first request of one token may have to compile something."""
MARGIN_TOKENS = 64
"""Left free where the server makes the ids: it may make a few more of a text than we count."""
_MAX_ANSWER_BYTES = 4 << 20
_MAX_REASON = 200
PASSING_STATUS = frozenset({408, 425, 429, 502, 503, 504})
"""What may be over in a moment."""


_NOT_THERE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


class ServerKind(StrEnum):
    """Servers whose ways are known."""

    VLLM = "vLLM"
    SGLANG = "SGLang"
    TGI = "TGI"
    LLAMA_SERVER = "llama-server"
    LLAMA_CPP_PYTHON = "llama-cpp-python"
    OLLAMA = "Ollama"
    OTHER = "an OpenAI-compatible server"


_OWNERS = {
    "vllm": ServerKind.VLLM,
    "sglang": ServerKind.SGLANG,
    "llamacpp": ServerKind.LLAMA_SERVER,
    "me": ServerKind.LLAMA_CPP_PYTHON,
    "library": ServerKind.OLLAMA,
}
"""What each of them gives for `owned_by` in its list of models (their sources, 2026)."""
_LASTING = ("root", "max_model_len", "meta")
"""What stays as it is in a list of models while the same one runs; vLLM's moments and ids don't."""
_DEFAULT_RUNNING = {ServerKind.LLAMA_CPP_PYTHON: 1, ServerKind.LLAMA_SERVER: 4}
_MANY_RUNNING = 64


class ServerAway(Exception):
    """The server can't be reached, or isn't ready yet; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the server is asked to count, so that both sides are known to mean the same."""

    token_ids: tuple[int, ...]
    """A prompt with control tokens in it."""
    text: str
    """Words that ordinary vocabularies cut in different ways."""
    num_text_tokens: int
    """What they are here, without a token before them."""


@dataclass(frozen=True, slots=True)
class Server:
    """What stands at the address."""

    kind: ServerKind
    model: str
    """As requests name it."""
    window: int
    """The most tokens that prompt and answer take together."""
    takes_token_ids: bool
    adds_begin: bool
    """It puts the token that begins a prompt before a text by itself."""
    is_strict: bool
    """It refuses fields that OpenAI doesn't have."""
    max_running: int
    """As many requests are sent to it at once."""
    root: str = ""
    """What the model is behind its name, where the server says."""
    listing: str = ""
    """What its list of models says of this one."""

    @property
    def max_sequence_tokens(self) -> int:
        """The most tokens of one request, as they are counted here."""
        return self.window if self.takes_token_ids else self.window - MARGIN_TOKENS

    @property
    def model_hash(self) -> str:
        """Identifies what answered, as far as the server tells."""
        named = f"{self.kind}\n{self.model}\n{self.root}".encode()
        return f"remote-{hashlib.sha256(named).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator said of the server."""

    url: str
    """Without the `/v1`."""
    model: str | None
    context_window: int | None
    max_running: int | None


class ServerClient:
    """Asks a server. Redirects aren't followed: the key is for this address alone."""

    def __init__(self, session: aiohttp.ClientSession, url: str, proxy: str | None = None) -> None:
        self._session = session
        self._url = url
        self._proxy = proxy

    def post(
        self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str], silence_seconds: float
    ) -> "aiohttp.client._RequestContextManager":
        """Begin a request whose answer is read as it comes; the time limit is on silence, not on length."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence_seconds)
        return self._session.post(
            self._url + path, json=body, headers=headers, timeout=timeout, proxy=self._proxy, allow_redirects=False
        )

    async def ask(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """The status and the JSON of an answer; None for what is no JSON.

        Raises:
            ServerAway: there was no answer.
        """
        timeout = aiohttp.ClientTimeout(total=ASKING_SECONDS, sock_connect=10)
        try:
            async with self._session.request(
                "GET" if body is None else "POST", self._url + path, json=body, timeout=timeout, proxy=self._proxy,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                content = await answer.content.read(_MAX_ANSWER_BYTES)
                while not answer.content.at_eof() and len(content) < _MAX_ANSWER_BYTES:
                    content += await answer.content.read(_MAX_ANSWER_BYTES - len(content))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ServerAway(away_in_words(error)) from error
        try:
            return answer.status, json.loads(content)
        except (ValueError, RecursionError):
            return answer.status, None


def away_in_words(error: BaseException) -> str:
    """Why there is no answer, in a few words."""
    if isinstance(error, TimeoutError):
        return "it doesn't answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error or "can't be connected to").lower()[:_MAX_REASON]
    if isinstance(error, aiohttp.ClientError):
        return f"the connection broke ({type(error).__name__})"
    return str(error)[:_MAX_REASON] or type(error).__name__


async def survey(client: ServerClient, wanted: Wanted, probe: Probe) -> Server:
    """Find out all of `Server`.

    Raises:
        ServerAway: it can't be reached, or its model isn't loaded yet.
        ConfigError: it is reached, and can't be used like this.
    """
    status, listed = await client.ask("/v1/models")
    _refuse_status(status)
    # transformers serve never lists its models where there is no cache of the hub's, and completes all the same.
    is_told = status == HTTPStatus.INTERNAL_SERVER_ERROR and wanted.model and wanted.context_window
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED and not is_told:
        raise ServerAway(f"it answers {status} when asked which models it has")
    entries = _entries(listed)
    kind = await _kind(client, entries)
    if kind is ServerKind.OLLAMA:
        problem = (
            "names an Ollama, whose completions put a template of its own around every prompt; its models run as they "
            "are on llama-server (llama.cpp), which this works with"
        )
        raise ConfigError(URL_SETTING, problem)
    if not entries:
        await _be_sure_it_completes(client)
    model = _model(entries, wanted.model)
    entry = next((each for each in entries if each.get("id") == model), {})
    details = await _details(client, kind)
    window = _window(kind, entry, details, wanted.context_window)
    slots = details.get("total_slots") or details.get("max_concurrent_requests")
    default = _DEFAULT_RUNNING.get(kind, _MANY_RUNNING)
    max_running = wanted.max_running or (min(slots, _MANY_RUNNING) if isinstance(slots, int) and slots > 0 else default)
    adds_begin, refused_with = await _probe_text(client, model, probe)
    takes_token_ids = await _probe_token_ids(client, model, probe)
    if refused_with == HTTPStatus.UNPROCESSABLE_ENTITY and wanted.max_running is None:
        max_running = 1  # transformers serve, which refuses like this, has the second wait for the first
    root = str(entry.get("root") or "")[:_MAX_REASON]
    return Server(
        kind, model, window, takes_token_ids, adds_begin, is_strict=refused_with is not None, max_running=max_running,
        root=root, listing=listing_of(listed, model),
    )  # fmt: skip


def _entries(listed: Any) -> list[dict[str, Any]]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def listing_of(listed: Any, model: str) -> str:
    """What a list of models says of one, but for what is another with every answer; "" of one that isn't there."""
    entry = next((each for each in _entries(listed) if each.get("id") == model), None)
    return "" if entry is None else json.dumps([entry.get(name) for name in _LASTING], sort_keys=True)


def _refuse_status(status: int) -> None:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ConfigError(KEY_SETTING, f"the server at {URL_SETTING} refuses it ({status}), or wants one")
    if status in PASSING_STATUS:
        raise ServerAway(f"it isn't ready ({status})")
    if 300 <= status < 400:
        raise ConfigError(URL_SETTING, f"answers with a redirect ({status}); name the address that it leads to")


async def _kind(client: ServerClient, entries: Sequence[Mapping[str, Any]]) -> ServerKind:
    for entry in entries:
        if (kind := _OWNERS.get(str(entry.get("owned_by")))) is not None:
            return kind
    status, info = await client.ask("/info")
    if status == HTTPStatus.OK and isinstance(info, dict) and "max_total_tokens" in info:
        return ServerKind.TGI
    status, props = await client.ask("/props")
    if status == HTTPStatus.OK and isinstance(props, dict) and "default_generation_settings" in props:
        return ServerKind.LLAMA_SERVER
    return ServerKind.OTHER


async def _details(client: ServerClient, kind: ServerKind) -> dict[str, Any]:
    path = {ServerKind.LLAMA_SERVER: "/props", ServerKind.TGI: "/info"}.get(kind)
    if path is None:
        return {}
    status, details = await client.ask(path)
    _refuse_status(status)  # llama-server lists its model while that is still being loaded
    return details if isinstance(details, dict) else {}


async def _be_sure_it_completes(client: ServerClient) -> None:
    """A request of nothing is refused by a server of the kind that is meant, but in JSON."""
    status, answer = await client.ask("/v1/completions", {})
    _refuse_status(status)
    if status in _NOT_THERE or answer is None:
        raise ConfigError(URL_SETTING, f"nothing there completes prompts (/v1/completions is answered with {status})")


def _model(entries: Sequence[Mapping[str, Any]], wanted: str | None) -> str:
    names = [str(each["id"]) for each in entries if each.get("id")]
    if wanted is not None:
        if names and wanted not in names:
            listed = ", ".join(names[:5])
            raise ConfigError("TRINITY_MODEL", f"is none of the models that the server has: {listed}")
        return wanted
    if len(names) == 1:
        return names[0]
    problem = f"has to say which of the server's models is meant: {', '.join(names[:5])}" if names else (
        "has to be set: the server doesn't say which models it has"
    )  # fmt: skip
    raise ConfigError("TRINITY_MODEL", problem)


def _window(kind: ServerKind, entry: Mapping[str, Any], details: Mapping[str, Any], wanted: int | None) -> int:
    settings = details.get("default_generation_settings")
    found = [entry.get("max_model_len"), details.get("max_total_tokens")]
    found += [settings.get("n_ctx")] if isinstance(settings, dict) else []
    window = next((each for each in found if isinstance(each, int) and each > 0), None)
    if window is None and wanted is None:
        problem = (
            f"has to be set: {kind} doesn't say how many tokens a prompt and its answer may take there together, and "
            "what is longer would be cut without a word"
        )
        raise ConfigError("TRINITY_CONTEXT_WINDOW", problem)
    if window is None or wanted is None:
        return window or wanted or 0
    if window < wanted:
        log.warning("the server takes %d tokens at a time, and conversations have that instead of %d", window, wanted)
    return min(window, wanted)


async def _probe_text(client: ServerClient, model: str, probe: Probe) -> tuple[bool, int | None]:
    """Whether a beginning is put before texts; and with which status fields are refused that OpenAI doesn't have.

    Makes sure that the vocabulary is ours.
    """
    body = {"model": model, "prompt": probe.text, "max_tokens": 1, "temperature": 0, "stream": False}
    refused_with = None
    status, answer = await client.ask("/v1/completions", {**body, "top_k": 1})
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        refused_with = status
        status, answer = await client.ask("/v1/completions", body)
    _refuse_status(status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ServerAway(f"a request of one token is answered with {status}: {_reason(answer)}")
    if status == HTTPStatus.NOT_FOUND:
        raise ConfigError("TRINITY_MODEL", f"the server has no model {model}: {_reason(answer)}")
    if status != HTTPStatus.OK:
        raise ConfigError(URL_SETTING, f"the server doesn't complete a text ({status}): {_reason(answer)}")
    counted = _num_prompt_tokens(answer)
    if counted is None:
        log.warning("the server doesn't say how many tokens a prompt has: whether its vocabulary is ours isn't known")
        return True, refused_with
    if counted not in (probe.num_text_tokens, probe.num_text_tokens + 1):
        problem = (
            f"is not the vocabulary of the server's model: of one text it makes {probe.num_text_tokens} tokens, and "
            f"the server {counted}; name the tokenizer.json that belongs to {model}"
        )
        raise ConfigError("TRINITY_TOKENIZER", problem)
    return counted == probe.num_text_tokens + 1, refused_with


async def _probe_token_ids(client: ServerClient, model: str, probe: Probe) -> bool:
    """Whether prompts may be ids."""
    body = {"model": model, "prompt": list(probe.token_ids), "max_tokens": 1, "temperature": 0, "stream": False}
    status, answer = await client.ask("/v1/completions", body)
    _refuse_status(status)
    if status != HTTPStatus.OK:
        return False
    counted = _num_prompt_tokens(answer)
    if counted is not None and counted != len(probe.token_ids):
        log.warning(
            "the server counts %d tokens where it was given %d ids; prompts are sent as text", counted,
            len(probe.token_ids),
        )  # fmt: skip
        return False
    return True


def _num_prompt_tokens(answer: Any) -> int | None:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return counted if isinstance(counted, int) and counted > 0 else None


def _reason(answer: Any) -> str:
    """What the server says is wrong, in one line."""
    if isinstance(answer, dict):
        said = answer.get("error", answer.get("detail", answer.get("message", "")))
        said = said.get("message", "") if isinstance(said, dict) else said
        if isinstance(said, str) and said.strip():
            return " ".join(said.split())[:_MAX_REASON]
    return "it doesn't say why"


async def wait_for_server(client: ServerClient, wanted: Wanted, probe: Probe, patience_seconds: float) -> Server:
    """Survey a server that may still be loading its model.

    Raises:
        ServerAway: it wasn't there for `patience_seconds`.
        ConfigError: as `survey` says.
    """
    loop = asyncio.get_running_loop()
    began_at, pause, is_said = loop.time(), 0.5, False
    while True:
        try:
            return await survey(client, wanted, probe)
        except ServerAway as problem:
            waited = loop.time() - began_at
            if waited + pause > patience_seconds:
                raise
            if not is_said or waited > 30:
                log.warning("the model's server isn't there yet: %s; waiting for it", problem)
                is_said, pause = True, max(pause, 5.0 if waited > 30 else pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 15.0)
