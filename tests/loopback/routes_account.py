"""REST: the login, the application, its commands, users, guilds and direct-message channels."""

import re
from itertools import chain
from typing import Any

from aiohttp import web

from tests.loopback.entities import Guild
from tests.loopback.payloads import application_json, channel_json, guild_json, member_json, user_json
from tests.loopback.wire import ApiError, Call, invalid_form, json_answer, no_content, unknown

_COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
_MAX_COMMANDS = 100
_LOCALES = frozenset(re.findall(
    r"\S+",
    "bg cs da de el en-GB en-US es-419 es-ES fi fr hi hr hu id it ja ko lt nl no pl pt-BR ro ru sv-SE th tr uk vi "
    "zh-CN zh-TW",
))  # fmt: skip
_LOCALIZATIONS = ("name_localizations", "description_localizations")
_CHAT_INPUT = 1


async def _get_me(call: Call) -> web.Response:
    return json_answer(user_json(call.author.user))


async def _get_user(call: Call) -> web.Response:
    user = call.world.users.get(call.number("user"))
    if user is None:
        raise unknown("User")
    return json_answer(user_json(user))


async def _get_application(call: Call) -> web.Response:
    return json_answer(application_json(call.author))


async def _open_dm(call: Call) -> web.Response:
    user = call.world.users.get(int((await call.body())["recipient_id"]))
    if user is None:
        raise unknown("User")
    return json_answer(channel_json(call.world.dm_channel(call.author.user, user)))


async def _put_commands(call: Call) -> web.Response:
    bot, guild_id = call.author, _guild_id(call)
    _require_own_application(call)
    wanted: Any = await call.body()
    if len(wanted) > _MAX_COMMANDS:
        raise ApiError(400, 30032, "Maximum number of application commands reached (100).")
    _check_localized_names(wanted)
    known = {command["name"]: command for command in bot.commands.get(guild_id, [])}
    bot.commands[guild_id] = [_registered(call, command, known.get(command["name"])) for command in wanted]
    bot.num_command_syncs += 1
    return json_answer(bot.commands[guild_id])


def _registered(call: Call, command: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    _check_command(command)
    fresh = {"options": [], "type": _CHAT_INPUT} | {key: value for key, value in command.items() if value is not None}
    fresh["id"] = before["id"] if before else str(call.world.ids.next_id())
    fresh["application_id"] = str(call.author.id)
    fresh["version"] = str(call.world.ids.next_id())
    if _guild_id(call) is not None:
        fresh["guild_id"] = str(_guild_id(call))
    for optional in ("default_member_permissions", "contexts", "integration_types"):
        fresh.setdefault(optional, None)
    return fresh


def _check_command(command: dict[str, Any]) -> None:
    for localizations in _LOCALIZATIONS:
        if (command.get(localizations) or {}).keys() - _LOCALES:
            raise invalid_form(localizations, "APPLICATION_COMMAND_INVALID_LOCALE", "Not a locale")
    if command.get("type", _CHAT_INPUT) != _CHAT_INPUT:
        return
    for name in [command["name"], *(command.get("name_localizations") or {}).values()]:
        if not _COMMAND_NAME.fullmatch(name) or name != name.lower():
            raise invalid_form("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    descriptions = [command.get("description") or "", *(command.get("description_localizations") or {}).values()]
    if not all(1 <= len(description) <= 100 for description in descriptions):
        raise invalid_form("description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    _check_localized_names(command.get("options") or [])
    options = command.get("options") or []
    if len(options) > 25:
        raise invalid_form("options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for option in options:
        _check_command(option | {"type": _CHAT_INPUT})


def _check_localized_names(commands: list[dict[str, Any]]) -> None:
    """Two commands, or two options, may not have one name in any language."""
    localized = [command.get("name_localizations") or {} for command in commands]
    for locale in {"", *chain(*localized)}:
        names = [names.get(locale, command["name"]) for names, command in zip(localized, commands, strict=True)]
        if len(set(names)) < len(names):
            raise invalid_form("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Names must be unique")


async def _get_commands(call: Call) -> web.Response:
    """The commands; their localizations only where they are asked for."""
    _require_own_application(call)
    commands = call.author.commands.get(_guild_id(call), [])
    if call.request.query.get("with_localizations") not in ("1", "true", "True"):
        commands = [_without_localizations(command) for command in commands]
    return json_answer(commands)


def _without_localizations(command: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in command.items() if key not in _LOCALIZATIONS}
    if "options" in kept:
        kept["options"] = [_without_localizations(option) for option in kept["options"]]
    return kept


async def _delete_command(call: Call) -> web.Response:
    _require_own_application(call)
    commands = call.author.commands.get(_guild_id(call), [])
    found = next((command for command in commands if command["id"] == call.request.match_info["command"]), None)
    if found is None:
        raise unknown("application command")
    commands.remove(found)
    return no_content()


def _guild_id(call: Call) -> int | None:
    return call.number("guild") if "guild" in call.request.match_info else None


def _require_own_application(call: Call) -> None:
    if call.number("application") != call.author.id:
        raise unknown("Application")


async def _get_own_guilds(call: Call) -> web.Response:
    homes = [each for each in call.world.guilds.values() if not each.is_deleted and call.author.id in each.members]
    return json_answer([{"id": str(home.id), "name": home.name} for home in homes])


def _home(call: Call) -> Guild:
    guild = call.world.guilds.get(call.number("guild"))
    if guild is None or guild.is_deleted or call.author.id not in guild.members:
        raise unknown("Guild")
    return guild


async def _get_guild(call: Call) -> web.Response:
    return json_answer(guild_json(_home(call), call.author))


async def _get_guild_channels(call: Call) -> web.Response:
    return json_answer(guild_json(_home(call), call.author)["channels"])


async def _get_active_threads(call: Call) -> web.Response:
    return json_answer({"threads": guild_json(_home(call), call.author)["threads"], "members": []})


async def _get_member(call: Call) -> web.Response:
    member = _home(call).members.get(call.number("user"))
    if member is None:
        raise unknown("Member")
    return json_answer(member_json(member))


async def _get_gateway(call: Call) -> web.Response:
    url = f"ws://{call.request.host}/"
    rules = call.world.rules
    left = rules.sessions_left
    start = {"total": 1000, "remaining": left, "reset_after": 7_200_000, "max_concurrency": rules.max_concurrency}
    return json_answer({"url": url, "shards": rules.recommended_shards, "session_start_limit": start})


ROUTES = [
    ("GET", "/gateway", _get_gateway),
    ("GET", "/gateway/bot", _get_gateway),
    ("GET", "/users/@me", _get_me),
    ("GET", "/users/@me/guilds", _get_own_guilds),
    ("GET", "/users/{user}", _get_user),
    ("POST", "/users/@me/channels", _open_dm),
    ("GET", "/oauth2/applications/@me", _get_application),
    ("GET", "/applications/@me", _get_application),
    ("PUT", "/applications/{application}/commands", _put_commands),
    ("GET", "/applications/{application}/commands", _get_commands),
    ("DELETE", "/applications/{application}/commands/{command}", _delete_command),
    ("PUT", "/applications/{application}/guilds/{guild}/commands", _put_commands),
    ("GET", "/applications/{application}/guilds/{guild}/commands", _get_commands),
    ("GET", "/guilds/{guild}", _get_guild),
    ("GET", "/guilds/{guild}/channels", _get_guild_channels),
    ("GET", "/guilds/{guild}/threads/active", _get_active_threads),
    ("GET", "/guilds/{guild}/members/{user}", _get_member),
]
