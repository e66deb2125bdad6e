"""From what an operator wrote to a folder: local ones, and those of a hub on loopback."""

import asyncio
import os
import time

import pytest
from aiohttp import web

from bot.errors import ConfigError, EngineUnavailable
from bot.inference.loading.hub import find_model_folder, hub_id, local_folder
from tests.checkpoints import random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.loopback.forward_proxy import open_forward_proxy
from tests.loopback.hub import open_hub

pytestmark = with_transformers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("model"), random_model(tiny_config()))


@pytest.fixture
def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def environ(tmp_path):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return plain | {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}


def test_a_folder_is_found_however_it_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    name = folder.name

    for written in (str(folder), f"{folder}/", name, f"./{name}/", f"../{folder.parent.name}/{name}", f"~/{name}"):
        assert local_folder(written).resolve() == folder
    for written in (f"file://{folder}", f"file://localhost{folder}/", f"file:{folder}"):
        assert local_folder(written).resolve() == folder


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-7b-chat-hf"),
        ("meta-llama/Llama-2-7b-chat-hf/", "meta-llama/Llama-2-7b-chat-hf"),
        ("https://huggingface.co/meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-7b-chat-hf"),
        ("https://huggingface.co/meta-llama/Llama-2-7b-chat-hf/tree/main", "meta-llama/Llama-2-7b-chat-hf"),
        ("hf.co/meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-7b-chat-hf"),
        ("https://example.org/meta-llama/Llama-2-7b-chat-hf", ""),
        ("Llama-2-7b-chat-hf", ""),
        ("a/b/c", ""),
        ("a/b:Q4_K_M", ""),
        ("C:\\models\\llama", ""),
    ],
)
def test_a_hub_id_is_found_however_it_is_written(written, name):
    assert hub_id(written) == name
    if name:
        assert local_folder(written) is None
    else:
        with pytest.raises(ConfigError, match="it is not a hub id"):
            local_folder(written)


@pytest.mark.parametrize("name", ["https://[::/a/b", "file://[::/a"])
def test_an_address_that_cannot_be_read_is_refused(name):
    with pytest.raises(ConfigError, match="is not a URL that can be read"):
        local_folder(name)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/nothing-of-that-name", "plain", "x" * 300])
def test_what_is_neither_folder_nor_hub_id_is_refused(name):
    with pytest.raises(ConfigError, match="there is no model folder"):
        local_folder(name)


def test_the_place_where_a_path_ends_is_named(folder):
    with pytest.raises(ConfigError, match=f"{folder} is there, modle in it is not"):
        local_folder(f"{folder}/modle/7b")


def test_a_file_is_no_folder(folder, tmp_path):

    with pytest.raises(ConfigError, match="is not a folder; name the folder"):
        local_folder(str(folder / "model.safetensors"))


async def test_a_model_is_downloaded_once_without_what_is_not_wanted(files, environ):
    beside = {"pytorch_model.bin": b"x", "consolidated.00.safetensors": b"x", "evil.py": b"x", "model.gguf": b"x"}
    seen = []

    async with open_hub(files | beside) as hub:
        found = await find_model_folder(
            "someone/model", environ=environ | {"HF_ENDPOINT": hub.url}, on_progress=lambda *counts: seen.append(counts)
        )
        asked = [path for path in hub.asked if "/resolve/" in path]

    assert {path.name for path in found.iterdir()} == set(files)
    assert {path.rpartition("/")[2] for path in asked} == set(files)
    assert seen[-1][0] == seen[-1][1] > 0
    again = await find_model_folder("someone/model", environ=environ | {"HF_HUB_OFFLINE": "1"})
    assert again == found


@pytest.mark.parametrize(
    ("status", "said", "words", "kind"),
    [
        (
            401,
            "Invalid credentials in Authorization header",
            "401: Invalid credentials .*HF_TOKEN is wrong",
            ConfigError,
        ),
        (403, "Your plan forbids this.", "403: Your plan forbids this.*HF_TOKEN has to belong", ConfigError),
        (429, "We had to rate limit you.", "429: We had to rate limit you", EngineUnavailable),
        (503, "", "503: Service Unavailable", EngineUnavailable),
    ],
)
async def test_a_refusal_is_told_in_the_hubs_own_words(files, environ, status, said, words, kind):
    refusal = web.json_response({"error": said} if said else {}, status=status, headers={"X-Error-Message": said})

    async with open_hub(files, refusal=refusal) as hub:
        with pytest.raises(kind, match=words) as refused:
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url})

    assert "TRINITY_MODEL" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_gated_model_says_what_to_do(files, environ):
    headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask for access first."}

    async with open_hub(files, refusal=web.Response(status=403, headers=headers)) as hub:
        with pytest.raises(ConfigError, match=r"is gated: accept the licence .*Ask for access first"):
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url})


async def test_a_name_that_nobody_has_is_told(files, environ):
    async with open_hub(files) as hub:
        with pytest.raises(ConfigError, match=r"there is no model models/llama on the hub.*nor is there a folder"):
            await find_model_folder("models/llama", environ=environ | {"HF_ENDPOINT": hub.url})


async def test_a_hub_out_of_reach_is_passing_and_offline_is_not(environ):
    with pytest.raises(EngineUnavailable, match=r"the hub can't be reached: .*127\.0\.0\.1:9"):
        await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(ConfigError, match="the hub can't be reached: HF_HUB_OFFLINE is set"):
        await find_model_folder("someone/model", environ=environ | {"HF_HUB_OFFLINE": "1"})


async def test_a_download_goes_through_the_proxy_of_the_environment(files, environ):
    del environ["NO_PROXY"]
    async with open_hub(files) as hub, open_forward_proxy() as proxy:
        endpoint = hub.url.replace("127.0.0.1", "hub.invalid")  # a name that only the proxy can resolve
        found = await find_model_folder(
            "someone/model", environ=environ | {"HF_ENDPOINT": endpoint, "ALL_PROXY": proxy.url}
        )

    assert (found / "model.safetensors").is_file()
    assert any("//hub.invalid" in line for line in proxy.asked)


@pytest.mark.parametrize("body", [b"<html>Log in", b"", b"null", b"[]", b"{}", b"[" * 100_000], ids=range(6))
async def test_what_answers_but_is_no_hub_is_named(files, environ, body):
    async with open_hub(files, refusal=web.Response(body=body, content_type="application/json")) as hub:
        with pytest.raises(EngineUnavailable, match=f"what answers at {hub.url} is no model hub"):
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HF_ENDPOINT", "nonsense", "HF_ENDPOINT, or a proxy's setting, is no URL"),
        ("HF_ENDPOINT", "http://[::1", "environment.*look at the variables whose names begin with HF_"),
        ("HF_ENDPOINT", "http://127.0.0.1:99999", "HF_ENDPOINT, or a proxy's setting, is no URL"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon", "environment.*look at the variables whose names begin with HF_"),
        ("HF_HOME", "/proc/nowhere", "could not be stored in /proc/nowhere/hub"),
    ],
)
async def test_an_environment_that_the_hubs_library_cannot_use_is_named(files, environ, name, value, words):
    async with open_hub(files) as hub:
        with pytest.raises(ConfigError, match=words):
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url} | {name: value})


async def test_an_empty_variable_of_the_hubs_library_is_none(files, environ):
    async with open_hub(files) as hub:
        empty = {"HF_HUB_CACHE": "", "HF_HUB_ETAG_TIMEOUT": " ", "HF_TOKEN": ""}
        found = await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url} | empty)

    assert {path.name for path in found.iterdir()} == set(files)


async def test_half_a_model_in_the_cache_is_named(environ, tmp_path):
    snapshot = tmp_path / "hub" / "hub" / "models--someone--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)

    with pytest.raises(ConfigError, match=r"the copy of someone/model in the cache is not complete: .*no \*\.safetens"):
        await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["llama.Q4_K_M.gguf"], "someone/model holds GGUF files"),
        (["config.json", "model.safetensors"], r"no tokenizer\.json"),
    ],
)
async def test_a_repository_without_a_model_says_what_it_has(environ, names, words):
    async with open_hub(dict.fromkeys(names, b"{}")) as hub:
        with pytest.raises(ConfigError, match=words):
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url})


async def test_a_download_ends_with_who_waits_for_it(files, environ):
    async with open_hub(files, silent_files=frozenset({"model.safetensors"})) as hub:
        finding = asyncio.create_task(find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url}))
        await hub.fell_silent.wait()
        started = time.monotonic()

        finding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finding

    assert time.monotonic() - started < 5  # a kill, where the library would wait 10 s for the server


async def test_a_download_that_stands_still_is_given_up(files, environ):
    async with open_hub(files, silent_files=frozenset({"model.safetensors"})) as hub:
        with pytest.raises(EngineUnavailable, match="stood still"):
            await find_model_folder("someone/model", environ=environ | {"HF_ENDPOINT": hub.url}, stalled_seconds=4)
