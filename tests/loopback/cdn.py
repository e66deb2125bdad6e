"""Where attached files lie: on the same port as everything else, with whatever a test wants to go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Cdn:
    """Files by path; `requests` holds the paths that were asked for, in their order.

    `gate` holds every answer back until it is set, which it is from the start. `serve_by` answers in place of the file.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.serve_by: Serve | None = None
        self.base_url = ""
        self._files: dict[str, bytes] = {}

    def add_to(self, app: web.Application) -> None:
        """Mounts the files' route."""
        app.router.add_get("/attachments/{place:.*}", self._serve)

    def upload(self, file_id: int, name: str, content: bytes, content_type: str | None = None) -> dict[str, Any]:
        """Keeps a file; returns the attachment as a message shows it."""
        path = f"/attachments/{file_id}/{name}"
        self._files[path] = content
        address = f"{self.base_url}{path}"
        shown = {"id": str(file_id), "filename": name, "size": len(content), "url": address, "proxy_url": address}
        return shown if content_type is None else shown | {"content_type": content_type}

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        self.headers.append(dict(request.headers))
        await self.gate.wait()
        if self.serve_by is not None:
            return await self.serve_by(request)
        content = self._files.get(request.path)
        return web.Response(status=404) if content is None else web.Response(body=content)
