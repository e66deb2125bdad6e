"""Whether the model is there, whole, and of a kind that may be loaded; and if not, whether the hub gives it."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatFormat
from bot.conversation.formats.choice import choose_format
from bot.conversation.tokenizer import load_tokenizer
from bot.discord.proxy import proxy_for
from bot.doctor.files import nearest
from bot.doctor.finding import Finding, Topic
from bot.errors import ConfigError, EngineUnavailable
from bot.inference.loading.files import SETTING
from bot.inference.loading.hub import hub_id, local_folder
from bot.inference.loading.made_models import to_be_made
from bot.tasks import in_daemon_thread

CheckModel = Callable[[Path, int, Tokenizer, ChatFormat], None]
"""Is given a model's folder, the window that it was trained for, its vocabulary and prompt format."""
TOPIC = Topic("model")
_HUB = "https://huggingface.co"
_ASKING_SECONDS = 15.0
_DOWNLOAD_BYTES = 14 * 10**9
_GIB = 1024**3


async def look_at_model(
    model: str | None,
    demo: Path,
    token: str | None,
    environ: Mapping[str, str],
    made_models: Path = Path("data/models"),
    *,
    chat_format: str | None = None,
    check: CheckModel = lambda *_: None,
) -> list[Finding]:
    """Look into the folder, or into the hub's cache, or ask the hub.

    Args:
        model: what the operator wrote; None is the demonstration model.
        demo: its folder.
        token: for the hub.
        environ: says where the cache is, and which hub is asked.
        made_models: the folder for models that are made here, of GGUF.
        chat_format: the prompt format that the operator named.
        check: refuses other settings that ask for more than the model takes.
    """
    look = partial(_look_into, wanted_format=chat_format, check=check)
    try:
        if model is None:
            found = await in_daemon_thread(partial(look, demo), name="looking at the model")
            said = "TRINITY_MODEL is not set: it is the small demonstration model"
            return [*found, TOPIC.note(said, "README.md, The real model, says how to get Llama 2")]
        made = await in_daemon_thread(lambda: to_be_made(model, made_models), name="looking at the model")
        if made is not None and not made.is_there:
            return [TOPIC.note(f"{made.announcement}; the first start does that")]
        folder = made.folder if made is not None else None
        folder = folder or await in_daemon_thread(lambda: local_folder(model), name="looking at the model")
        if folder is not None:
            return await in_daemon_thread(partial(look, folder), name="looking at the model")
        return await _look_at_hub(hub_id(model), token, environ, look)
    except ConfigError as error:
        return [TOPIC.bad(str(error))]


async def look_at_server(describe: Callable[[], Awaitable[str]]) -> list[Finding]:
    """Ask the server that runs the model; `describe` says what it finds there."""
    try:
        return [TOPIC.ok(await describe())]
    except EngineUnavailable as error:
        return [TOPIC.unknown(str(error), "start the server, or look at TRINITY_ENGINE_URL")]
    except ConfigError as error:
        return [TOPIC.bad(str(error))]


def model_folder(
    model: str | None, demo: Path, environ: Mapping[str, str], made_models: Path = Path("data/models")
) -> Path | None:
    """Where the model is on this disk; None where it isn't, yet."""
    try:
        made = None if model is None else to_be_made(model, made_models)
        if made is not None:
            return made.folder if made.is_there else None
        return demo if model is None else local_folder(model) or _cached(hub_id(model), _cache(environ))
    except (ConfigError, OSError):  # the check of the model says which
        return None


def _look_into(folder: Path, *, wanted_format: str | None, check: CheckModel) -> list[Finding]:
    from bot.inference.loading.chat_template import read_chat_template  # noqa: PLC0415 - slow to import
    from bot.inference.loading.config import read_shape  # noqa: PLC0415
    from bot.inference.loading.files import find_weight_files  # noqa: PLC0415

    shape = read_shape(folder)
    files = find_weight_files(folder)
    short = [file.name for file in files if (missing := _missing_bytes(file)) is None or missing > 0]
    if short:
        said = f"{', '.join(short)} in {folder} are cut off or no safetensors"
        return [TOPIC.bad(said, "delete them and start again, or copy them anew")]
    tokenizer = load_tokenizer(folder, num_embeddings=shape.vocab_size)
    template = read_chat_template(folder)
    chosen = choose_format(tokenizer, template, wanted_format, where=str(folder), setting="TRINITY_MODEL")
    check(folder, shape.context_window, tokenizer, chosen)
    size = sum(file.stat().st_size for file in files) / _GIB
    weights = f"{len(files)} file{'s' if len(files) > 1 else ''} of safetensors with {size:.2f} GiB"
    said = f"{folder}: {weights}, a tokenizer, prompts as {chosen.name}, a window of {shape.context_window:,} tokens"
    return [TOPIC.ok(said)]


def _missing_bytes(file: Path) -> int | None:
    """How many bytes a file of safetensors lacks by what its beginning says; None where that can't be read."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= 100 * 1024**2:
            return None
        try:
            header = json.loads(opened.read(length))
            end = max((each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return None
    return max(0, 8 + length + int(end) - file.stat().st_size)


async def _look_at_hub(
    model: str, token: str | None, environ: Mapping[str, str], look: Callable[[Path], list[Finding]]
) -> list[Finding]:
    cache = _cache(environ)
    folder = await asyncio.to_thread(_cached, model, cache)
    if folder is not None:
        try:
            return await in_daemon_thread(partial(look, folder), name="looking at the model")
        except ConfigError as error:
            if error.setting != SETTING:
                raise
            beginning = TOPIC.note(f"the copy in the cache is not complete: {error.problem}", "the next start goes on")
    else:
        beginning = TOPIC.note(f"{model} is not here yet; the first start downloads it into {cache}")
    return [beginning, _room(cache), await _gate(model, token, environ)]


def _cache(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HF_HOME") or "~/.cache/huggingface")
    # Not pathlib's, which raises where nobody has this user's number.
    return Path(os.path.expanduser(environ.get("HF_HUB_CACHE") or home / "hub"))  # noqa: PTH111


def _cached(model: str, cache: Path) -> Path | None:
    folder = cache / f"models--{model.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / revision
    return snapshot if revision and snapshot.is_dir() else None


def _room(cache: Path) -> Finding:
    free = shutil.disk_usage(nearest(cache)).free
    said = f"{free / _GIB:.0f} GiB are free where it is downloaded to; Llama-2-7B takes {_DOWNLOAD_BYTES / _GIB:.0f}"
    return TOPIC.ok(said) if free > _DOWNLOAD_BYTES else TOPIC.bad(said, "make room, or set HF_HOME to a larger disk")


async def _gate(model: str, token: str | None, environ: Mapping[str, str]) -> Finding:
    """Whether the hub hands out the model's config to this token: the weights stand behind the same gate."""
    if environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return TOPIC.bad(f"HF_HUB_OFFLINE is set, and {model} is not in the cache", "unset it for the first start")
    hub = (environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASKING_SECONDS)) as session,
            session.head(
                f"{hub}/{model}/resolve/main/config.json", headers=headers, allow_redirects=True, proxy=proxy_for(hub)
            ) as answer,
        ):
            return _judge_gate(model, answer.status, has_token=token is not None)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        said = f"the hub can't be asked for {model}: {type(error).__name__}"
        return TOPIC.unknown(said, "look at the network, HTTPS_PROXY and HF_ENDPOINT")


def _judge_gate(model: str, status: int, *, has_token: bool) -> Finding:
    page = f"https://huggingface.co/{model}"
    if status == HTTPStatus.OK:
        return TOPIC.ok(f"the hub gives {model} to this machine")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        advice = f"accept the licence on {page}" + ("" if has_token else ", and set HF_TOKEN")
        wait = " with the account that HF_TOKEN belongs to, and wait for the confirmation" if has_token else ""
        return TOPIC.bad(f"{model} is gated, and the hub doesn't give it ({status})", advice + wait)
    if status == HTTPStatus.NOT_FOUND:
        return TOPIC.bad(f"the hub has no {model}", "look at TRINITY_MODEL; it has to be owner/name")
    return TOPIC.unknown(f"the hub answers {status} when asked for {model}", "try again later")
