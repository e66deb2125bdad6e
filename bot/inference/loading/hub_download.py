"""Downloads a model's files from the hub: a program of its own, since a download inside a process can't be ended.

`python -m bot.inference.loading.hub_download owner/name` reports as `child_program` has it; its last event holds
`folder` with `names` (all files of the repository, where they are known).
"""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.inference.loading.child_reports import Event, begin_as_child, tell

WANTED_FILES = (
    "*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
)
UNWANTED_FILES = ("*/*", ".*", "adapter_*", "consolidated*", "optimizer*")
_MAX_REASON = 300


def main() -> None:
    """Download the model that the command line names, and tell of it."""
    begin_as_child()
    for name in [name for name, value in os.environ.items() if name.startswith("HF_") and not value.strip()]:
        del os.environ[name]  # as containers' files leave them; the library would take an empty one for a value
    logging.getLogger().addHandler(_TellingHandler(logging.WARNING))
    tell(download(sys.argv[1]))
    os._exit(0)  # threads of the library's may still wait for a server


def download(model: str) -> Event:
    """Download what is wanted of `model`; returns the last event."""
    try:
        import huggingface_hub  # noqa: PLC0415 - slow
        from huggingface_hub import constants  # noqa: F401, PLC0415 - by itself it is imported later
    except Exception as error:  # it reads the environment when it is imported
        words = f"the hub's library can't be used with this environment ({_one_line(str(error))})"
        return {"problem": f"{words}; look at the variables whose names begin with HF_", "is_passing": False}
    try:
        folder = huggingface_hub.snapshot_download(
            model,
            allow_patterns=list(WANTED_FILES),
            ignore_patterns=list(UNWANTED_FILES),
            tqdm_class=_telling_bar(),
        )
    except Exception as error:
        return _problem(model, error)
    try:
        names = [file.path for file in huggingface_hub.get_cached_repo_tree(model)]
    except Exception:  # the hub wasn't asked, since it can't be reached
        names = []
    return {"folder": folder, "names": names}


def _problem(model: str, error: Exception) -> Event:
    """What an error of the library's means to who set the model; the reason may lie several errors down."""
    from huggingface_hub import errors as hub  # noqa: PLC0415

    chain = list(_chain(error))
    said = _said(chain)
    refusal = next((each for each in chain if isinstance(each, hub.HfHubHTTPError)), None)
    status = refusal.response.status_code if refusal is not None else 0
    if isinstance(error, hub.GatedRepoError):
        words = f"{model} is gated: accept the licence on https://huggingface.co/{model} and set HF_TOKEN ({said})"
    elif isinstance(error, hub.HFValidationError):
        words = f"{model} is no name that the hub knows; it has to be owner/name"
    elif isinstance(error, hub.RepositoryNotFoundError):
        words = f"there is no model {model} on the hub, or it needs an HF_TOKEN that may see it ({said})"
    elif status:
        words = f"{model} could not be downloaded: the hub answered {said}{_advice(status)}"
    elif any(isinstance(each, hub.OfflineModeIsEnabled) for each in chain):
        words = f"{model} is not in the local cache, and the hub can't be reached: HF_HUB_OFFLINE is set"
    elif full := next((e for e in chain if isinstance(e, OSError) and _is_of_the_disk(e)), None):
        words = f"{model} could not be stored in {_cache()}: {full.strerror}"
        return {"problem": words, "is_passing": full.errno in (errno.ENOSPC, errno.EDQUOT)}
    elif not _is_url(_endpoint()) or any(type(each).__name__ in _NO_URL for each in chain):
        words = f"the hub can't be asked: HF_ENDPOINT, or a proxy's setting, is no URL that can be used: {said}"
    elif any(isinstance(each, ImportError) for each in chain):
        words = f"the hub can't be asked: a proxy has to be http://host:port ({said})"
    elif any(isinstance(each, _UNREADABLE) for each in chain):
        words = (
            f"{model} could not be downloaded: what answers at {_endpoint()} is no model hub, but for instance a proxy"
        )
        return {"problem": f"{words} or a page to log in at", "is_passing": True}
    else:
        words = f"{model} is not in the local cache, and the hub can't be reached: {said}"
        return {"problem": words, "is_passing": True}
    if isinstance(error, hub.IncompleteSnapshotError):
        words += "; the copy in the cache is not complete"
    return {"problem": words, "is_passing": status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500}


_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


_NO_URL = ("InvalidURL", "UnsupportedProtocol", "LocalProtocolError")
"""Errors of the library that makes the requests."""
_UNREADABLE = (json.JSONDecodeError, TypeError, AttributeError, LookupError, RecursionError)
"""What the library stumbles over where it is answered something else than it asked for."""


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


def _is_of_the_disk(error: OSError) -> bool:
    is_missing = error.errno == errno.ENOENT and error.filename is not None
    return error.errno in _DISK_ERRORS or (is_missing and Path(error.filename) in (_cache(), *_cache().parents))


def _advice(status: int) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "; HF_TOKEN is wrong or has expired"
    if status == HTTPStatus.FORBIDDEN:
        return "; HF_TOKEN has to belong to somebody who may read this model"
    return "; try again later" if status >= 429 else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _said(chain: list[BaseException]) -> str:
    """The reason in the words of whoever knows it best: the server, else the error that lies deepest."""
    for error in chain:
        response = getattr(error, "response", None)
        if response is not None:
            words = getattr(error, "server_message", None) or _phrase(response.status_code)
            return f"{response.status_code}: {_one_line(words)}"
    return f"{_one_line(str(chain[-1])) or type(chain[-1]).__name__} (asked: {_endpoint()})"


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "no reason given"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_REASON]


def _endpoint() -> str:
    from huggingface_hub import constants  # noqa: PLC0415

    return str(constants.ENDPOINT)


def _cache() -> Path:
    from huggingface_hub import constants  # noqa: PLC0415

    return Path(constants.HF_HUB_CACHE)


def _telling_bar() -> type:
    """The library's progress bar, which reports how far it is instead of drawing it."""
    from tqdm.std import tqdm  # noqa: PLC0415

    bars = []

    class TellingBar(tqdm):  # type: ignore[misc]  # the library brings no types
        monitor_interval = 0

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if self.unit == "B":
                bars.append(self)

        def display(self, *_arguments: Any, **_options: Any) -> bool:
            if any(bar.total for bar in bars):
                tell({"done": max(bar.n for bar in bars), "total": max(bar.total or 0 for bar in bars)})
            return True

    return TellingBar


class _TellingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell({"log": _one_line(record.getMessage())})


if __name__ == "__main__":
    main()
