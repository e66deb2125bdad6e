import errno
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from bot import __main__ as command
from bot.__main__ import main
from bot.errors import EngineFailed, SecondInstance
from tests import checkpoints
from tests.logging_state import logging_as_before
from tests.settings.test_settings import WRONG_ENVIRONMENTS

ROOT = Path(command.__file__).parents[1]
NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)
TOKEN = "MTA1NTU1NTU1NTU1NTU1NTU1.Gx0aBc.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5"


@pytest.fixture
def trinity(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; returns its exit status, its output and its errors."""
    for name in [name for name in os.environ if name.startswith(("TRINITY_", "DISCORD_", "HF_TOKEN"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)
    os.umask(mask)

    def run(*arguments, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["trinity", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    with logging_as_before():
        yield run
    os.umask(mask)


def run_trinity(*arguments, cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **environ):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRINITY_", "DISCORD_"))}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=cwd,
        env=kept | environ,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )


def test_version_carries_the_notice_that_the_licence_asks_for(trinity):
    status, output, _ = trinity("--version")

    assert status == 0
    assert NOTICE in output
    assert NOTICE in (ROOT / "README.md").read_text()


def test_help_lists_the_commands(trinity):
    status, output, _ = trinity("--help")

    assert status == 0
    assert all(f"\n  {name} " in output for name in ("run", "chat", "migrate", "backup", "restore"))


@pytest.mark.parametrize("arguments", [("answer",), ("--loud",), ("run", "now")])
def test_misuse_is_exit_status_2(trinity, arguments):
    status, output, errors = trinity(*arguments)

    assert (status, output) == (2, "")
    assert "Error" in errors


@pytest.mark.parametrize(("name", "environ"), WRONG_ENVIRONMENTS)
def test_wrong_setting_is_one_line_and_exit_status_78(trinity, name, environ):
    status, output, errors = trinity("run", **environ)

    assert (status, output) == (78, "")
    assert errors.startswith(f"trinity: {name}: ")
    assert errors.count("\n") == 1


def test_run_without_a_token_names_the_setting(trinity):
    status, _, errors = trinity("run")

    assert status == 78
    assert errors.startswith("trinity: DISCORD_BOT_TOKEN: is not set;")
    assert errors.count("\n") == 1


def test_secret_in_a_readable_env_file_is_refused(trinity, tmp_path):
    (tmp_path / ".env").write_text(f"DISCORD_BOT_TOKEN={TOKEN}\n")
    (tmp_path / ".env").chmod(0o644)

    status, _, errors = trinity("run")

    assert status == 78
    assert "chmod 600 .env" in errors
    assert TOKEN not in errors


def test_config_shows_what_holds_and_all_that_is_wrong(trinity, tmp_path):
    (tmp_path / "t.toml").write_text("seed = 4\n")

    well = trinity("config", "--json", TRINITY_CONFIG="t.toml", DISCORD_BOT_TOKEN=TOKEN)
    wrong = trinity("config", TRINITY_TOP_K="-1", TRINITY_SEEED="1")

    shown = json.loads(well[1])
    assert (well[0], well[2], shown["problems"]) == (0, "", [])
    assert {"name": "TRINITY_SEED", "value": "4", "source": "t.toml"} in shown["settings"]
    assert TOKEN not in well[1]
    assert wrong[0] == 78
    assert wrong[2].splitlines() == [
        "trinity: TRINITY_SEEED: there is no such setting (did you mean TRINITY_SEED?); .env.example lists them all",
        "trinity: TRINITY_TOP_K: has to be at least 0",
    ]


def test_a_reload_without_a_daemon_says_so(trinity):
    assert trinity("reload", DISCORD_BOT_TOKEN=TOKEN) == (
        69, "", "trinity: no daemon runs here with this token and data folder\n"
    )  # fmt: skip


def test_data_folder_that_cannot_be_written_is_named(trinity, monkeypatch):
    reader, writer = os.pipe()
    os.write(writer, b"hello\n")
    os.close(writer)

    with os.fdopen(reader) as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        status, _, errors = trinity("chat", TRINITY_DATA_DIR="/proc/nowhere")

    assert status == 78
    assert errors.startswith("trinity: TRINITY_DATA_DIR: nothing can be written into that folder")


def test_migrate_makes_a_database_for_its_owner_alone(trinity, tmp_path):
    first = trinity("migrate", TRINITY_DATA_DIR="kept")
    second = trinity("migrate", TRINITY_DATA_DIR="kept")

    assert first[0] == second[0] == 0
    assert "was not there and is" in first[1]
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()} == {0o600}


def test_backup_can_be_put_back(trinity, tmp_path):
    trinity("migrate")

    made = trinity("backup", "copy.db")
    put_back = trinity("restore", "copy.db")

    assert made == (0, "copy.db is a whole copy of the database.\n", "")
    assert put_back[0] == 0
    assert "The one before is kept as " in put_back[1]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.db*")} == {0o600}


@pytest.mark.parametrize("command_name", ["backup", "restore"])
def test_backup_of_nothing_is_one_line(trinity, command_name):
    status, output, errors = trinity(command_name, "copy.db")

    assert (status, output) == (78, "")
    assert errors.startswith("trinity: There is no ")
    assert errors.count("\n") == 1


def test_database_that_is_not_ours_is_one_line(trinity, tmp_path):
    (tmp_path / "notes.txt").write_text("no database" * 1000)

    status, _, errors = trinity("migrate", TRINITY_DATABASE_URL=f"sqlite:///{tmp_path}/notes.txt")

    assert status == 78
    assert errors.startswith("trinity: ")
    assert errors.count("\n") == 1


@pytest.mark.skipif(find_spec("asyncpg") is not None, reason="the driver is installed")
def test_missing_postgresql_driver_is_named_with_the_command_that_mends_it(trinity):
    status, _, errors = trinity("migrate", TRINITY_DATABASE_URL="postgres://user:secret@127.0.0.1:1/trinity")

    assert status == 78
    assert "pip install 'asyncpg" in errors
    assert "secret" not in errors


def failing(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineFailed("lost"), 70),
        (SecondInstance("another one runs"), 75),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 78),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 78),
        (PermissionError(errno.EACCES, "Permission denied"), 70),
        (ValueError(f"Bot {TOKEN}\nsecond line"), 70),
    ],
)
def test_error_becomes_an_exit_status(trinity, error, status):
    command.cli.command("fail")(lambda: command.end_with(failing(error)))
    try:
        ended, output, errors = trinity("fail")
    finally:
        command.cli.registered_commands.pop()

    assert (ended, output) == (status, "")
    assert TOKEN not in errors
    assert all(line.startswith(("trinity: ", "20")) for line in errors.splitlines())


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    model = checkpoints.random_model(checkpoints.tiny_config(max_position_embeddings=4096))
    return str(checkpoints.save_checkpoint(tmp_path_factory.mktemp("model") / "tiny", model))


def test_a_copy_goes_where_the_setting_would_look_for_it(trinity, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    trinity("migrate")

    status, _, _ = trinity("copy-database", "sqlite:///data/trinity.db", "sqlite:///~/copy.db")

    assert status == 0
    assert (tmp_path / "home" / "copy.db").is_file()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("target", ["mysql://u:s3cret@host/d", "sqlite:///copy.db?mode=rw", "copy.db", ""])
def test_a_place_to_copy_to_that_cannot_be_is_named(trinity, target):
    trinity("migrate")

    status, output, errors = trinity("copy-database", "sqlite:///data/trinity.db", target)

    assert (status, output, errors.count("\n")) == (78, "", 1)
    assert errors.startswith("trinity: TO: ")
    assert "s3cret" not in errors


@pytest.mark.parametrize("name", ["~nobody-of-that-name/llama", "https://[::/owner/name", "https://example.org/a/b"])
def test_a_model_that_the_command_names_is_read_as_the_setting_is(trinity, name, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    status, _, errors = trinity("chat", "--model", name)

    assert status == 78
    assert "mistake in Trinity" not in errors
    assert "https:/e" not in errors


@pytest.mark.parametrize("picture", ["nowhere/rows.png", "."])
def test_a_picture_that_cannot_be_kept_is_refused_before_anything_is_measured(trinity, picture):
    assert trinity("bench", "--picture", picture)[::2] == (
        78, f"trinity: --picture: {picture} can't be written; name a file in a folder that is there\n",
    )  # fmt: skip


def test_piped_line_is_answered_kept_and_not_logged(trinity, tiny_model, tmp_path, monkeypatch):
    (tmp_path / "lines").write_text("a message of mine\n")

    with (tmp_path / "lines").open() as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        status, output, errors = trinity(
            "chat", "--model", tiny_model, TRINITY_DEVICE="cpu", TRINITY_MAX_NEW_TOKENS="4"
        )

    assert (status, errors) == (0, "")
    assert output.startswith("You: a message of mine\nTrinity: ")
    log = (tmp_path / "data" / "chat.log").read_text()
    assert "INFO bot." in log
    assert "a message of mine" not in log
    assert (tmp_path / "data" / "trinity.db").exists()


def test_demonstration_is_played_for_nobody_and_leaves_nothing_behind(trinity, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    status, output, errors = trinity(TRINITY_MODEL=tiny_model, TRINITY_DEVICE="cpu", TRINITY_MAX_NEW_TOKENS="4")

    assert status == 0
    assert output.count("You: ") == output.count("Trinity: ") + 1 == 6
    assert "No DISCORD_BOT_TOKEN is set" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [pytest.param(("chat",), marks=pytest.mark.slow), ("--version",)])
def test_gone_reader_of_the_output_is_no_error(tmp_path, tiny_model, arguments):
    (tmp_path / "lines").write_text("a message of mine\n")
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "wb") as output, (tmp_path / "lines").open() as piped:
        ended = run_trinity(
            *arguments, cwd=tmp_path, stdin=piped, stdout=output, TRINITY_MODEL=tiny_model, TRINITY_DEVICE="cpu"
        )

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("--help",), ("config",)])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_output_for_which_the_disk_has_no_room_is_one_line(tmp_path, arguments):
    with Path("/dev/full").open("wb") as output:
        ended = run_trinity(*arguments, cwd=tmp_path, stdout=output)

    assert (ended.returncode, ended.stderr) == (
        75, "trinity: No space left on device. Make room, then start again.\n",
    )  # fmt: skip


def test_an_interrupt_while_things_are_imported_is_quiet(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")

    ended = run_trinity("config", cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")

    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_a_working_folder_that_is_gone_is_one_line(trinity, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    status, output, errors = trinity("status")

    monkeypatch.chdir(tmp_path)
    assert (status, output) == (78, "")
    assert errors.startswith("trinity: the folder that this was started in: isn't there any more")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run",)])
def test_what_needs_no_model_loads_no_torch(tmp_path, arguments):
    code = (
        "import sys\n"
        "from bot.__main__ import main\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'torch', 'transformers', 'discord', 'sqlalchemy'} & set(sys.modules)))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.stdout.splitlines()[-1] == "[]"


def test_module_runs_as_the_command(tmp_path):
    ended = run_trinity("run", cwd=tmp_path, TRINITY_SEED="x")

    assert ended.returncode == 78
    assert ended.stderr == "trinity: TRINITY_SEED: has to be a whole number\n"
