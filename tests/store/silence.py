"""A proxy on loopback that can go silent: then it forwards nothing, answers nothing and closes nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class SilentProxy:
    """Carries bytes to a port and back, while it is not silent."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.num_connections = 0
        self._target = port
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._carriers: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def fall_silent(self) -> None:
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    def reset(self) -> None:
        """Close all connections without another word."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)
        self.reset()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        carrier = asyncio.create_task(self._serve(reader, writer))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._speaks.wait()
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, back))
                both.create_task(self._carry(there, writer))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(65536):
                await self._speaks.wait()
                target.write(chunk)
                await target.drain()
        await self._speaks.wait()
        target.close()


@asynccontextmanager
async def open_proxy(port: int) -> AsyncIterator[SilentProxy]:
    """A proxy before a port of this machine."""
    proxy = SilentProxy(port)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
