"""What an operator may do to the running bot from outside, and the proof that it is an operator who asks."""

import hmac
import logging
from collections.abc import Callable
from enum import StrEnum

from bot.errors import ConfigError, StoreError
from bot.operations.check_up import CheckUp, CheckUpFailed
from bot.operations.overview import Overview

_STARTING = "It is still starting."

log = logging.getLogger(__name__)


class Control(StrEnum):
    """What can be done."""

    PAUSE = "pause"
    """Refuse new questions, in words; what was asked before is answered."""
    RESUME = "resume"
    DRAIN = "drain"
    """Let the running answers finish, then end the process, as at SIGTERM."""
    EXAMINE = "examine"
    """Have the doctor look at everything."""
    RELOAD = "reload"
    """Take over the settings that may change while it runs."""


class ControlRefused(Exception):
    """It can't be done now; says why."""


class Controls:
    """Does it.

    Args:
        overview: knows the running bot.
        token: whoever has it is an operator; None means that nobody is.
        end: begins the drain.
    """

    def __init__(
        self,
        overview: Overview,
        token: str | None,
        end: Callable[[], None],
        check_up: CheckUp,
    ) -> None:
        self._overview = overview
        self._token = token
        self._end = end
        self._check_up = check_up

    @property
    def has_token(self) -> bool:
        """Whether anybody can do anything."""
        return self._token is not None

    def is_operator(self, authorization: str) -> bool:
        """Whether an Authorization header proves it; how long that takes says nothing about the token."""
        kind, _, given = authorization.partition(" ")
        given = given.strip()
        if self._token is None or kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token.encode())

    async def do(self, control: Control) -> str:
        """Do it; returns what came of it, in words.

        Raises:
            ControlRefused: it can't be done now.
        """
        log.info("an operator asks at the operations address: %s", control)
        if control is Control.DRAIN:
            self._end()
            return "Running answers may finish, then the process ends."
        if control is Control.EXAMINE:
            try:
                return await self._check_up.examine()
            except (CheckUpFailed, OSError) as error:
                raise ControlRefused(str(error)) from error
        if control is Control.RELOAD:
            return await self._take_over()
        chat = self._overview.chat
        if chat is None:
            raise ControlRefused(_STARTING)
        chat.queue.is_paused = control is Control.PAUSE
        return "New questions are refused." if chat.queue.is_paused else "New questions are taken again."

    async def _take_over(self) -> str:
        if self._overview.reload is None:
            raise ControlRefused(_STARTING)
        try:
            return await self._overview.reload()
        except (ConfigError, StoreError) as error:
            raise ControlRefused(str(error)) from error
