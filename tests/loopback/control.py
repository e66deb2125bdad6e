"""A small JSON door to a loopback Discord that runs as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.loopback import faults
from tests.loopback.answers import answer_to
from tests.loopback.entities import Channel
from tests.loopback.oracle import judge
from tests.loopback.server import LoopbackDiscord

Json = dict[str, Any]
_ACTIONS: dict[str, Callable[..., faults.Action]] = {
    "Status": faults.Status,
    "Reset": faults.Reset,
    "Delay": faults.Delay,
    "Hang": faults.Hang,
    "RateLimited": faults.RateLimited,
    "CloudflareBan": faults.CloudflareBan,
}


class ControlDoor:
    """The server's side: POST /control/VERB with a JSON object, an answer in JSON."""

    def __init__(self, server: LoopbackDiscord) -> None:
        self._server = server
        self._verbs: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "say": self._say,
            "use": self._use,
            "interaction": self._interaction,
            "transcript": self._transcript,
            "answer": self._answer,
            "fault": self._fault,
            "clear_faults": self._clear_faults,
            "gateway": self._gateway,
            "state": self._state,
            "judge": self._judge,
        }

    def add_to(self, app: web.Application) -> None:
        """Mounts the door beside Discord's routes."""
        app.router.add_post("/control/{verb}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        verb = self._verbs.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"error": f"there are {', '.join(self._verbs)}"}, status=404)
        try:
            return web.json_response(await verb(await request.json()))
        except (LookupError, ValueError, TypeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    def _place(self, asked: Json) -> Channel:
        if "channel" in asked:
            return self._server.channel(asked["channel"])
        return self._server.person(asked["person"]).dm_channel()

    async def _say(self, asked: Json) -> Json:
        person = self._server.person(asked["person"])
        mention = bool(asked.get("mention")) and "channel" in asked
        message = await person.says(self._place(asked), asked["text"], mention=mention)
        return {"id": str(message.id)}

    async def _use(self, asked: Json) -> Json:
        person = self._server.person(asked["person"])
        interaction = await person.uses(asked["command"], self._place(asked), **asked.get("options", {}))
        return {"id": str(interaction.id)}

    async def _interaction(self, asked: Json) -> Json:
        found = next(kept for kept in self._server.interactions.all if str(kept.id) == asked["id"])
        is_acknowledged = found.acknowledged_at is not None
        return {"is_acknowledged": is_acknowledged, "text": found.text, "is_ephemeral": found.is_ephemeral}

    async def _transcript(self, asked: Json) -> list[str]:
        return self._server.transcript(self._place(asked))

    async def _answer(self, asked: Json) -> Json:
        answer = answer_to(self._server.world.messages[int(asked["id"])])
        return {"parts": [] if answer is None else [part.content for part in answer.parts]}

    async def _fault(self, asked: Json) -> Json:
        action = _ACTIONS[asked.pop("action")](**asked.pop("arguments", {}))
        if "channel" in asked:
            asked["channel"] = self._server.channel(asked["channel"])
        self._server.faults.add(action, **asked)
        return {}

    async def _clear_faults(self, asked: Json) -> Json:
        self._server.faults.clear()
        return {}

    async def _gateway(self, asked: Json) -> Json:
        await faults.GatewayAction(asked["how"], asked.get("code", 4000)).strike(self._server.gateway, self._server.bot)
        return {}

    async def _state(self, asked: Json) -> Json:
        server = self._server
        return {
            "sessions": len(server.gateway.connected()),
            "counts": dict(server.gateway.counts),
            "statuses": {str(status): count for status, count in server.journal.statuses().items()},
            "violations": [str(violation) for violation in server.violations],
            "commands": [command["name"] for command in server.bot.commands.get(None, [])],
            "command_syncs": server.bot.num_command_syncs,
        }

    async def _judge(self, asked: Json) -> Json:
        return dataclasses.asdict(judge(self._server))


class RemoteDiscord:
    """The test's side of the door."""

    def __init__(self, announcement: Json, session: aiohttp.ClientSession) -> None:
        self.environment: dict[str, str] = announcement["environment"]
        self._url: str = announcement["control_url"]
        self._session = session

    async def ask(self, verb: str, **fields: Any) -> Any:
        """Sends one verb; an error of the other side is raised as a RuntimeError."""
        async with self._session.post(f"{self._url}/{verb}", json=fields) as answer:
            body = await answer.json()
        if isinstance(body, dict) and "error" in body:
            raise RuntimeError(body["error"])
        return body

    async def wait_for_answer(self, message_id: str, *, contains: str, seconds: float = 10.0) -> str:
        """Waits until the answer to a message holds a text, and returns the whole of it."""
        async with asyncio.timeout(seconds):
            while True:
                text = "\n".join((await self.ask("answer", id=message_id))["parts"])
                if contains in text:
                    return text
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def separate_process(*options: str) -> AsyncIterator[RemoteDiscord]:
    """A loopback Discord in a process of its own, for as long as the block lasts."""
    command = (sys.executable, "-m", "tests.loopback", *options)
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1)
    try:
        if process.stdout is None:
            raise RuntimeError("the process has no output")
        announcement = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield RemoteDiscord(announcement, session)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
