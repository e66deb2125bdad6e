import os
import signal
import stat
from pathlib import Path

import pytest

from bot.operations.reload_report import Reloaded, ReloadReport
from bot.store.files.instance import hold_instance, running_process


def test_whoever_asks_hears_what_came_of_it(tmp_path):
    report = ReloadReport(tmp_path)
    report.write(live=["an older one"])
    asked = []

    def send(process, number):
        asked.append((process, number))
        report.write(["TRINITY_SEED"], ["TRINITY_MODEL"])

    assert report.ask(17, send=send) == Reloaded(("TRINITY_SEED",), ("TRINITY_MODEL",), None)
    assert asked == [(17, signal.SIGUSR2)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_daemon_that_says_nothing_is_not_waited_for_without_end(tmp_path):
    assert ReloadReport(tmp_path).ask(17, seconds=0, send=lambda *_: None) is None


def test_whoever_waits_for_a_daemon_that_loads_its_model_is_told_once(tmp_path):
    told = []

    assert ReloadReport(tmp_path).ask(17, seconds=0.4, send=lambda *_: None, on_silence=lambda: told.append(1)) is None

    assert told == [1]


def test_a_report_that_cannot_be_written_is_a_line_in_the_log(tmp_path, caplog):
    ReloadReport(tmp_path / "nowhere").write(problem="x")

    assert "can't be written down: No such file" in caplog.text


def test_the_process_that_holds_a_token_is_known_while_it_does(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/trinity.db"

    assert running_process("token", tmp_path) is None
    with hold_instance(url, "token", tmp_path):
        assert running_process("token", tmp_path) == os.getpid()
        assert running_process("another", tmp_path) is None
    assert running_process("token", tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux shows other processes' files")
def test_a_number_that_is_another_process_here_is_not_taken_for_the_daemon(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/trinity.db"

    with hold_instance(url, "token", tmp_path):
        next(tmp_path.glob("token-*.lock")).write_text("1")
        assert running_process("token", tmp_path) is None or os.getpid() == 1
