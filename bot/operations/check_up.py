"""What `trinity doctor` finds while the bot runs, for the operator's page: asked of a process of its own.

The doctor looks at everything from outside, so that a bot that is broken can't spoil what it says.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

LIMIT_SECONDS = 240.0
COMMAND = (sys.executable, "-m", "bot", "doctor", "--json")


class CheckUpFailed(Exception):
    """The doctor said nothing; says why."""


class CheckUp:
    """The latest check-up."""

    def __init__(self, command: Sequence[str] = COMMAND, limit_seconds: float = LIMIT_SECONDS) -> None:
        self.latest: dict[str, Any] | None = None
        """When it was, whether a start would succeed, and the findings; None before the first."""
        self._command = tuple(command)
        self._limit_seconds = limit_seconds
        self._examining = asyncio.Lock()

    async def examine(self) -> str:
        """Have everything looked at; returns the verdict in words.

        Raises:
            CheckUpFailed: it takes place already, or came to no end.
        """
        if self._examining.locked():
            raise CheckUpFailed("The doctor is looking at it already.")
        async with self._examining:
            told = await self._run()
            self.latest = {"at": time.time(), "is_ready": told["is_ready"], "findings": told["findings"]}
        num_bad = sum(finding["state"] == "bad" for finding in told["findings"])
        return f"{num_bad} to be mended; see below." if num_bad else "Nothing to be mended."

    async def _run(self) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._limit_seconds):
                said, _ = await process.communicate()
            told = json.loads(said)
            if not isinstance(told["findings"], list):
                raise CheckUpFailed("The doctor's answer can't be read.")
        except TimeoutError:
            raise CheckUpFailed(f"The doctor came to no end within {self._limit_seconds:g} seconds.") from None
        except (ValueError, LookupError, TypeError):
            raise CheckUpFailed("The doctor's answer can't be read.") from None
        else:
            return dict(told)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
