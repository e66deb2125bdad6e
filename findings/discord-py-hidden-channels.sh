#!/bin/sh
# discord.py 2.7.1 can't build a voice or stage channel that the bot can't see, as Discord sends it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "discord.py==2.7.1"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import discord

print("about:   the channels of a server that the bot can't see")
print("version: discord.py", discord.__version__)
print("guess:   a channel that isn't visible is built like any other, with defaults for what isn't told")


class Guild:
    id = 1


hidden = {"id": "2", "position": 0, "parent_id": None, "name": "___hidden___", "flags": 1 << 17}
kinds = [("text", 0, discord.TextChannel), ("category", 4, discord.CategoryChannel), ("forum", 15, discord.ForumChannel),
         ("voice", 2, discord.VoiceChannel), ("stage", 13, discord.StageChannel)]
outcomes = {}
for name, number, kind in kinds:
    try:
        kind(state=None, guild=Guild(), data={**hidden, "type": number})
        outcomes[name] = "built"
    except KeyError as error:
        outcomes[name] = f"KeyError: {error}"
print("seen:   ", outcomes)
print("source:  Discord's documentation of channels that an app can't see (discord-api-docs, pull request 8454): since")
print("         16 November 2026 they come with the name ___hidden___ and flag 1 << 17, and only id, type, position")
print("         and parent_id may be relied on. discord/channel.py reads bitrate and user_limit without a default.")
missing = "KeyError: 'bitrate'"
expected = {"text": "built", "category": "built", "forum": "built", "voice": missing, "stage": missing}
if outcomes != expected:
    sys.exit("This is no longer so.")
PYTHON
