"""A proxy as companies have them: every request of a client's goes to it, by its whole address or by CONNECT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class ForwardProxy:
    """Connects to 127.0.0.1 whatever host is asked for, so that hosts may have any name."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        """The first line of every connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: read where it wants to go, then let bytes pass both ways."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            self.asked.append(f"{method} {target}")
            port = int(target.rpartition(":")[2]) if method == "CONNECT" else urlsplit(target).port
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                back_writer.write(head)
            await asyncio.gather(_pass_on(reader, back_writer), _pass_on(back_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def open_forward_proxy() -> AsyncIterator[ForwardProxy]:
    """Run a proxy while the block lasts."""
    proxy = ForwardProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
