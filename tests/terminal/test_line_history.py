import os
import time

import pytest

from bot.terminal.line_history import MAX_LINES, LineHistory


def kept(file, **options):
    return list(LineHistory(file, **options).load_history_strings())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "chat.history"


def test_lines_of_one_start_are_the_next_ones_newest_first_and_for_their_owner_alone(file):
    mask = os.umask(0)
    try:
        history = LineHistory(file)
        for line in ("one", "two\nlines", "a\u2028b \udc80".replace("\udc80", "\ufffd")):
            history.append_string(line)
    finally:
        os.umask(mask)

    assert kept(file) == ["a\u2028b \ufffd", "two\nlines", "one"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_could_read_is_theirs_no_more(file):
    file.touch(mode=0o644)

    LineHistory(file).append_string("one")

    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_forgotten_is_neither_in_the_file_nor_on_the_arrow_keys(file):
    history = LineHistory(file)
    history.append_string("one")

    history.forget()
    history.append_string("two")

    assert history.get_strings() == ["two"]
    assert "one" not in file.read_text()


def test_without_a_file_lines_are_kept_until_the_end_only(tmp_path):
    history = LineHistory(None)

    history.append_string("one")

    assert history.get_strings() == ["one"]
    assert list(tmp_path.iterdir()) == []


def test_lines_older_than_the_retention_leave_the_file(file):
    old = time.time() - 31 * 86_400
    file.write_text(f'{{"at": {old}, "text": "old"}}\n{{"at": {time.time()}, "text": "new"}}\n')

    assert kept(file, retention_days=30) == ["new"]
    assert "old" not in file.read_text()
    assert kept(file) == ["new"]


def test_the_newest_thousand_are_kept(file):
    history = LineHistory(file)
    for number in range(MAX_LINES + 5):
        history.append_string(str(number))

    assert kept(file)[:: MAX_LINES - 1] == [str(MAX_LINES + 4), "5"]
    assert len(file.read_text().splitlines()) == MAX_LINES


@pytest.mark.parametrize("broken", ["{", "[]", "17", '{"at": "x", "text": "y"}', '{"text": "y"}', "\x00", "null"])
def test_a_broken_line_costs_itself(file, broken):
    LineHistory(file).append_string("one")
    with file.open("a") as more:
        more.write(broken + "\n")
    LineHistory(file).append_string("two")

    assert kept(file) == ["two", "one"]


def test_where_nothing_can_be_written_lines_are_kept_until_the_end(tmp_path, caplog):
    history = LineHistory(tmp_path / "nowhere" / "chat.history")

    history.append_string("secret")

    assert history.get_strings() == ["secret"]
    assert "can't be kept" in caplog.text
    assert "secret" not in caplog.text


def test_a_link_is_not_followed(tmp_path, file):
    (tmp_path / "other").write_text("theirs")
    file.symlink_to(tmp_path / "other")

    LineHistory(file).append_string("one")

    assert (tmp_path / "other").read_text() == "theirs"
