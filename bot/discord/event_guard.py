"""Keeps unexpected payloads of Discord's from breaking discord.py.

Each event passes `EventGuard` before discord.py's own parser sees it: it is brought into the shape that the parser
needs (`payloads`); an event that can't be read is skipped with one line in the log. `GatewaySocket` does the same for
the frames around the events. Both stand where discord.py 2.7 looks for them: the table `ConnectionState.parsers`, and
`DiscordWebSocket.received_message`.
"""

import asyncio
import json
import logging
from functools import partial
from typing import Any

import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.state import ConnectionState

from bot.discord.payload_shapes import READ_ERRORS, OutOfShape, is_snowflake
from bot.discord.payloads import EVENTS, is_hidden

log = logging.getLogger(__name__)

_IDS = ("id", "channel_id", "guild_id", "message_id", "user_id", "parent_id", "role_id")
_PARTS_OF_A_GUILD = ("channels", "threads", "roles")
_PARTS_OF_A_MESSAGE = ("type", "author", "content", "mentions")
_KEPT_OF_A_CHANNEL = ("name", "position", "bitrate", "user_limit", "last_message_id")
_HEARTBEAT_MILLISECONDS = 41_250


class EventGuard:
    """Reads each event, and hands it to discord.py's parser if it can be read.

    `hidden_channels` holds the ids of the channels that Discord names although the bot can't see them. discord.py has
    no place for that in most of its channels.
    """

    def __init__(self, state: ConnectionState[Any]) -> None:
        self.hidden_channels: set[int] = set()
        self._state = state
        self._parsers = dict(state.parsers)
        state.parsers.clear()
        for name in EVENTS.keys() & self._parsers.keys():
            state.parsers[name] = partial(self._parse, name)

    def _parse(self, name: str, payload: Any) -> None:
        try:
            event = self._read(name, payload)
            if event is None:
                return
            # discord.py drops an update of a channel that it doesn't know.
            is_new_channel = name == "CHANNEL_UPDATE" and self._is_new_channel(event)
            self._parsers["CHANNEL_CREATE" if is_new_channel else name](event)
            if name == "READY" and self._state._ready_task is not None:
                self._state._ready_task.add_done_callback(_log_overtaken)
        except OutOfShape as error:
            log.warning("an event of Discord's is skipped, %s: %s", described(name, payload), error)
        except Exception as error:
            # An error's text may hold what people said; its type and place say enough.
            log.error(
                "an event of Discord's is skipped, %s: discord.py stumbled over it (%s%s)",
                described(name, payload), type(error).__name__, _place(error),
            )  # fmt: skip

    def _read(self, name: str, payload: Any) -> Any:
        """The event as discord.py's parser gets it; None where that isn't to know of it."""
        prepare = getattr(self, f"_before_{name.lower()}", None)
        if isinstance(payload, dict) and prepare is not None:
            payload = prepare(payload)
            if payload is None:
                return None
        event = EVENTS[name](payload)
        if name == "GUILD_CREATE":
            _log_missing_parts(payload, event)
        return self._as_logged_in(event) if name == "READY" else event

    # --- what has to be known besides the event

    def _as_logged_in(self, event: dict[str, Any]) -> dict[str, Any]:
        """READY's user is the one that logged in, also where Discord doesn't say."""
        user = self._state.user
        if user is not None and ("user" not in event or int(event["user"]["id"]) != user.id):
            names = {"username": user.name, "discriminator": user.discriminator, "avatar": None, "bot": True}
            event["user"] = {"id": str(user.id), **names}
        self.hidden_channels.clear()
        return event

    def _before_guild_create(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Of the members only the bot itself is kept: discord.py would build and forget all others."""
        members, channels = payload.get("members"), payload.get("channels")
        for channel in channels if isinstance(channels, list) else ():
            self._note_hidden(channel)
        if not isinstance(members, list):
            return payload
        own_id = str(self._state.self_id)
        return {**payload, "members": [member for member in members if _user_id(member) == own_id]}

    def _before_guild_member_update(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Nobody else's roles are of interest."""
        return payload if _user_id(payload) in {None, str(self._state.self_id)} else None

    def _before_user_update(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """It is always the bot itself; discord.py would take over another id."""
        user_id = payload.get("id")
        return None if is_snowflake(user_id) and int(user_id) != self._state.self_id else payload

    def _before_message_update(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """An update that tells only what was added, such as a link's preview, doesn't say what the message now is.

        What the bot edits itself it knows; that comes back for each edit of an answer that grows.
        """
        author = payload.get("author")
        if isinstance(author, dict) and str(author.get("id")) == str(self._state.self_id):
            return None
        return payload if all(name in payload for name in _PARTS_OF_A_MESSAGE) else None

    def _before_channel_create(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._note_hidden(payload)
        return payload

    def _before_channel_update(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What a known channel's update doesn't tell stays as it was."""
        self._note_hidden(payload)
        channel = self._known_channel(payload)
        if channel is None:
            return payload
        kept = {name: getattr(channel, name, None) for name in _KEPT_OF_A_CHANNEL}
        kept |= {"type": channel.type.value, "parent_id": channel.category_id}
        kept["permission_overwrites"] = [overwrite._asdict() for overwrite in channel._overwrites]
        given = {name: value for name, value in payload.items() if value is not None or name == "parent_id"}
        return kept | given

    def _before_channel_delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        if is_snowflake(payload.get("id")):
            self.hidden_channels.discard(int(payload["id"]))
        return payload

    def _note_hidden(self, channel: Any) -> None:
        if isinstance(channel, dict) and is_snowflake(channel.get("id")):
            note = self.hidden_channels.add if is_hidden(channel) else self.hidden_channels.discard
            note(int(channel["id"]))

    def _known_channel(self, payload: dict[str, Any]) -> discord.abc.GuildChannel | None:
        if not is_snowflake(payload.get("id")) or not is_snowflake(payload.get("guild_id")):
            return None
        guild = self._state._get_guild(int(payload["guild_id"]))
        return guild.get_channel(int(payload["id"])) if guild is not None else None

    def _is_new_channel(self, event: dict[str, Any]) -> bool:
        guild = self._state._get_guild(int(event.get("guild_id") or 0))
        return guild is not None and guild.get_channel(int(event["id"])) is None


def _log_overtaken(waiting: "asyncio.Task[None]") -> None:
    """discord.py waits for the guilds in a task, which stumbles if another session begins just as it is done."""
    if not waiting.cancelled() and waiting.exception() is not None:
        log.warning("a session's beginning was overtaken by another one's (%s)", type(waiting.exception()).__name__)


def _user_id(member: Any) -> str | None:
    user = member.get("user") if isinstance(member, dict) else None
    user_id = user.get("id") if isinstance(user, dict) else None
    return str(int(user_id)) if is_snowflake(user_id) else None


def _log_missing_parts(payload: dict[str, Any], guild: dict[str, Any]) -> None:
    """A guild that can be read but for some of its parts is kept without them."""
    for name in _PARTS_OF_A_GUILD:
        sent = payload.get(name)
        if not isinstance(sent, list):
            if sent is not None:
                log.warning("guild %s came without its %s: they can't be read", guild["id"], name)
            continue
        read = {str(part["id"]) for part in guild[name]}
        lost = [part for part in sent if not isinstance(part, dict) or str(part.get("id")) not in read]
        if lost:
            ids = [str(part["id"]) for part in lost if isinstance(part, dict) and is_snowflake(part.get("id"))]
            log.warning(
                "guild %s came with %d %s that can't be read: %s", guild["id"], len(lost), name, ", ".join(ids[:20])
            )


def described(name: str, payload: Any) -> str:
    """An event's type and ids, for the log: nothing that people wrote."""
    fields = payload if isinstance(payload, dict) else {}
    ids = [f"{field} {fields[field]}" for field in _IDS if is_snowflake(fields.get(field))]
    return f"{name} ({', '.join(ids) or 'no ids'})"


def _place(error: Exception) -> str:
    """Where an error was raised: the innermost file and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f", {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"


class GatewaySocket(DiscordWebSocket):
    """A connection on which a frame that can't be read costs only that frame."""

    async def received_message(self, msg: Any, /) -> None:
        """Take a frame as it came.

        Raises:
            ReconnectWebSocket: the connection can't go on.
        """
        text = await self._unpacked(msg) if isinstance(msg, bytes) else msg
        if text is None:
            return
        sequence = self.sequence
        try:
            if self._keep_alive is None:
                text = mended_frame(text)  # the first frame says how often to send a heartbeat
            try:
                await super().received_message(text)
            except READ_ERRORS:
                await super().received_message(mended_frame(text))
        except READ_ERRORS as error:
            log.warning("a frame of Discord's is skipped: it can't be read (%s)", type(error).__name__)
        if self.sequence is not None and (isinstance(self.sequence, bool) or not isinstance(self.sequence, int)):
            self.sequence = sequence

    async def _unpacked(self, frame: bytes) -> str | None:
        """A compressed frame's text; None where it has none, or goes on in the next one."""
        try:
            return self._decompressor.decompress(frame)
        except UnicodeDecodeError:
            log.warning("a frame of Discord's is skipped: it isn't text")
            return None
        except Exception as error:
            # Every later frame is compressed on top of this one.
            log.warning("what Discord sends can't be unpacked any more (%s)", type(error).__name__)
            await self.close()
            raise ReconnectWebSocket(self.shard_id) from None


def mended_frame(text: str) -> str:
    """A frame with all that discord.py reads of it besides the event.

    Raises:
        ValueError: it is no JSON, or no object.
    """
    frame = json.loads(text)
    if not isinstance(frame, dict):
        raise OutOfShape(f"{type(frame).__name__} in place of an object")
    event, data, op = frame.get("t"), frame.get("d"), frame.get("op")
    fields = data if isinstance(data, dict) else {}
    if op == DiscordWebSocket.HELLO:
        interval = fields.get("heartbeat_interval")
        is_usable = isinstance(interval, int | float) and not isinstance(interval, bool) and 1 <= interval <= 10**7
        fields["heartbeat_interval"] = interval if is_usable else _HEARTBEAT_MILLISECONDS
    elif event == "READY":
        session, url = fields.get("session_id"), fields.get("resume_gateway_url")
        fields["session_id"] = session if isinstance(session, str) else None
        fields["resume_gateway_url"] = url if isinstance(url, str) else str(DiscordWebSocket.DEFAULT_GATEWAY)
    elif event != "RESUMED":
        return text
    return json.dumps({"s": None, **frame, "d": fields})
