"""Links to messages, as each of Discord's programs gives them."""

import pytest

from bot.conversation.messages import ConversationKey
from bot.discord.links import LinkedMessage, message_link, read_message_link


@pytest.mark.parametrize(
    "link",
    [
        "https://discord.com/channels/1/20/300",
        "https://ptb.discord.com/channels/1/20/300",
        "https://canary.discord.com/channels/@me/20/300",
        "https://discordapp.com/channels/1/20/300/",
        " <https://www.discord.com/channels/1/20/300?from=here> \n",
        message_link(ConversationKey("discord", 20, guild_id=1), 300),
        message_link(ConversationKey("discord", 20), 300),
    ],
)
def test_a_link_leads_to_its_message(link: str) -> None:
    assert read_message_link(link) == LinkedMessage(20, 300)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "300",
        "https://discord.com/channels/1/20",
        "https://discord.com/channels/1/20/latest",
        "https://discord.com.example.org/channels/1/20/300",
        "see https://discord.com/channels/1/20/300",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert read_message_link(text) is None
