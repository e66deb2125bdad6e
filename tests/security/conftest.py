"""Trinity on a loopback Discord, as the tests of discord/ have it."""

from tests.discord.conftest import encoder, enter, house, server

__all__ = ["encoder", "enter", "house", "server"]
