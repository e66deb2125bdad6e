"""What other commands do while the daemon runs on the same data folder, and whom its files are for."""

import json
import stat
from importlib import metadata
from pathlib import Path

import pytest

from bot.app import DEMO_MODEL
from tests.end_to_end.daemon import Daemon, open_daemon, trinity
from tests.loopback import LoopbackDiscord, judge_database

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
)

IS_INSTALLED = any(each.metadata["Name"] == "trinity-bot" for each in metadata.distributions())


def modes(folder: Path) -> dict[str, int]:
    """The permissions of everything in a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


async def ask(server: LoopbackDiscord, daemon: Daemon, text: str) -> None:
    """Say something to the bot, and wait for the answer."""
    await daemon.answer(await server.person("Alice").says(server.channel("general"), text, mention=True))


@pytest.mark.soak
async def test_other_commands_work_beside_the_daemon_and_a_second_one_and_a_restore_do_not(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copies" / "trinity.db"
    copy.parent.mkdir()

    async with open_daemon(server, data) as daemon:
        await ask(server, daemon, "Hello!")
        backup = await trinity(server, data, "backup", str(copy))
        migrate = await trinity(server, data, "migrate")
        chat = await trinity(server, data, "chat", said="Hello!\n")
        refused_restore = await trinity(server, data, "restore", str(copy))
        refused_run = await trinity(server, data, "run")
        await ask(server, daemon, "Still there?")
        running = modes(data)
        assert await daemon.stop() == 0
    put_back = await trinity(server, data, "restore", str(copy))

    assert [ended.status for ended in (backup, migrate, chat, put_back)] == [0, 0, 0, 0]
    judge_database(copy).require(answered=1)
    judge_database(kept := next(data.glob("trinity.db.before-restore-*[0-9]"))).require(answered=3)
    judge_database(data / "trinity.db").require(answered=1)
    assert kept.name in put_back.output
    for refused in (refused_restore, refused_run):
        assert refused.status == 75
        assert refused.errors.splitlines()[-1].startswith("trinity: Another Trinity already runs on this database")
    assert {"trinity.db", "trinity.db-wal", "trinity.db-shm", "trinity.db.lock", "chat.log"} <= running.keys()
    foreign = {"daemon.log"}  # of this test
    assert {name: mode for name, mode in (running | modes(data)).items() if mode != 0o600 and name not in foreign} == {}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.soak
@pytest.mark.skipif(not IS_INSTALLED, reason="NOT CHECKED: Trinity isn't installed here, and the doctor says so")
async def test_the_doctor_finds_a_daemon_well_and_disturbs_nobody(server: LoopbackDiscord, tmp_path: Path) -> None:
    data = tmp_path / "data"

    async with open_daemon(server, data) as daemon:
        await ask(server, daemon, "Hello!")
        looked = await trinity(server, data, "doctor", "--json", seconds=600)
        invited = await trinity(server, data, "invite", seconds=600)
        await ask(server, daemon, "Still there?")
        assert await daemon.stop() == 0
    server.bot.is_token_revoked = True
    refused = await trinity(server, data, "doctor", seconds=600)

    findings = json.loads(looked.output)["findings"]
    assert not [finding for finding in findings if finding["state"] in ("bad", "unknown")]
    assert (looked.status, looked.errors) == (0, "")
    assert {finding["topic"] for finding in findings} == {
        "installation", "settings", "files", "database", "model", "card", "Discord",
    }  # fmt: skip
    assert any("a daemon runs with this token already" in finding["said"] for finding in findings)
    assert f"client_id={server.bot.id}" in invited.output
    assert refused.status == 78
    assert "BAD      Discord: Discord refuses the bot token" in refused.output
    assert server.token not in looked.output + refused.output
    judge_database(data / "trinity.db").require(answered=2)
    assert server.gateway.counts["READY"] == 1
