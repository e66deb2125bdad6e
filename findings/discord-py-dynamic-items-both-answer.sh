#!/bin/sh
# discord.py 2.7.1 runs every DynamicItem whose template matches a pressed button, not the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "discord.py==2.7.1"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import sys

import discord
from discord import ui

print("about:   buttons that outlive a restart, told apart by patterns of their custom ids")
print("version: discord.py", discord.__version__)
print("guess:   of two templates that match, one answers, as with a web server's routes: a press takes one answer")

ran = []


class Answering(ui.DynamicItem[ui.Button], template="never"):
    @classmethod
    async def from_custom_id(cls, interaction, item, match):
        return cls(item)

    async def callback(self, interaction):
        ran.append(type(self).__name__)


class ForgetOne(Answering, template=r"forget:(?P<what>\w+)"):
    pass


class ForgetAll(Answering, template="forget:all"):
    pass


READER = {"id": "5", "username": "reader", "discriminator": "0", "avatar": None, "global_name": None}
BUTTON = {"type": 2, "id": 2, "style": 4, "label": "Forget", "custom_id": "forget:all"}
MESSAGE = {"id": "9", "channel_id": "3", "author": READER, "content": "Forget it?", "type": 0, "flags": 0, "tts": False,
           "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "mention_everyone": False,
           "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "pinned": False,
           "components": [{"type": 1, "id": 1, "components": [BUTTON]}]}
PRESSED = {"id": "1", "application_id": "2", "type": 3, "version": 1, "token": "token", "channel_id": "3",
           "user": READER, "channel": {"id": "3", "type": 1, "recipients": [READER], "last_message_id": "9"},
           "message": MESSAGE, "locale": "en-GB", "entitlements": [],
           "authorizing_integration_owners": {}, "app_permissions": "0",
           "attachment_size_limit": 10485760, "data": {"component_type": 2, "custom_id": "forget:all", "id": 2}}


async def press():
    async with discord.Client(intents=discord.Intents.none()) as client:
        client.add_dynamic_items(ForgetOne, ForgetAll)
        client._connection.parse_interaction_create(PRESSED)  # as the gateway's event does
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=10)


asyncio.run(press())
print("seen:    pressing forget:all runs the callbacks of", " and ".join(sorted(ran)))
print("source:  discord/ui/view.py, ViewStore.dispatch_dynamic_items: a task for each template that matches, then the")
print("         views' own items as well")
if sorted(ran) != ["ForgetAll", "ForgetOne"]:
    sys.exit("This is no longer so.")
PYTHON
