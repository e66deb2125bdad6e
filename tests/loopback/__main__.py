"""`python -m tests.loopback [--port P] [--without-waits]`: the loopback Discord as a process, until SIGTERM.

The first line of its output is a JSON object: the environment for the daemon, and the URL of the control door.
"""

import argparse
import asyncio
import json
import signal

from tests.loopback.control import ControlDoor
from tests.loopback.rules import Rules, without_waits
from tests.loopback.server import LoopbackDiscord


async def _serve(port: int, rules: Rules) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = LoopbackDiscord(rules, port=port)
    server.mount(ControlDoor(server).add_to)
    async with server:
        control_url = f"http://127.0.0.1:{server.port}/control"
        print(json.dumps({"environment": server.environment, "control_url": control_url}), flush=True)
        await stopped.wait()


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--without-waits", action="store_true", help="no rate limits, no pause between two logins")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, without_waits() if options.without_waits else Rules()))


if __name__ == "__main__":
    main()
