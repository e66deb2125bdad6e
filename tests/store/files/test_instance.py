import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from bot.errors import SecondInstance
from bot.store.files.database import open_database
from bot.store.files.instance import hold_instance, share_terminal
from tests.store.said import ask, hold_turn


def hold_until_killed(url: str, token: str, folder: Path, held: Event) -> None:
    with hold_instance(url, token, folder):
        held.set()
        signal.pause()


@pytest.fixture
def holder(url: str, tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold_until_killed, args=(url, "token", tmp_path, held))
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join(60)


def test_a_second_daemon_is_refused_until_the_first_is_killed(holder, url, tmp_path):
    with pytest.raises(SecondInstance, match=str(holder.pid)) as refusal, hold_instance(url, "token", tmp_path):
        pass
    assert refusal.value.exit_status == 75

    os.kill(holder.pid, signal.SIGKILL)
    holder.join(60)

    with hold_instance(url, "token", tmp_path):
        pass


def test_either_the_token_or_the_database_in_common_is_too_much(url, tmp_path):
    other = f"sqlite:///{tmp_path}/other.db"
    with hold_instance(url, "token", tmp_path):
        with pytest.raises(SecondInstance, match="this database"), hold_instance(url, "other token", tmp_path):
            pass
        with pytest.raises(SecondInstance, match="this Discord token"), hold_instance(other, "token", tmp_path):
            pass
        with hold_instance(other, "other token", tmp_path):
            pass


def test_two_names_of_one_file_are_one_database(file, tmp_path):
    file.parent.mkdir()
    file.touch()
    (tmp_path / "link.db").symlink_to(file)

    with (
        hold_instance(f"sqlite:///{file}", "token", tmp_path),
        pytest.raises(SecondInstance),
        hold_instance(f"sqlite+aiosqlite:///{tmp_path}/link.db", "other token", tmp_path),
    ):
        pass


def test_the_token_is_in_no_name_and_in_no_file(url, tmp_path):
    with hold_instance(url, "very.secret.token", tmp_path):
        names_and_contents = [str(path) + path.read_text() for path in tmp_path.rglob("*.lock")]

    assert len(names_and_contents) == 2
    assert "secret" not in "".join(names_and_contents)


def test_a_lock_is_private(url, file, tmp_path):
    with hold_instance(url, "token", tmp_path):
        assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.lock")} == {0o600}


async def test_the_terminal_works_beside_the_daemon(holder, url):
    async with open_database(url) as database:
        assert await hold_turn(database, ask(1)) is not None


def test_a_terminal_knows_whether_it_is_the_only_one(tmp_path):
    with share_terminal(tmp_path / "data") as first, share_terminal(tmp_path / "data") as second:
        assert (first, second) == (True, False)

    with share_terminal(tmp_path / "data") as third:
        assert third
