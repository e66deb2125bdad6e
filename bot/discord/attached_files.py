"""Questions with text files: the files are read before the question is committed, and put below its words."""

from dataclasses import replace

import discord

from bot.chat.chat import Chat
from bot.conversation.messages import Question
from bot.conversation.sanitize import has_visible_text
from bot.conversation.text_files import Cut, TextFile, attached, file_name
from bot.discord.attachments import AttachmentReader, Unread
from bot.discord.markdown import escape_markdown
from bot.discord.messages import named_in, text_files_in
from bot.errors import RequestFailed
from bot.words import Phrase, joined, phrase


class AttachedFiles:
    """Reads the files of a message and has them cut to what the model can read."""

    def __init__(self, chat: Chat, reader: AttachmentReader) -> None:
        self._chat = chat
        self._reader = reader

    async def add_to(self, message: discord.Message, question: Question) -> tuple[Question, list[Phrase]]:
        """The question with the message's text files, and notes on what isn't in it.

        Raises:
            RequestFailed: the files were all that there is, and none of them can be read.
        """
        if not text_files_in(message):
            return question, []
        results = await self._reader.read(text_files_in(message))
        files = [each for each in results if isinstance(each, TextFile)]
        unread = [each for each in results if isinstance(each, Unread)]
        words = question.content
        if not files and not has_visible_text(words):
            raise RequestFailed(joined([each.note for each in unread]))
        # With the words, what else is attached is named already.
        above = [words or named_in(message), attached([each.name for each in unread])]
        content, cuts = await self._chat.with_files("\n\n".join(filter(None, above)), files)
        guesses = [_guess_note(each) for each in files if each.guessed_encoding]
        notes = [*(each.note for each in unread), *guesses, *map(_cut_note, cuts)]
        return replace(question, content=content), notes


def _guess_note(file: TextFile) -> Phrase:
    name = escape_markdown(file_name(file.name))
    return phrase("file_guessed", name=name, encoding=file.guessed_encoding)


def _cut_note(cut: Cut) -> Phrase:
    name = escape_markdown(cut.name)
    return phrase(
        "file_cut" if cut.is_lines else "file_cut_in_line", name=name, num_kept=cut.num_kept, num_all=cut.num_all
    )
