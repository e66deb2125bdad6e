"""Where the database lies: whatever a folder may be called, it is there and nowhere else, or it is refused."""

import os
from pathlib import Path

import pytest

from bot.errors import ConfigError, DatabaseUnusable
from bot.settings.settings import load_settings
from bot.store.files.backup import backup, restore
from bot.store.files.database import open_database
from bot.store.files.instance import hold_instance
from tests.store.said import ask, hold_turn, said

NAMES = [
    "what?", "a?b=c&mode=memory", "with # in it", "%41%2f%", "two  blanks", ":memory:", "file:x",
    "it's", 'a "quote"', "back\\slash", "ünïcödé 🦊", "semi;colon", "~tilde", "-dash", "[set]", "{brace}", "a@b:c",
]  # fmt: skip


def url_of(data_dir: Path | str) -> str:
    return load_settings({"TRINITY_DATA_DIR": str(data_dir)}, Path("/nowhere")).effective_database_url


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", NAMES)
async def test_the_database_lies_in_the_folder_of_that_name(tmp_path, name):
    folder = tmp_path / name
    url = url_of(folder)
    with hold_instance(url, "token", folder):
        async with open_database(url) as database:
            await hold_turn(database, ask(1))
    await backup(url, folder / "backup.db")
    await restore(folder / "backup.db", url)

    async with open_database(url) as database:
        assert len(await said(database)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {"trinity.db", "backup.db"} < everything(folder)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="TRINITY_DATA_DIR"):
        url_of(tmp_path / os.fsdecode(b"not-utf8-\xff"))


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "sub/folder", "~"])
async def test_a_relative_folder_is_below_the_working_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    url = url_of(name)
    monkeypatch.chdir("/")

    async with open_database(url) as database:
        await hold_turn(database, ask(1))

    assert (tmp_path / ("home" if name == "~" else name) / "trinity.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///:memory:", "sqlite://:memory:", "sqlite:///file:x.db?mode=memory", "sqlite:////x/trinity.db?uri=true",
        "sqlite:////x/trinity.db?timeout=1", "sqlite:////x/trinity.db?", "sqlite:///", "sqlite://host/trinity.db",
    ],
)  # fmt: skip
def test_a_url_that_would_be_something_else_than_a_file_is_refused(url):
    with pytest.raises(ConfigError, match="TRINITY_DATABASE_URL"):
        load_settings({"TRINITY_DATABASE_URL": url}, Path("/nowhere"))


def test_a_home_folder_in_the_url_is_one(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")

    settings = load_settings({"TRINITY_DATABASE_URL": "sqlite:///~/trinity.db"}, Path("/nowhere"))

    assert settings.effective_database_url == "sqlite+aiosqlite:////home/ada/trinity.db"


async def refuse(url: str, words: str) -> None:
    with pytest.raises(DatabaseUnusable, match=words) as refusal:
        async with open_database(url):
            pass
    assert "\n" not in str(refusal.value)


async def test_a_link_that_leads_nowhere_is_refused_not_begun_anew(file, tmp_path):
    file.parent.mkdir()
    file.symlink_to(tmp_path / "unmounted" / "trinity.db")

    await refuse(f"sqlite:///{file}", "leads nowhere")

    assert not (tmp_path / "unmounted").exists()


async def test_links_in_a_circle_are_refused(file, tmp_path):
    file.parent.mkdir()
    file.symlink_to(file)
    await refuse(f"sqlite:///{file}", "leads nowhere")

    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    await refuse(f"sqlite:///{tmp_path}/one/trinity.db", "circle|can't be")
    with pytest.raises(ConfigError, match="not a folder"):
        url_of(tmp_path / "one")


async def test_a_link_to_a_database_is_followed(file, url, tmp_path):
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
    (tmp_path / "link.db").symlink_to(file)

    async with open_database(f"sqlite:///{tmp_path}/link.db") as database:
        assert len(await said(database)) == 1
        assert (file.parent / "trinity.db-wal").exists()


async def test_a_path_that_sqlite_cannot_take_is_refused(tmp_path):
    await refuse(f"sqlite:///{tmp_path}/{'deep/' * 100}trinity.db", "too long")
    await refuse(f"sqlite:///{tmp_path}/{'d' * 300}/trinity.db", "can't be created")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_what_is_no_file_is_refused(file, make):
    file.parent.mkdir()
    make(file)

    await refuse(f"sqlite:///{file}", "not a file")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_plain_file_is_no_lock(file, url, make):
    file.parent.mkdir()
    make(file.with_name("trinity.db.lock"))

    with pytest.raises(DatabaseUnusable, match="lock"), hold_instance(url, "token", file.parent):
        pass
