"""A Discord on loopback: REST and gateway for the unmodified discord.py, with faults, people and an oracle.

async with LoopbackDiscord() as server:
    alice, general = server.person("Alice"), server.channel("general")
    # start the bot with server.token, server.api_url and server.gateway_url, or inside `redirect(server)`
    question = await alice.says(general, "hello", mention=True)
    answer = await general.answer_to(question)
    judge(server).require(turns=1)

`server.faults` plans failures of requests and of the gateway, `server.gateway` and `server.world` make things happen at
once (drops, lost permissions, deleted channels), `server.journal` holds what was done and `server.violations` which
rules were broken. `Rules` shortens or widens every limit. `separate_process` runs it all outside the test's process.
"""

from tests.loopback.accounts import BotAccount
from tests.loopback.answers import Answer
from tests.loopback.control import RemoteDiscord, separate_process
from tests.loopback.database_oracle import DatabaseVerdict, judge_database
from tests.loopback.entities import Channel, Guild, Message, User
from tests.loopback.faults import (
    ABORT,
    OP7,
    OP9,
    OP9_RESUMABLE,
    STALL,
    CloudflareBan,
    Delay,
    Garbled,
    Hang,
    RateLimited,
    Reset,
    Status,
    WordFilter,
    close_with,
)
from tests.loopback.interaction import Interaction
from tests.loopback.oracle import Expectation, Verdict, judge
from tests.loopback.people import Person
from tests.loopback.redirect import redirect
from tests.loopback.rules import ChannelKind, Intent, Limit, MessageKind, Permission, Rules, without_waits
from tests.loopback.server import LoopbackDiscord

__all__ = [
    "ABORT",
    "OP7",
    "OP9",
    "OP9_RESUMABLE",
    "STALL",
    "Answer",
    "BotAccount",
    "Channel",
    "ChannelKind",
    "CloudflareBan",
    "DatabaseVerdict",
    "Delay",
    "Expectation",
    "Garbled",
    "Guild",
    "Hang",
    "Intent",
    "Interaction",
    "Limit",
    "LoopbackDiscord",
    "Message",
    "MessageKind",
    "Permission",
    "Person",
    "RateLimited",
    "RemoteDiscord",
    "Reset",
    "Rules",
    "Status",
    "User",
    "Verdict",
    "WordFilter",
    "close_with",
    "judge",
    "judge_database",
    "redirect",
    "separate_process",
    "without_waits",
]
