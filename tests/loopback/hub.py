"""A model hub on loopback: what the hub's library asks for, refusals and a server that falls silent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

COMMIT = "a" * 40


@dataclass
class LoopbackHub:
    """One repository, `someone/model`; every other name is unknown."""

    files: Mapping[str, bytes]
    refusal: web.Response | None = None
    """What every request gets instead."""
    silent_files: frozenset[str] = frozenset()
    """Of these a first part comes, and then nothing more."""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    fell_silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.refusal is not None:
            refusal = self.refusal
            return web.Response(status=refusal.status, body=refusal.body, headers=refusal.headers)
        if not request.path.startswith(("/api/models/someone/model", "/someone/model/")):
            return web.json_response(
                {"error": "Repository not found"}, status=404, headers={"X-Error-Code": "RepoNotFound"}
            )
        if "/tree/" in request.path:
            return web.json_response(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": str(number)}
                    for number, (name, data) in enumerate(self.files.items())
                ]
            )
        if request.path.startswith("/api/"):
            return web.json_response(
                {"id": "someone/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
            )
        return await self._file(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        data = self.files.get(name)
        if data is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hash(data) & 0xFFFFFFFF:x}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(data))}
        if request.method == "HEAD":
            return web.Response(headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if name in self.silent_files:
            await response.write(data[: len(data) // 2])
            self.fell_silent.set()
            await asyncio.Event().wait()
        await response.write(data)
        return response


@asynccontextmanager
async def open_hub(files: Mapping[str, bytes], **more: object) -> AsyncIterator[LoopbackHub]:
    """Run a hub while the block lasts."""
    hub = LoopbackHub(files, **more)  # type: ignore[arg-type]
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hub.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()
