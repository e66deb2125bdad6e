"""Trinity on a loopback Discord, as the tests of the Discord edge have it."""

from tests.discord.conftest import encoder, enter, house, server

__all__ = ["encoder", "enter", "house", "server"]
