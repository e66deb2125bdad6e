"""The names and descriptions of the slash commands in other languages, for Discord, which shows each person theirs.

Discord looks at no name before the commands are registered, and refuses all of them for one that breaks its rules;
discord.py gives up as soon as a translator raises. So the rules are checked by tests, and nothing is raised here.
"""

from collections.abc import Mapping
from functools import cache

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation, TranslationContextTypes

from bot.words import ENGLISH, Phrase, Sentence, language_of, sentences


class Translator(app_commands.Translator):
    """Looks words up in words.toml.

    A description is a phrase already, but for an option's, of which discord.py makes a plain text: that is looked up
    by its English. A name is looked up as `/persona use` for a command and as `name:` for an option, since discord.py
    wants the English one where the command is written.
    """

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: TranslationContextTypes
    ) -> str | None:
        """A text in a language; None where that is the English one, or the file has no other."""
        language = language_of(locale)
        if language == ENGLISH:
            return None
        said = _said(string.message, language, context)
        return said if said != string.message else None


def _said(text: str, language: str, context: TranslationContextTypes) -> str | None:
    if isinstance(text, Phrase):
        return text.to(language)
    match context.location:
        case TranslationContextLocation.command_name | TranslationContextLocation.group_name:
            key = f"/{context.data.qualified_name}"
        case TranslationContextLocation.parameter_name:
            key = f"{text}:"
        case TranslationContextLocation.parameter_description:
            return _by_english().get(text, {}).get(language)
        case _:
            return None
    return sentences().get(key, {}).get(language)


@cache
def _by_english() -> Mapping[str, Sentence]:
    return {sentence[ENGLISH]: sentence for sentence in sentences().values()}
