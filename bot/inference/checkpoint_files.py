"""The files of a model folder: which hold its weights and its vocabulary, and which are never opened.

Pickle files can run code when they are loaded and are refused by name.
"""

import json
from pathlib import Path
from typing import Any

from bot.errors import ConfigError

SETTING = "TRINITY_MODEL"
INDEX_NAME = "model.safetensors.index.json"
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")


def find_weight_files(folder: Path) -> list[Path]:
    """The folder's safetensors files, in order.

    Raises:
        ConfigError: there are none, only pickle files, or the index names a file that may not be loaded.
    """
    index = folder / INDEX_NAME
    if index.is_file():
        return [_checked_shard(folder, name) for name in sorted(set(_weight_map(index).values()))]
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLE_SUFFIXES)
    if pickles:
        raise ConfigError(
            SETTING,
            f"{folder} has only pickle weights ({pickles[0]}), which are never loaded; convert them to safetensors",
        )
    raise ConfigError(SETTING, f"{folder} has no *.safetensors file (pickle weights are neither fetched nor loaded)")


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
    path = folder / name
    if not path.is_file():
        raise ConfigError(SETTING, f"{path} is missing, though {INDEX_NAME} names it")
    return path


def find_tokenizer_file(folder: Path) -> Path:
    """The folder's tokenizer.json.

    Raises:
        ConfigError: the folder has none.
    """
    path = folder / "tokenizer.json"
    if path.is_file():
        return path
    hint = " (tokenizer.model alone is not enough)" if (folder / "tokenizer.model").is_file() else ""
    raise ConfigError(SETTING, f"{folder} has no tokenizer.json{hint}")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ConfigError: the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(SETTING, f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise ConfigError(SETTING, f"{path} can't be read: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(SETTING, f"{path} holds no JSON object")
    return content


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
