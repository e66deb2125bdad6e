"""The bot on Discord: events come in, requests go out, and discord.py is kept from breaking over either.

To read it, in a message's order: `run` (one client after the other), `client` (each event and the part that gets it),
`receivers` (those parts), `intake` (a message becomes a question), `messages` and `mentions` (how a message is read),
`access` (whether its author may ask there; commands and clicks are checked there too), `guild_watch` (guilds left),
`lost_channels` (channels deleted meanwhile), `changes` and `recent_changes` (edits and deletions), `gate`, `seen` and
`catch_up` (what was missed meanwhile), `rest` (the requests, a `Transport` of `bot.delivery`).

More about questions: `listening` (without a mention), `pastes` (in several messages), `attached_files` and
`attachments` (with text files). The slash commands: `commands`, `interaction_requests` (an interaction's answers),
`command_replies`, `interaction_answers` (an answer in such a reply), `card_files`, `markdown`, `registration`,
`translator` and `languages`. Buttons and forms: `components`
and `forms` (how they are written down), `clicks` (what a click takes), `buttons` (below answers), `asked_about`. The
connection: `connection`, `session_starts`, `proxy`, `clock`, `presence`; several of them: `sharding`,
`identify_turns`, `gateway_limits`. Payloads before discord.py parses them:
`event_guard`, `payloads`, `payload_shapes`. Links to messages: `links`.
"""
