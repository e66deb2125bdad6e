"""What the model may not smuggle out: its text is made safe to show while it streams.

The text passes three filters, each of which holds back only what the next characters may still change, at most a line's
first 64 characters. Cutting the stream elsewhere never changes the result, and the time grows with the length alone.

1. Characters: control, direction and invisible characters go, line separators become line breaks, marks
   are limited to 8 a letter.
2. Speakers: an answer speaks for nobody else. At its very start a label (`NAME:`) is dropped. At the start of a later
   line, outside code blocks, the label of a participant or of a role (User, Human, Assistant, System) ends the answer.
3. Spellings: template tags and special tokens read with other brackets, mentions and small print (`-# `, which is what
   notices are written in) get an invisible blank, invites a bracketed dot, and a masked link a blank before
   its target, so that Discord shows where it leads.
"""

import re
import unicodedata
from collections.abc import Iterable

from bot.chat.sanitize import DEFAULT_OWN_NAME, ROLE_NAMES, has_visible_text, neutralise, repair, speaker_name

__all__ = ["OutputFilter", "has_visible_text"]

_LINE_BREAKS = str.maketrans(dict.fromkeys("\x0b\x0c\x85\u2028\u2029", "\n"))
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\r"  # C0 and C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction
    "\u200b\u2060-\u2064\ufeff"  # blanks without width; the joiners stay, since emoji and Persian need them
    "\u00ad\u180e\ufff9-\ufffb\U000e0000-\U000e00ff]"  # soft hyphens, annotations, and tags, which can spell a text
)
_MAX_MARKS = 8

_LABEL_MARKS = " \t*_"
_MAX_LABEL_LENGTH = 64
_HEAD = re.compile(rf"(?P<head>[^\n:：`]{{1,{_MAX_LABEL_LENGTH}}})[:：]")
_LINE = re.compile(rf"(?P<fence>(?<!`)`{{3,}})|(?<=\n){_HEAD.pattern}")
_LABEL_END = re.compile("[:：`]")
_BLANKS = re.compile(r"\s*")
_BLANKS_AND_MARKS = re.compile(r"[\s*_]*")

_ZERO_WIDTH_SPACE = "\u200b"
_INVITES = (
    *("discord.gg/", "discord.com/invite", "discordapp.com/invite", "discord.me/", "discord.io/", "discord.li/"),
    *("dsc.gg/", "invite.gg/"),
)
_SPELLINGS = (
    *("[inst]", "[/inst]", "<<sys>>", "<</sys>>", "<s>", "</s>", "<unk>"),
    *("@everyone", "@here", "<@?", "](?", "-#?"),  # ? stands for the one character that has to be seen too
    *_INVITES,
)
_BEGINNINGS = frozenset(spelling[:length] for spelling in _SPELLINGS for length in range(1, len(spelling)))
_MAX_BEGINNING = max(map(len, _BEGINNINGS))
_SPELLING = re.compile(
    r"(?P<tag>\[/?inst\]|<</?sys>>)|(?P<token><(?:/?s|unk)>)|(?P<mention>@(?=everyone|here)|<@(?=[!&\d]))"
    r"|(?P<small>-(?=#\s))"
    rf"|(?P<link>\](?=\([^)]))|(?P<invite>{'|'.join(map(re.escape, _INVITES))})",
    re.IGNORECASE | re.ASCII,
)


class OutputFilter:
    """Filters one answer as it streams: `feed` each piece of text, then `finish`.

    Args:
        names: the people in the conversation, for whom the answer may not speak.
        own_name: the name whose label is dropped at the answer's start.
    """

    def __init__(self, names: Iterable[str] = (), own_name: str = DEFAULT_OWN_NAME) -> None:
        self._characters = _Characters()
        self._speakers = _Speakers({speaker_name(name, own_name) for name in names}, own_name)
        self._spellings = _Spellings()

    @property
    def is_cut(self) -> bool:
        """The answer ended at a forged speaker's line: nothing that is fed from now on will be shown."""
        return self._speakers.is_cut

    def feed(self, text: str) -> str:
        """Take in a piece of the model's text; return what can be shown now."""
        return self._spellings.feed(self._speakers.feed(self._characters.feed(text)))

    def finish(self) -> str:
        """The rest that was held back."""
        return self._spellings.feed(self._speakers.finish()) + self._spellings.finish()


class _Characters:
    def __init__(self) -> None:
        self._num_marks = 0

    def feed(self, text: str) -> str:
        text = _INVISIBLE.sub("", repair(text).translate(_LINE_BREAKS))
        if text.isascii():
            self._num_marks = 0 if text else self._num_marks
            return text
        return "".join(filter(self._is_kept, text))

    def _is_kept(self, character: str) -> bool:
        category = unicodedata.category(character)
        if category[0] == "M":
            self._num_marks += 1
        elif category != "Cf":  # a joiner between marks starts no new letter
            self._num_marks = 0
        return self._num_marks <= _MAX_MARKS or category == "Cf"


class _Speakers:
    def __init__(self, names: set[str], own_name: str) -> None:
        self.is_cut = False
        self._own_label = _label(own_name)
        self._labels = {_label(name) for name in (*names, *ROLE_NAMES, own_name)} - {""}
        self._before = "\n"
        """The character before `_held`: after a line break a line starts, after a backtick a run of them goes on."""
        self._held = ""
        self._is_fenced = False
        self._is_start = True
        self._skipped = _BLANKS
        """What is left out at the answer's start."""

    def feed(self, text: str, *, is_last: bool = False) -> str:
        if self.is_cut:
            return ""
        text = self._held + text
        text = self._before + (self._without_labels(text) if self._is_start else text)
        shown_until = self._forged_line(text)
        self.is_cut = shown_until is not None
        if shown_until is None:
            shown_until = len(text) - (0 if is_last else self._num_unsure(text))
        self._before, self._held = text[shown_until - 1], text[shown_until:]
        self._is_start = self._is_start and shown_until == 1
        return text[1:shown_until]

    def finish(self) -> str:
        return self.feed("", is_last=True)

    def _without_labels(self, text: str) -> str:
        """The answer's beginning without blanks and labels before it."""
        position = _end(self._skipped, text, 0)
        while (match := _HEAD.match(text, position)) and _label(match["head"]) in self._labels:
            has_marks = match["head"].strip() != match["head"].strip(_LABEL_MARKS)
            self._skipped = _BLANKS_AND_MARKS if has_marks else _BLANKS
            position = _end(self._skipped, text, match.end())
        return text[position:]

    def _forged_line(self, text: str) -> int | None:
        """Where a line begins that speaks for someone else. `text` has one character before it that was dealt with."""
        for match in _LINE.finditer(text, 1):
            if match["fence"]:
                self._is_fenced = not self._is_fenced
            elif not self._is_fenced and (label := _label(match["head"])) in self._labels and label != self._own_label:
                return match.start()
        return None

    def _num_unsure(self, text: str) -> int:
        """How many characters at the end may become a label or a code fence with those that follow."""
        num_backticks = len(text) - len(text.rstrip("`"))
        if num_backticks:
            return num_backticks if num_backticks < 3 and num_backticks < len(text) else 0
        line = text[text.rfind("\n", -_MAX_LABEL_LENGTH - 1) + 1 :]
        is_line = len(line) < len(text) and len(line) <= _MAX_LABEL_LENGTH and not _LABEL_END.search(line)
        if self._is_fenced or not is_line:
            return 0
        beginning = _label(line)
        return len(line) if any(label.startswith(beginning) for label in self._labels) else 0


class _Spellings:
    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        shown: list[str] = []
        position = 0
        for match in _SPELLING.finditer(text):
            shown += text[position : match.start()], _inert(match)
            position = match.end()
        end = len(text) - _num_begun(text[position:][-_MAX_BEGINNING:])
        self._held = text[end:]
        return "".join(shown) + text[position:end]

    def finish(self) -> str:
        return self._held


def _label(head: str) -> str:
    return head.strip(_LABEL_MARKS).casefold()


def _end(skipped: re.Pattern[str], text: str, position: int) -> int:
    match = skipped.match(text, position)
    return match.end() if match else position


def _num_begun(tail: str) -> int:
    """The length of the longest end of `tail` that a spelling begins with."""
    folded = tail.lower()
    return next((length for length in range(len(tail), 0, -1) if folded[-length:] in _BEGINNINGS), 0)


def _inert(match: re.Match[str]) -> str:
    text = match[0]
    match match.lastgroup:
        case "tag":
            return neutralise(text)
        case "token":
            return f"‹{text[1:-1]}›"
        case "mention" | "small":
            return text + _ZERO_WIDTH_SPACE
        case "link":
            return "] "
        case _:
            return text.replace(".", "[.]", 1)
