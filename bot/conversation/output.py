"""What the model may not smuggle out: its text is made safe to show while it streams.

The text passes three filters, each of which holds back only what the next characters may still change: a line's first
128 characters, an address, and an inline code with something in it that would be harmful outside of code. Cutting the
stream elsewhere never changes the result, and the time grows with the length alone.

1. Characters: control, direction and invisible characters go, line separators become line breaks, marks
   are limited to 8 a letter. An answer in which nothing can be seen is empty.
2. The beginning: a label (`NAME:`) at the very start is dropped, unless the question speaks of that person: then a
   dialogue may begin there, or a list.
3. Text, but not code, which stays as it is. An answer speaks for nobody else: where a later line does, it ends.
   Template tags and special tokens read with other brackets, mentions and small print (`-# `, which is what notices
   are written in) get an invisible blank, invites a bracketed dot, and a masked link a blank before its target, so
   that Discord shows where it leads.

`character_filter` is the first of them, and `text_filter` the third.
"""

import re
from collections.abc import Iterable

from bot.conversation.character_filter import MAX_UNSEEN, CharacterFilter
from bot.conversation.markup import label_at, may_become_label, name_key
from bot.conversation.sanitize import DEFAULT_OWN_NAME, TemplateTags, has_visible_text, speaker_name
from bot.conversation.text_filter import TextFilter, speaks_of

_BLANKS = re.compile(r"\s*")
_BLANKS_AND_MARKS = re.compile(r"[\s*_]*")


class OutputFilter:
    """Filters one answer as it streams: `feed` each piece of text, then `finish`.

    Args:
        tags: the spellings of structure in the model's chat format.
        names: the people in the conversation, for whom the answer may not speak.
        own_name: the name whose label is dropped at the answer's start.
        question: what was asked; an answer may write lines for those whom it speaks of.
    """

    def __init__(
        self, tags: TemplateTags, names: Iterable[str] = (), own_name: str = DEFAULT_OWN_NAME, *, question: str = ""
    ) -> None:
        people = {speaker_name(name, own_name) for name in names} | set(names)
        self._characters = CharacterFilter()
        unasked = {name for name in people if not speaks_of(question, name)}
        self._beginning = _Beginning({name_key(name) for name in (*unasked, own_name, "Assistant")} - {""})
        self._text = TextFilter(tags, people, own_name, question)
        self._unseen: str | None = ""
        """What is to be shown before the first character that can be seen; None from that on."""

    @property
    def is_cut(self) -> bool:
        """The answer ended at a forged speaker's line: nothing that is fed from now on will be shown."""
        return self._text.is_cut

    @property
    def is_doubtful(self) -> bool:
        """The line at which it was cut may have been meant well."""
        return self._text.is_doubtful

    def feed(self, text: str) -> str:
        """Take in a piece of the model's text; return what can be shown now."""
        return self._visible(self._text.feed(self._beginning.feed(self._characters.feed(text))))

    def finish(self) -> str:
        """The rest that was held back."""
        text = self._beginning.feed(self._characters.feed("", is_last=True), is_last=True)
        return self._visible(self._text.feed(text, is_last=True))

    def _visible(self, text: str) -> str:
        """Hold `text` back as long as a reader would see nothing: the line that was visible may have been cut off."""
        if self._unseen is None:
            return text
        text = self._unseen + text
        if has_visible_text(text) or len(text) > MAX_UNSEEN:
            self._unseen = None
            return text
        self._unseen = text
        return ""


class _Beginning:
    """Drops blanks, and labels such as `Trinity:`, before the answer's first words."""

    def __init__(self, keys: set[str]) -> None:
        self._keys = keys
        self._held: str | None = ""
        self._skipped = _BLANKS

    def feed(self, text: str, *, is_last: bool = False) -> str:
        if self._held is None:
            return text
        text = _without(self._skipped, self._held + text)
        while (label := label_at(text, 0)) is not None and label.key in self._keys and not label.lead:
            head = text[: label.colon_at].strip()
            self._skipped = _BLANKS_AND_MARKS if head != head.strip("*_") else _BLANKS
            text = _without(self._skipped, text[label.end :])
        self._held = text
        if not is_last and (not text or may_become_label(text, self._keys)):
            return ""
        self._held = None
        return text


def _without(skipped: re.Pattern[str], text: str) -> str:
    match = skipped.match(text)
    return text[match.end() :] if match else text
