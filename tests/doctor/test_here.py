"""What the doctor finds on this machine: packages, settings, files, a database, a model."""

import json
import os
import shutil
import socket
from functools import partial
from importlib import metadata

import pytest

from bot.app import DEMO_MODEL, check_model
from bot.doctor.configuration import look_at_settings
from bot.doctor.database import look_at_database
from bot.doctor.files import look_at_files
from bot.doctor.finding import State
from bot.doctor.installation import look_at_installation
from bot.doctor.model import look_at_model, model_folder
from bot.settings.settings import load_settings, survey_settings
from bot.store.files.instance import hold_instance
from bot.store.files.migrate import prepare_file
from tests.loopback.hub import open_hub

needs_weights = pytest.mark.skipif(
    not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
)


def told(findings, state):
    return [finding for finding in findings if finding.state is state]


def test_the_packages_here_are_those_that_are_asked_for(monkeypatch):
    assert not told(look_at_installation(needs_postgresql=False), State.BAD)
    versions, others = metadata.version, {"aiohttp": "0.1", "asyncpg": "0.31.0"}
    monkeypatch.setattr(metadata, "version", lambda name: others.get(name) or versions(name))

    bad = told(look_at_installation(needs_postgresql=True), State.BAD)

    assert [finding.said.partition(",")[0] for finding in bad] == ["aiohttp 0.1 is installed"]
    assert "install again" in bad[0].mend


def test_every_mistake_in_the_settings_is_told(tmp_path):
    survey = survey_settings({"TRINITY_SEEED": "1", "TRINITY_TOP_K": "x"}, tmp_path / ".env")

    assert [finding.said.partition(":")[0] for finding in told(look_at_settings(survey), State.BAD)] == [
        "TRINITY_SEEED",
        "TRINITY_TOP_K",
    ]


def test_without_a_token_it_is_said_how_to_get_one(tmp_path):
    survey = survey_settings({"TRINITY_OPERATIONS_ADDRESS": "off"}, tmp_path / ".env")

    notes = told(look_at_settings(survey), State.NOTE)

    assert [finding.mend for finding in notes] == ["trinity setup"]


def test_an_address_that_somebody_else_has_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        survey = survey_settings({"TRINITY_OPERATIONS_ADDRESS": address}, tmp_path / ".env")
        taken = look_at_settings(survey)
    free = look_at_settings(survey)

    assert any(finding.said.startswith(f"{address}, for health") for finding in told(taken, State.NOTE))
    assert f"the operations address {address} is free" in [finding.said for finding in told(free, State.OK)]


def test_a_daemon_that_runs_already_is_named(tmp_path):
    survey = survey_settings({"DISCORD_BOT_TOKEN": "a.b.c", "TRINITY_DATA_DIR": str(tmp_path)}, tmp_path / ".env")

    with hold_instance(survey.settings.effective_database_url, "a.b.c", tmp_path):
        findings = look_at_settings(survey)

    assert any(str(os.getpid()) in finding.said for finding in told(findings, State.NOTE))


def test_a_folder_that_is_there_and_one_that_is_made_are_fine(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)

    assert not told(look_at_files(tmp_path / "data", []), State.BAD)
    assert "is made at the first start" in look_at_files(tmp_path / "new" / "data", [])[0].said


def test_what_others_can_read_is_told_with_the_command_that_mends_it(tmp_path):
    (tmp_path / "trinity.db").touch(0o644)
    (tmp_path / "trinity.db").chmod(0o644)
    tmp_path.chmod(0o755)

    notes = told(look_at_files(tmp_path, [tmp_path / ".env"]), State.NOTE)

    assert [finding.mend for finding in notes] == [f"chmod 700 {tmp_path}", f"chmod 600 {tmp_path}/trinity.db"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_bad(tmp_path):
    tmp_path.chmod(0o500)

    assert "nothing can be written" in told(look_at_files(tmp_path, []), State.BAD)[0].said


async def test_a_database_that_is_not_there_yet_is_not_made(tmp_path):
    findings = await look_at_database(f"sqlite:///{tmp_path}/data/trinity.db")

    assert "is made at the first start" in findings[0].said
    assert list(tmp_path.iterdir()) == []


async def test_a_database_that_cannot_be_made_is_bad(tmp_path):
    (tmp_path / "file").touch()

    findings = await look_at_database(f"sqlite+aiosqlite:///{tmp_path}/file/trinity.db")

    assert [finding.state for finding in findings] == [State.BAD]
    assert f"nothing can be written into {tmp_path}/file" in findings[0].said


async def test_a_whole_database_is_left_as_it_is(tmp_path):
    file = tmp_path / "trinity.db"
    prepare_file(file)
    before = file.read_bytes()

    findings = await look_at_database(f"sqlite:///{file}")

    assert {finding.state for finding in findings} == {State.OK}
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["trinity.db"]


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
async def test_a_file_that_is_no_database_is_bad(tmp_path, content):
    (tmp_path / "trinity.db").write_bytes(content)

    assert len(told(await look_at_database(f"sqlite:///{tmp_path}/trinity.db"), State.BAD)) == 1


async def test_a_link_to_a_disk_that_is_not_mounted_is_bad(tmp_path):
    (tmp_path / "trinity.db").symlink_to("/nowhere/trinity.db")

    bad = told(await look_at_database(f"sqlite:///{tmp_path}/trinity.db"), State.BAD)

    assert bad


async def test_a_server_that_does_not_answer_is_unknown():
    pytest.importorskip("asyncpg")

    findings = await look_at_database("postgresql+asyncpg://user:secret@127.0.0.1:1/trinity")

    assert [finding.state for finding in findings] == [State.UNKNOWN]
    assert "secret" not in findings[0].said


@needs_weights
async def test_the_demonstration_model_is_whole_and_said_to_be_it(tmp_path):
    findings = await look_at_model(None, DEMO_MODEL, None, {})

    assert [finding.state for finding in findings] == [State.OK, State.NOTE]
    assert model_folder(None, DEMO_MODEL, {}) == DEMO_MODEL


@needs_weights
@pytest.mark.parametrize(
    ("name", "value"),
    [("TRINITY_CONTEXT_WINDOW", "8192"), ("TRINITY_MAX_NEW_TOKENS", "3900"), ("TRINITY_DEFAULT_PERSONA", "long.txt")],
)
async def test_settings_that_ask_for_more_than_the_model_takes_are_bad(tmp_path, monkeypatch, name, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.txt").write_text("Be kind. " * 2000)
    check = partial(check_model, load_settings({name: value}, tmp_path / ".env"))

    findings = await look_at_model(None, DEMO_MODEL, None, {}, tmp_path, check=check)

    assert [finding.state for finding in findings] == [State.BAD]
    assert findings[0].said.startswith(f"{name}: ")


@needs_weights
async def test_weights_that_are_cut_off_are_named(tmp_path):
    shutil.copytree(DEMO_MODEL, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1)

    cut = await look_at_model(str(tmp_path / "model"), DEMO_MODEL, None, {})
    weights.write_bytes(b"no safetensors")
    other = await look_at_model(str(tmp_path / "model"), DEMO_MODEL, None, {})

    assert [finding.state for finding in (*cut, *other)] == [State.BAD, State.BAD]
    assert "model.safetensors" in cut[0].said


@pytest.mark.parametrize("model", ["/nowhere/llama", "pickled"])
async def test_a_folder_without_weights_that_may_be_loaded_is_bad(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").touch()

    findings = await look_at_model(model, DEMO_MODEL, None, {})

    assert [finding.state for finding in findings] == [State.BAD]


def environ(url, folder):
    return {"HF_ENDPOINT": url, "HF_HOME": str(folder)}


async def test_a_model_that_is_not_here_yet_is_asked_for_at_the_hub(tmp_path):
    async with open_hub({"config.json": b"{}"}) as hub:
        findings = await look_at_model("someone/model", DEMO_MODEL, None, environ(hub.url, tmp_path))
        unknown = await look_at_model("someone/else", DEMO_MODEL, None, environ(hub.url, tmp_path))
    gone = await look_at_model("someone/model", DEMO_MODEL, None, environ(hub.url, tmp_path))
    offline = await look_at_model(
        "someone/model", DEMO_MODEL, None, environ(hub.url, tmp_path) | {"HF_HUB_OFFLINE": "1"}
    )

    assert findings[0].said.startswith("someone/model is not here yet")
    assert (findings[-1].state, unknown[-1].state, gone[-1].state) == (State.OK, State.BAD, State.UNKNOWN)
    assert "HF_HUB_OFFLINE" in offline[-1].said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "token"), [(401, None), (403, "hf_token")])
async def test_a_gate_that_is_shut_is_told_with_what_opens_it(tmp_path, status, token):
    from aiohttp import web

    async with open_hub({}, refusal=web.Response(status=status)) as hub:
        findings = await look_at_model("someone/model", DEMO_MODEL, token, environ(hub.url, tmp_path))

    assert findings[-1].state is State.BAD
    assert "accept the licence on https://huggingface.co/someone/model" in findings[-1].mend
    assert ("set HF_TOKEN" in findings[-1].mend) is (token is None)


async def test_half_a_copy_in_the_cache_is_told(tmp_path):
    folder = tmp_path / "hub" / "models--someone--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))

    async with open_hub({"config.json": b"{}"}) as hub:
        findings = await look_at_model("someone/model", DEMO_MODEL, None, environ(hub.url, tmp_path))

    assert findings[0].said.startswith("the copy in the cache is not complete")
    assert findings[-1].state is State.OK
    assert model_folder("someone/model", DEMO_MODEL, environ("", tmp_path)) == folder / "snapshots" / "abc"


def test_a_name_that_is_no_model_has_no_folder():
    assert model_folder("/nowhere", DEMO_MODEL, {}) is None


async def test_the_small_model_is_announced_with_its_size_until_it_was_made(tmp_path):
    findings = await look_at_model("smollm2", DEMO_MODEL, None, {}, tmp_path)

    assert [finding.state for finding in findings] == [State.NOTE]
    assert "93 MB come from PyPI" in findings[0].said
    assert model_folder("smollm2", DEMO_MODEL, {}, tmp_path) is None
