"""The files of a model folder: which hold its weights and its vocabulary, and which are never opened.

Pickle files can run code when they are loaded and are refused by name.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.errors import ConfigError

SETTING = "TRINITY_MODEL"
INDEX_NAME = "model.safetensors.index.json"
WEIGHTS_NAME = "model.safetensors"
GGUF_ADVICE = (
    "a GGUF file is named by itself (TRINITY_MODEL=/path/to/it.gguf); better is the same model as safetensors, which "
    "its makers publish beside it"
)
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
_UNFINISHED_SUFFIXES = (".part", ".incomplete", ".crdownload", ".download", ".tmp", ".aria2", ".!qb")
_FOREIGN_PREFIXES = ("adapter_", "consolidated", "optimizer", "training_args", "scheduler", "random_states")
_SHARD = re.compile(r"model-(?P<number>\d{5})-of-(?P<total>\d{5})\.safetensors")
_MAX_JSON_BYTES = 64 * 1024**2

log = logging.getLogger(__name__)


def find_weight_files(folder: Path) -> list[Path]:
    """The folder's weights in order: the shards that its index names, else model.safetensors, else all of one series.

    What merely lies beside them is passed over: hidden files (macOS leaves `._model.safetensors`), adapters, weights in
    Meta's own layout (`consolidated.*`), copies under other names and downloads that were never finished.

    Raises:
        ConfigError: there are none, some of them are missing, or the index names a file that may not be loaded.
    """
    whole = folder / WEIGHTS_NAME
    if (folder / INDEX_NAME).is_file():
        names = sorted(set(_weight_map(folder / INDEX_NAME).values()))
        shards = [_checked_shard(folder, name) for name in names]
        missing = next((path for path in shards if not path.is_file()), None)
        if missing is None:
            return shards
        if not whole.is_file():
            raise ConfigError(SETTING, f"{missing} is missing, though {INDEX_NAME} names it{_broken_link(missing)}")
        log.warning("%s is passed over for %s: it names %s, which is missing", INDEX_NAME, whole, missing.name)
    names = _file_names(folder)
    if whole.is_file():
        return [whole]
    series = _only_series(folder, names)
    if series:
        return [folder / name for name in series]
    others = [name for name in names if name.endswith(".safetensors") and not _is_foreign(name)]
    if others:
        return [folder / name for name in others]
    raise ConfigError(SETTING, f"{folder} {_what_is_there_instead(folder, names)}")


def find_config_file(folder: Path) -> Path:
    """The folder's config.json.

    Raises:
        ConfigError: the folder has none; what it has instead is named.
    """
    path = folder / "config.json"
    names = _file_names(folder)
    if path.name not in names and not any(name.endswith(".safetensors") and not _is_foreign(name) for name in names):
        raise ConfigError(SETTING, f"{folder} {_what_is_there_instead(folder, names)}")
    return path


def _file_names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(SETTING, f"{folder} can't be read: {error.strerror}") from error


def _only_series(folder: Path, names: list[str]) -> list[str]:
    """The shards `model-00001-of-00003.safetensors` and so on; more than one series of them is a riddle."""
    shards = [match for name in names if (match := _SHARD.fullmatch(name))]
    totals = sorted({int(match["total"]) for match in shards})
    if len(totals) > 1:
        raise ConfigError(SETTING, f"{folder} has weights in {totals[0]} and in {totals[1]} parts; keep one of them")
    if totals:
        absent = sorted(set(range(1, totals[0] + 1)) - {int(match["number"]) for match in shards})
        if absent:
            problem = f"lacks part {absent[0]} of {totals[0]} of its weights (model-{absent[0]:05}-of-{totals[0]:05})"
            raise ConfigError(SETTING, f"{folder} {problem}; download it again")
    return [match[0] for match in shards]


def _is_foreign(name: str) -> bool:
    return name.startswith(_FOREIGN_PREFIXES)


def _what_is_there_instead(folder: Path, names: list[str]) -> str:
    """Why a folder without weights can't be run, as the end of a sentence that begins with its name."""
    kinds: tuple[tuple[Callable[[str], bool], str], ...] = (
        (lambda name: name.lower().endswith(".gguf"), f"has {{name}}: {GGUF_ADVICE}"),
        (
            lambda name: name.startswith("adapter_"),
            "has only an adapter ({name}), not a model; merge it into the model that it was made for",
        ),
        (
            lambda name: name.startswith("consolidated"),
            "has its weights in another layout ({name}); use the one for transformers (model*.safetensors)",
        ),
        (
            lambda name: name.endswith(_PICKLE_SUFFIXES),
            "has only pickle weights ({name}), which are never loaded; convert them to safetensors",
        ),
        (
            lambda name: name.lower().endswith(_UNFINISHED_SUFFIXES),
            "has only a download that wasn't finished ({name}); download it again",
        ),
    )
    for is_of_this_kind, words in kinds:
        if name := next(filter(is_of_this_kind, names), None):
            return words.format(name=name)
    below = sorted(folder.iterdir())
    if any(path.is_symlink() and not os.path.exists(path) for path in below):  # noqa: PTH110
        return "has links to files that are gone; download it again"
    inner = next((path.name for path in below if os.path.isfile(path / "config.json")), None)  # noqa: PTH113
    if inner is not None:
        return f"holds no model itself, but its folder {inner} does; name that"
    if "config.json" not in names:
        return "holds no model: it has neither a config.json nor a *.safetensors file"
    return "has no *.safetensors file (pickle weights are neither fetched nor loaded)"


def _broken_link(path: Path) -> str:
    return " (a link to a file that is gone)" if path.is_symlink() else ""


def what_else_it_is(file: Path) -> str:
    """What a file is that can't be read as safetensors, as the end of a sentence; empty where nothing tells."""
    try:
        with file.open("rb") as opened:
            begin = opened.read(64)
    except OSError as error:
        return error.strerror or "it can't be read"
    if begin[8:9] == b"{":  # safetensors begins with a length of 8 bytes and JSON
        return ""
    if not begin.strip(b"\0"):
        return "it is empty" if not begin else "it begins with nothing but zeros, as an unfinished download does"
    kinds = (
        (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself: run `git lfs pull` in its folder"),
        (b"GGUF", GGUF_ADVICE),
        (b"PK\x03\x04", "it is a zip file or a pickle under another name"),
        (b"\x80\x02", "it is a pickle under another name"),
        (b"<", "it is a web page, not the file: download it again"),
        (b"{", "it is JSON: perhaps a server's error message; download it again"),
    )
    return next((words for mark, words in kinds if begin.startswith(mark)), "")


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(v, str) for v in weight_map.values()):
        raise ConfigError(SETTING, f"{index} has no usable weight_map")
    return weight_map


def _checked_shard(folder: Path, name: str) -> Path:
    if name != Path(name).name or "\\" in name or name.startswith("."):
        raise ConfigError(SETTING, f"{folder / INDEX_NAME} points outside its folder: {name}")
    if not name.endswith(".safetensors"):
        raise ConfigError(SETTING, f"{folder / INDEX_NAME} points to {name}; only safetensors files are loaded")
    return folder / name


def find_tokenizer_file(folder: Path) -> Path:
    """The folder's vocabulary: tokenizer.json, else tokenizer.model.

    Raises:
        ConfigError: the folder has neither.
    """
    for name in ("tokenizer.json", "tokenizer.model"):
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(SETTING, f"{folder} has no tokenizer.json")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ConfigError: the file is missing or holds something else.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ConfigError(SETTING, f"{path} is far too large for what it should be")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(SETTING, f"{path} is missing{_broken_link(path)}") from error
    except RecursionError as error:
        raise ConfigError(SETTING, f"{path} can't be read: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise ConfigError(SETTING, f"{path} can't be read: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(SETTING, f"{path} holds no JSON object")
    return content


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
