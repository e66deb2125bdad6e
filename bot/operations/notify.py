"""Notifies systemd of the daemon's state: a datagram to the socket that NOTIFY_SOCKET names (man 3 sd_notify)."""

import os
import socket
from collections.abc import Mapping


def notify_systemd(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send a state such as `READY=1`, `WATCHDOG=1` or `STOPPING=1`; False where nobody listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        try:
            # "@" stands for the NUL that begins a name in Linux's abstract namespace.
            sender.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
        except OSError:
            return False
    return True


def watchdog_interval_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often to send `WATCHDOG=1`, half of what systemd allows; None where it doesn't watch us."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2_000_000 if microseconds.isdecimal() and int(microseconds) else None
