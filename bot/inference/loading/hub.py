"""Where a model comes from: a folder on this machine, or the hub, from which it is downloaded on first use.

The download is a process of its own (`hub_download`), which is killed when nobody waits for it any more.
"""

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.errors import ConfigError, EngineUnavailable
from bot.inference.loading.files import GGUF_ADVICE, SETTING, find_config_file, find_tokenizer_file, find_weight_files
from bot.inference.messages import ReportProgress

log = logging.getLogger(__name__)

STALLED_SECONDS = 600.0
"""How long a download may stand still; the hub's library itself waits for a silent server for 10 s at a time."""
_MOST_LINE_BYTES = 16 * 1024**2
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


async def find_model_folder(
    model: str,
    *,
    environ: Mapping[str, str] | None = None,
    on_progress: ReportProgress = lambda _done, _total: None,
    stalled_seconds: float = STALLED_SECONDS,
) -> Path:
    """The local folder of `model`: a folder, a `file://` URL, a hub id or a page of the hub's.

    Args:
        model: what the operator wrote.
        environ: what the download gets: HF_TOKEN, HF_HOME, proxies and the like; None is the process's own environment.
        on_progress: told how much of a download is done.
        stalled_seconds: a download that stands still for so long is given up.

    Raises:
        ConfigError: the model doesn't exist, is gated, or is nothing that may be loaded.
        EngineUnavailable: the hub can't be reached just now, or asks to come back later.
    """
    folder = await asyncio.to_thread(local_folder, model)
    if folder is not None:
        return folder
    return await _download(hub_id(model), environ if environ is not None else os.environ, on_progress, stalled_seconds)


def local_folder(model: str) -> Path | None:
    """The folder that `model` names, None where it is a hub id.

    Raises:
        ConfigError: it is neither.
    """
    if model.lower().startswith("file:"):
        parts = urlsplit(model)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError(SETTING, "names a folder of another machine; a file:// URL has three slashes here")
        model = unquote(parts.path)
        path = Path(model)
    else:
        try:
            path = Path(model).expanduser()
        except RuntimeError:
            raise ConfigError(SETTING, f"there is no model folder {model!r}: ~ is nobody's home folder here") from None
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where we may not look
        return path
    if os.path.lexists(path):
        _refuse_what_is_no_folder(path)
    if hub_id(model) and not path.is_absolute() and not model.startswith((".", "~")):
        return None
    reason = _why_it_is_not_there(path)
    raise ConfigError(SETTING, f"there is no model folder {model!r} ({reason}), and it is not a hub id (owner/name)")


def hub_id(model: str) -> str:
    """The hub's name of `model`, empty where it can't be one."""
    parts = urlsplit(model) if model.startswith(("https://", "http://")) else None
    if parts is not None:
        if parts.hostname not in _HUB_HOSTS:
            return ""
        model = "/".join(parts.path.split("/")[1:3])
    name = model.removeprefix("hf.co/").removeprefix("huggingface.co/").strip("/")
    return name if _HUB_ID.fullmatch(name) else ""


def _refuse_what_is_no_folder(path: Path) -> None:
    if path.suffix.lower() == ".gguf":
        raise ConfigError(SETTING, f"{path}: {GGUF_ADVICE}")
    if not os.path.exists(path):  # noqa: PTH110
        raise ConfigError(SETTING, f"{path} is a link to something that is gone or that may not be looked at")
    raise ConfigError(SETTING, f"{path} is not a folder; name the folder that the model's files are in")


def _why_it_is_not_there(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        nearest = next(place for place in path.absolute().parents if os.path.lexists(place))
        return f"{nearest} is there, {path.absolute().relative_to(nearest).parts[0]} in it is not"
    except OSError as error:
        return f"{path.absolute()}: {error.strerror}"
    return "it is no folder"


async def _download(
    model: str, environ: Mapping[str, str], on_progress: ReportProgress, stalled_seconds: float
) -> Path:
    log.info("asking the hub for %s", model)
    last = await _last_event(model, environ, on_progress, stalled_seconds)
    problem = last.get("problem")
    if problem is not None and last.get("is_passing"):
        raise EngineUnavailable(f"{SETTING}: {problem}")
    if problem is not None:
        beside = " (nor is there a folder of that name)" if "there is no model" in problem else ""
        raise ConfigError(SETTING, f"{problem}{beside}")
    folder = Path(last["folder"])
    await asyncio.to_thread(_refuse_half_a_model, model, folder, last["names"])
    return folder


def _refuse_half_a_model(model: str, folder: Path, names: list[str]) -> None:
    """Say what the repository has, or, where the hub wasn't asked, that the cache has only a part."""
    try:
        find_config_file(folder)
        find_weight_files(folder)
        find_tokenizer_file(folder)
    except ConfigError as error:
        if any(name.lower().endswith(".gguf") for name in names):
            raise ConfigError(SETTING, f"{model} holds GGUF files. {GGUF_ADVICE}") from None
        reason = str(error).removeprefix(f"{SETTING}: ").replace(str(folder), model if names else str(folder))
        if names:
            raise ConfigError(SETTING, f"{reason} (that is all the hub has of it)") from None
        advice = "start once with the hub in reach (HF_HUB_OFFLINE unset), or delete that folder"
        problem = f"the copy of {model} in the cache is not complete: {reason}; {advice}"
        raise ConfigError(SETTING, problem) from None


async def _last_event(
    model: str, environ: Mapping[str, str], on_progress: ReportProgress, stalled_seconds: float
) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.inference.loading.hub_download", model),
        stdin=asyncio.subprocess.PIPE,  # its end is what ends the download when this process is killed
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # Ctrl-C is for us
        limit=_MOST_LINE_BYTES,
    )
    async with asyncio.TaskGroup() as tasks:
        complaining = tasks.create_task(process.stderr.read())  # type: ignore[union-attr]
        try:
            last = await _follow(process, on_progress, stalled_seconds)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if last is None:
        lines = complaining.result().decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EngineUnavailable(f"{SETTING}: the download of {model} broke off: {lines[-1]}")
    return last


async def _follow(
    process: asyncio.subprocess.Process, on_progress: ReportProgress, stalled_seconds: float
) -> dict[str, Any] | None:
    """Hand on what the download tells, up to its last event; None where it ended without."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while True:
        try:
            async with asyncio.timeout(stalled_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            minutes = stalled_seconds / 60
            return {"problem": f"the download stood still for {minutes:g} minutes", "is_passing": True}
        if not line:
            return None
        event: dict[str, Any] = json.loads(line)
        if "log" in event:
            log.warning("the hub's library: %s", event["log"])
        elif "done" in event:
            on_progress(int(event["done"]), int(event["total"]))
        else:
            return event
