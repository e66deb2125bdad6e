import json
import logging
import os
import stat
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pyte
import pytest

from bot.app import LoggedProgress
from bot.logs import MAX_WAITING_LINES, configure_logging, escape_control_characters, flush_logs, lines_above_bar
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
        assert flush_logs(60)
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


def test_progress_is_an_event_with_its_numbers_in_json_and_a_line_in_text(lines):
    written = lines(log_format="json")
    clock = iter((0.0, 31.0, 31.0))
    LoggedProgress("loading", clock=lambda: next(clock))(3 * 2**30, 12 * 2**30)
    (line,) = written()
    written = lines()
    clock = iter((0.0, 31.0, 31.0))
    LoggedProgress("loading", clock=lambda: next(clock))(3 * 2**30, 12 * 2**30)
    (text,) = written()

    event = json.loads(line)
    assert (event["event"], event["doing"]) == ("progress", "loading")
    assert (event["done_bytes"], event["total_bytes"]) == (3 * 2**30, 12 * 2**30)
    assert event["message"] == "loading the model: 25 % of 12.0 GiB"
    assert text.endswith(event["message"])


def test_a_line_takes_the_place_of_a_progress_bar_and_is_not_glued_to_it(lines, capsys):
    lines()

    with lines_above_bar():
        sys.stderr.write("Loading the model ---- 25 %")
        logging.getLogger("bot.x").info("an event")
        flush_logs(60)
    logging.getLogger("bot.x").info("another")
    flush_logs(60)

    screen = pyte.Screen(120, 4)
    pyte.Stream(screen).feed(capsys.readouterr().err.replace("\n", "\r\n"))
    assert [line.strip().partition("Z ")[2] for line in screen.display[:2]] == [
        "INFO bot.x an event",
        "INFO bot.x another",
    ]


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

    assert flush_logs(60)
    assert path.read_text().endswith("INFO bot hello\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_rotate_and_stay_private(tmp_path):
    path = tmp_path / "logs" / "chat.log"
    configure_logging("INFO", "text", file=path)
    logging.getLogger().handlers[0].target.maxBytes = 200

    for _ in range(30):
        logging.getLogger("bot").info("x" * 60)

    assert flush_logs(60)
    files = sorted(path.parent.iterdir())
    assert len(files) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_ordinary_text_is_not_escaped():
    assert escape_control_characters("Grüße 👋🏽 你好") == "Grüße 👋🏽 你好"


@pytest.fixture
def log_to_pipe(monkeypatch):
    """Configure logging to a pipe; returns its two ends."""
    with ExitStack() as files:

        def configured():
            reading, writing = os.pipe()
            reader = files.enter_context(os.fdopen(reading, "rb"))
            writer = files.enter_context(os.fdopen(writing, "w"))
            monkeypatch.setattr(sys, "stderr", writer)
            configure_logging("INFO", "text")
            return reader, writer

        yield configured


def test_a_reader_that_stops_holds_nobody_up_and_learns_what_it_missed(log_to_pipe):
    reader, writer = log_to_pipe()
    num_lines = MAX_WAITING_LINES + 3000

    for number in range(num_lines):
        logging.getLogger("bot").info("%d %s", number, "x" * 60)
    assert not flush_logs(0.01)
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(reader.read)
        assert flush_logs(60)
        logging.getLogger("bot").info("end")
        assert flush_logs(60)
        writer.close()
        read = reading.result()

    lines = [line.split(" ", 3)[3] for line in read.decode().splitlines()]
    dropped = [line for line in lines if "were dropped here" in line]
    numbers = [int(line.split()[0]) for line in lines if line.endswith("x" * 60)]
    num_dropped = sum(int(line.split()[0]) for line in dropped)
    assert numbers == sorted(set(numbers))
    assert len(lines) - len(dropped) + num_dropped == num_lines + 1


def test_the_end_of_the_process_does_not_wait_for_a_reader_that_stopped(tmp_path):
    code = """if True:
        import logging
        from bot.logs import configure_logging
        from bot.command_line.ending import end_with
        from bot.errors import ConfigError
        configure_logging("INFO", "text")
        for _ in range(3000):
            logging.getLogger("bot").info("x" * 100)
        def refuse():
            raise ConfigError("TRINITY_MODEL", "is wrong")
        try:
            end_with(refuse)
        except BaseException as ended:
            raise SystemExit(ended.exit_code)
    """
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)

    with process:
        status = process.wait(timeout=100)  # without reading

        assert status == 78


def test_a_reader_that_left_ends_nothing(log_to_pipe):
    reader, _ = log_to_pipe()
    reader.close()

    logging.getLogger("bot").info("to nobody")

    assert flush_logs(60)


def test_what_could_not_be_written_is_counted_when_it_can_again(tmp_path):
    configure_logging("INFO", "text", file=tmp_path / "chat.log")
    target = logging.getLogger().handlers[0].target
    stream = target.stream

    with Path("/dev/full").open("w") as full:
        target.stream = full
        for _ in range(3):
            logging.getLogger("bot").info("lost")
        assert flush_logs(60)
        target.stream = stream
        logging.getLogger("bot").info("kept")
    assert flush_logs(60)

    assert [line.split(" ", 3)[3] for line in (tmp_path / "chat.log").read_text().splitlines()] == [
        "kept",
        "3 lines of this log were dropped here: they could not be written, or not fast enough",
    ]
