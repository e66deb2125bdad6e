import os
import socket

import pytest

from bot.operations.notify import notify_systemd, watchdog_interval_seconds


@pytest.mark.parametrize("is_abstract", [False, True])
def test_state_reaches_the_socket(tmp_path, is_abstract):
    name = f"@trinity-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0") if is_abstract else name)

        assert notify_systemd("READY=1", {"NOTIFY_SOCKET": name})

        assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_a_listener_nothing_happens(environ):
    assert not notify_systemd("READY=1", environ)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_is_fed_twice_per_interval(environ, seconds):
    assert watchdog_interval_seconds(environ) == seconds
