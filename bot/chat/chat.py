"""The use cases: answer a question, reset a conversation, choose a persona. Every front end goes through here."""

from bot.chat.events import Finished, Notice, ReplyEvent, TextDelta

__all__ = ["Finished", "Notice", "ReplyEvent", "TextDelta"]
