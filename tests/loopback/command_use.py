"""What Discord's client does between a typed slash command and the interaction: find, permit, check, fill in."""

from typing import Any

from tests.loopback.accounts import BotAccount, Viewer
from tests.loopback.entities import Channel, Message, User
from tests.loopback.payloads import Json, channel_json, member_json, message_json, user_json
from tests.loopback.rules import Permission

_SUB_COMMAND, _SUB_COMMAND_GROUP = 1, 2
_STRING, _INTEGER, _BOOLEAN, _USER, _CHANNEL, _NUMBER, _ATTACHMENT = 3, 4, 5, 6, 7, 10, 11
_GUILD_CONTEXT, _BOT_DM_CONTEXT, _PRIVATE_CHANNEL_CONTEXT = 0, 1, 2
_USER_INSTALL = 1


def command_data(
    bot: BotAccount, user: User, channel: Channel, words: list[str], values: dict[str, Any], *, focused: str = ""
) -> Json:
    """The `data` of the interaction for "/persona use" (two words) with its option values.

    `focused` is the option that is being typed, where suggestions are asked for: the others may be missing.
    """
    guild_id = None if channel.guild is None else channel.guild.id
    command = bot.command(words[0], guild_id)
    if command is None:
        raise LookupError(f"/{words[0]} is not registered; there are {_names(bot.commands.get(None, []))}")
    _require_offered(command, user, channel, bot)
    resolved: Json = {}
    options = _options(command, words[1:], values, resolved, channel, focused)
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": options}
    if resolved:
        data["resolved"] = resolved
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data


def menu_data(bot: BotAccount, user: User, message: Message, name: str) -> Json:
    """The `data` of the interaction that an entry of a message's menu begins; it carries the whole message."""
    command = next((each for each in bot.commands.get(None, []) if each["name"] == name and each["type"] == 3), None)
    if command is None:
        raise LookupError(f"the menu has no {name}; there are {_names(bot.commands.get(None, []))}")
    _require_offered(command, user, message.channel, bot)
    shown = message_json(message, Viewer(bot, reads_content=True))
    resolved = {"messages": {str(message.id): shown}}
    return {
        "id": command["id"], "name": name, "type": 3, "target_id": str(message.id), "resolved": resolved,
    }  # fmt: skip


def _names(commands: list[Json]) -> str:
    return ", ".join(command["name"] for command in commands) or "none"


def _require_offered(command: Json, user: User, channel: Channel, bot: BotAccount) -> None:
    """Discord hides commands by default permissions (whole commands only), by context, and by their installation."""
    is_member = bot.user in channel.recipients if channel.guild is None else bot.id in channel.guild.members
    if not is_member and _USER_INSTALL not in (command.get("integration_types") or []):
        raise LookupError(f"/{command['name']} is not offered where the bot isn't")
    if not is_member and channel.is_dm and _PRIVATE_CHANNEL_CONTEXT in (command.get("contexts") or []):
        return
    contexts = command.get("contexts")
    context = _BOT_DM_CONTEXT if channel.is_dm else _GUILD_CONTEXT
    is_hidden_in_dm = channel.is_dm and command.get("dm_permission") is False
    if is_hidden_in_dm or (contexts is not None and context not in contexts):
        raise LookupError(f"/{command['name']} is not offered here")
    needed = command.get("default_member_permissions")
    if channel.guild is None:
        return
    wanted = Permission.USE_APPLICATION_COMMANDS | Permission(int(needed or 0))
    if wanted & ~channel.permissions_of(user):
        raise LookupError(f"/{command['name']} is not offered to {user.name}")


def _options(
    parent: Json, words: list[str], values: dict[str, Any], resolved: Json, channel: Channel, focused: str
) -> list[Json]:
    known = {option["name"]: option for option in parent.get("options") or []}
    if words:
        option = known.get(words[0])
        if option is None or option["type"] not in (_SUB_COMMAND, _SUB_COMMAND_GROUP):
            raise LookupError(f"{parent['name']} has no sub-command {words[0]}; there are {', '.join(known)}")
        inner = _options(option, words[1:], values, resolved, channel, focused)
        return [{"name": option["name"], "type": option["type"], "options": inner}]
    if any(option["type"] in (_SUB_COMMAND, _SUB_COMMAND_GROUP) for option in known.values()):
        raise LookupError(f"{parent['name']} needs one of {', '.join(known)}")
    if focused:
        return [_typed(known[name], value, is_focused=name == focused) for name, value in values.items()]
    _require_right_names(parent["name"], known, values)
    return [_filled(known[name], value, resolved, channel) for name, value in values.items()]


def _typed(option: Json, value: Any, *, is_focused: bool) -> Json:
    """An option as Discord sends it while one types: unchecked, and marked where the cursor is."""
    if is_focused and not option.get("autocomplete"):
        raise LookupError(f"nothing is suggested for {option['name']}")
    typed = {"name": option["name"], "type": option["type"], "value": value}
    return typed | {"focused": True} if is_focused else typed


def _require_right_names(command: str, known: dict[str, Json], values: dict[str, Any]) -> None:
    unknown = values.keys() - known.keys()
    missing = {name for name, option in known.items() if option.get("required")} - values.keys()
    if unknown or missing:
        raise ValueError(f"/{command}: unknown options {sorted(unknown)}, missing options {sorted(missing)}")


def _filled(option: Json, value: Any, resolved: Json, channel: Channel) -> Json:
    name, kind = option["name"], option["type"]
    if kind == _STRING:
        longest, shortest = option.get("max_length", 6000), option.get("min_length", 0)
        if not isinstance(value, str) or not shortest <= len(value) <= longest:
            raise ValueError(f"{name} has to be text of {shortest} to {longest} characters")
    if kind == _BOOLEAN and not isinstance(value, bool):
        raise ValueError(f"{name} has to be true or false")
    if kind in (_INTEGER, _NUMBER):
        low, high = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
        if isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} has to be from {low} to {high}")
    choices = [choice["value"] for choice in option.get("choices") or []]
    if choices and value not in choices:
        raise ValueError(f"{name} has to be one of {choices}")
    if kind == _ATTACHMENT:  # as Discord shows an uploaded file: id, filename, size, url
        resolved.setdefault("attachments", {})[value["id"]] = value
        value = value["id"]
    if kind in (_USER, _CHANNEL):
        value = _resolve(kind, value, resolved, channel)
    return {"name": name, "type": kind, "value": value}


def _resolve(kind: int, value: Any, resolved: Json, channel: Channel) -> str:
    if kind == _CHANNEL:
        resolved.setdefault("channels", {})[str(value.id)] = channel_json(value) | {"permissions": "0"}
        return str(value.id)
    user = getattr(value, "user", value)
    resolved.setdefault("users", {})[str(user.id)] = user_json(user)
    member = None if channel.guild is None else channel.guild.members.get(user.id)
    if member is not None:
        fields = member_json(member, with_user=False) | {"permissions": "0"}
        resolved.setdefault("members", {})[str(user.id)] = fields
    return str(user.id)


def find_component(message: Message, wanted: str) -> Json:
    """The button or menu of a message with this label or custom id; LookupError if it can't be used."""
    found: list[str] = []
    for row in message.components:
        for component in row.get("components", [row]):
            found.append(component.get("label") or component.get("custom_id", "?"))
            if wanted in (component.get("label"), component.get("custom_id")):
                if component.get("disabled"):
                    raise LookupError(f"{wanted} is disabled")
                return dict(component)
    raise LookupError(f"no {wanted} in the message, only {found}")
