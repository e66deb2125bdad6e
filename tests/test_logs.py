import json
import logging
import stat
import threading
import warnings

import pytest

from bot.logs import configure_logging, escape_control_characters
from tests.logging_state import logging_as_before

TOKEN = "MTA1NTU1NTU1NTU1NTU1NTU1.Gx0aBc.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5"


@pytest.fixture(autouse=True)
def _logging_as_before():
    with logging_as_before():
        yield


@pytest.fixture
def lines(capsys):
    """Configure logging as asked, and return what it wrote, line by line."""

    def written():
        return capsys.readouterr().err.splitlines()

    def configured(level="INFO", log_format="text", **more):
        configure_logging(level, log_format, **more)
        return written

    return configured


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_event_is_one_line_whatever_stands_in_it(lines, log_format):
    written = lines(log_format=log_format)

    logging.getLogger("bot.x").info("name %s", "a\n2026-01-01 CRITICAL forged\r\x1b[2J\x85\u2028\u202e\ud83d\x7f")

    (line,) = written()
    assert line.isascii()
    assert not any(ord(character) < 32 or ord(character) == 127 for character in line)


def test_json_line_keeps_the_message():
    record = logging.LogRecord("bot.x", logging.INFO, __file__, 1, "köln %s", ("\n",), None)
    configure_logging("INFO", "json")

    line = logging.getLogger().handlers[-1].format(record)

    assert json.loads(line)["message"] == "köln \\n"
    assert json.loads(line)["level"] == "INFO"
    assert json.loads(line)["time"].endswith("Z")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_traceback_stays_in_the_line_of_its_event(lines, log_format):
    written = lines(log_format=log_format)

    try:
        raise ValueError(f"refused {TOKEN}\nsecond line")
    except ValueError:
        logging.getLogger("bot").exception("it failed")

    (line,) = written()
    assert "Traceback" in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    "leak",
    [
        TOKEN,
        "Authorization: Bot short-but-secret",
        "Bearer abcdefgh1234",
        "hf_abcdefghijklmnopqrstuv",
        "postgresql+asyncpg://trinity:s3cret@host/db",
        "known to settings: p4ssphrase",
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secret_is_redacted_by_shape_or_by_value(lines, leak, log_format):
    written = lines(log_format=log_format, secrets=["p4ssphrase", "", "e"])

    logging.getLogger("bot").error("%s", leak)

    (line,) = written()
    assert "[redacted]" in line
    assert not any(secret in line for secret in (TOKEN, "short-but", "abcdefgh", "s3cret", "p4ssphrase"))


def test_libraries_are_held_to_info_however_they_are_set(lines):
    written = lines("DEBUG")

    for name in ("discord.http", "discord.gateway", "aiosqlite", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).debug("what somebody said")
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("sqlalchemy.engine").info("INSERT what somebody said")
    logging.getLogger("discord.client").info("connected")
    logging.getLogger("bot.app").debug("ours")

    assert [line.split(" ", 3)[3] for line in written()] == ["connected", "ours"]


def test_quieter_level_holds_for_everybody(lines):
    written = lines("ERROR")

    for name in ("bot", "discord", "aiohttp"):
        logging.getLogger(name).warning("quiet")

    assert written() == []


def test_broken_record_is_still_one_line(lines):
    written = lines()

    logging.getLogger("bot").info("%d tokens", "no number")

    (line,) = written()
    assert "could not be formatted" in line


def test_warnings_and_uncaught_errors_of_threads_are_logged(lines):
    written = lines()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nstyle", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()

    warned, crashed = written()
    assert "old\\nstyle" in warned
    assert "uncaught error in thread worker" in crashed


def test_file_is_private_even_if_it_was_not(tmp_path):
    path = tmp_path / "logs" / "chat.log"
    path.parent.mkdir()
    path.touch(mode=0o644)

    configure_logging("INFO", "text", file=path)
    logging.getLogger("bot").info("hello")

    assert path.read_text().endswith("INFO bot hello\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_rotate_and_stay_private(tmp_path):
    path = tmp_path / "logs" / "chat.log"
    configure_logging("INFO", "text", file=path)
    logging.getLogger().handlers[0].maxBytes = 200

    for _ in range(30):
        logging.getLogger("bot").info("x" * 60)

    files = sorted(path.parent.iterdir())
    assert len(files) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_ordinary_text_is_not_escaped():
    assert escape_control_characters("Grüße 👋🏽 你好") == "Grüße 👋🏽 你好"
