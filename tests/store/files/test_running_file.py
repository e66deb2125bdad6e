"""What the engine ran is known after a sudden death, and never half of it."""

import multiprocessing
import os
import signal
from pathlib import Path

from bot.store.files.running_file import open_running_file


def run_until_killed(path: Path, names: list[str]) -> None:
    with open_running_file(path) as running:
        running.write(["discord:1"])
        running.write(names)
        os.kill(os.getpid(), signal.SIGKILL)


def left_by(path: Path, names: list[str]) -> tuple[str, ...]:
    killed = multiprocessing.get_context("spawn").Process(target=run_until_killed, args=(path, names))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    with open_running_file(path) as running:
        return running.left


def test_what_ran_when_the_process_was_killed_is_known_to_the_next(tmp_path: Path) -> None:
    names = ["discord:2", "discord:3", ""]

    assert left_by(tmp_path / "engine.running", names) == tuple(names)
    assert (tmp_path / "engine.running").stat().st_mode & 0o777 == 0o600


def test_a_new_file_and_one_that_was_emptied_name_nobody(tmp_path: Path) -> None:
    path = tmp_path / "engine.running"
    with open_running_file(path) as running:
        new = running.left
        running.write(["discord:1"])
        running.write([])

    with open_running_file(path) as running:
        assert (new, running.left) == ((), ())


def test_more_names_than_there_is_room_for_still_say_that_there_were_several(tmp_path: Path) -> None:
    path = tmp_path / "engine.running"
    with open_running_file(path) as running:
        running.write([f"discord:{number:020}" for number in range(5000)])

    with open_running_file(path) as running:
        assert running.left[0] == "discord:" + "0" * 20
        assert running.left[-1] == ""


def test_a_note_that_was_torn_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "engine.running"
    with open_running_file(path) as running:
        running.write(["discord:1"])
    text = path.read_bytes()
    path.write_bytes(text.replace(b"discord:1", b"discord:2"))

    with open_running_file(path) as running:
        assert running.left == ()


def test_after_another_start_of_the_machine_nobody_is_named(tmp_path: Path) -> None:
    path = tmp_path / "engine.running"
    with open_running_file(path, boot_id="monday") as running:
        running.write(["discord:1"])

    with open_running_file(path, boot_id="tuesday") as running:
        assert running.left == ()


def test_a_file_that_cannot_be_had_is_done_without(tmp_path: Path) -> None:
    for path in (None, tmp_path / "missing" / "engine.running"):
        with open_running_file(path) as running:
            running.write(["discord:1"])
            assert running.left == ()
