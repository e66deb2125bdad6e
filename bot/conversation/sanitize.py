"""What people may not smuggle into a prompt: template tags, broken Unicode, names that speak for someone else.

Which tags there are is the chat format's to say (`TemplateTags`). A tag is what the model was trained to read as one:
its exact spelling, in letters of any width or style, also with invisible characters in it; of Llama-2's, `rows[inst]`,
`<<sys>>` and `[ INST ]` are ordinary text. Tags are made inert by swapping their brackets for others that no normal
form maps back: `[INST]` reads `⟦INST⟧` and `<<SYS>>` reads `«SYS»`. That also holds inside code, the one place where
code is altered: such a tag is text to the tokenizer, so the model can't tell a quoted one from a real one. No letter is
deleted, so whatever is stripped, decoded or normalised later, no tag comes back. Control tokens such as `</s>` need
nothing here, since no text is encoded to them.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache

from bot.conversation.markup import INERT_COLON, INVISIBLE, name_key, without_labels

FALLBACK_NAME = "someone"
MAX_NAME_LENGTH = 32
DEFAULT_OWN_NAME = "Trinity"
_READER = "You"
"""What notes of earlier turns call the bot."""
ROLE_NAMES = ("User", "Human", "Assistant", "System")
"""Names that a model, or a reader, takes for a part of the template rather than for a person."""

_REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# A tag is looked for in a copy of the text, folded character by character so that places stay the same: letters and
# brackets of any width and style become plain ones, and what can't be seen becomes _GAP.
_GAP = "\x00"
_BLANK_LETTERS = "\u115f\u1160\u2581\u2800\u3164\uffa0\ufffd\\"
_UNSEEN = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f{INVISIBLE}]")
_ANY_GAP = r"\0*+"
_NO_WORD_BEFORE = r"(?<!\w)"
_TAG_PARTS = re.compile(r"([\[<|]+)(/?\w+)([\]>|]+)|()(\w+)(:)")
_BRACKETS = {"[": "⟦", "]": "⟧", "<": "«", ">": "»", ":": INERT_COLON}

_NAME_PUNCTUATION = frozenset("[]<>⟦⟧«»‹›`:\ua789\ua4fd\u02d0\u02f8\u2236\u205a\u0589\u05c3" + _BLANK_LETTERS)
_MAX_NAME_MARKS = 2


def repair(text: str) -> str:
    """Replace lone surrogates and NUL by U+FFFD: databases, tokenizers and log files each fail on them differently."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)


@dataclass(frozen=True)
class TemplateTags:
    """The spellings of a chat format's structure, which no text of a person or of the model may be taken for.

    Args:
        tags: text to the tokenizer, structure to the model: brackets, a name and brackets, such as `[/INST]`; or a name
            and a colon, such as `USER:`.
        tokens: how control tokens are spelled, such as `</s>`. No text is encoded to them, so they are made inert only
            where a prompt is written out as a string, and in answers, where a reader may take them for structure.
    """

    tags: tuple[str, ...]
    tokens: tuple[str, ...] = ()

    def clean(self, text: str) -> str:
        """`text` as it may stand in a prompt: repaired, its tags inert, without blanks around it."""
        return self.neutralise(repair(text)).strip()

    def neutralise(self, text: str) -> str:
        """Make every tag in `text` inert; the rest stays as it is.

        Forms in other width, or with invisible characters between, count too. Doing it twice changes nothing more, and
        it takes time in proportion to the text's length.
        """
        if text.isascii() and not any(map(text.__contains__, self._openings)):
            return text
        folded = _folded(text)
        swaps = [
            (*match.span(group), folded[match.start(group) if group == 1 else match.end(group) - 1])
            for tags in self._folded_tags
            for match in tags.finditer(folded)
            for group in (1, 2)
            if match[group]
        ]
        pieces: list[str] = []
        end = 0
        for start, stop, bracket in sorted(swaps):
            pieces += text[end:start], _BRACKETS[bracket], text[start + 1 : stop - 1]
            end = stop
        return "".join(pieces) + text[end:] if pieces else text

    def neutralise_tokens(self, text: str) -> str:
        """Make every spelled control token in `text` inert: `</s>` reads `‹/s›`."""
        return self._spelled_tokens.sub(lambda match: f"‹{match[0].strip('<|>[]')}›", text)

    @cached_property
    def _openings(self) -> tuple[str, ...]:
        return tuple({_parts(tag)[0] or _parts(tag)[1][0] for tag in self.tags})

    @cached_property
    def _folded_tags(self) -> tuple[re.Pattern[str], ...]:
        """Every tag, with its brackets as two groups: one pattern for each kind of brackets, which makes it quick."""
        names: dict[tuple[str, str], list[str]] = {}
        for tag in self.tags:
            first, name, last = (_ANY_GAP.join(map(re.escape, part)) for part in _parts(tag))
            names.setdefault((first, last), []).append(name)
        return tuple(
            re.compile(f"({first or _NO_WORD_BEFORE}){_ANY_GAP}(?:{'|'.join(same)}){_ANY_GAP}({last})")
            for (first, last), same in names.items()
        )

    @cached_property
    def _spelled_tokens(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self.tokens)) or r"(?!)")


def user_text(
    tags: TemplateTags,
    content: str,
    author_name: str | None = None,
    own_name: str = DEFAULT_OWN_NAME,
    others: Collection[str] = (),
) -> str:
    """A user message as the prompt shows it, cleaned: with its author's name before it where several people speak.

    There a later line of it speaks for nobody: not for the author, the bot or one of the `others`.
    """
    if author_name is None:
        return tags.clean(content)
    names = {*others, author_name}
    names |= {speaker_name(name, own_name) for name in names} | {own_name, DEFAULT_OWN_NAME}
    return tags.clean(without_labels(f"{speaker_name(author_name, own_name)}: {repair(content).strip()}", names))


def has_visible_text(text: str) -> bool:
    """Whether a reader sees anything of `text`: it is not all blanks, controls and invisible characters."""
    return any(
        unicodedata.category(character)[0] not in "CZM" and character not in _BLANK_LETTERS for character in set(text)
    )


@lru_cache(maxsize=1024)
def speaker_name(name: str, own_name: str = DEFAULT_OWN_NAME) -> str:
    """`name` as it may stand before a message in a prompt (`NAME: text`).

    One line of at most 32 characters, without brackets, colons, control, direction or invisible characters. A name that
    passes for the bot's own, for a role of a template, or that has nothing to read in it becomes "someone".
    """
    plain = _plain_name(name)
    taken = {name_key(other) for other in (own_name, DEFAULT_OWN_NAME, _READER, *ROLE_NAMES)}
    is_readable = any(unicodedata.category(character)[0] in "LNS" for character in plain)
    return plain if is_readable and name_key(plain) not in taken else FALLBACK_NAME


def _parts(tag: str) -> tuple[str, str, str]:
    """A tag's opening brackets, its name and its closing brackets."""
    parts = _TAG_PARTS.fullmatch(tag)
    if parts is None:
        raise ValueError(f"{tag!r} is no tag: brackets, a name and brackets, or a name and a colon")
    return (parts[1], parts[2], parts[3]) if parts[1] else ("", parts[5], parts[6])


def _folded(text: str) -> str:
    return text.translate({ord(character): _fold(character) for character in set(text)})


def _fold(character: str) -> str:
    if _UNSEEN.match(character):
        return _GAP
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def _plain_name(name: str) -> str:
    whole = unicodedata.normalize("NFKC", repair(name))
    allowed = "".join(" " if character.isspace() else character for character in whole if _may_be_in_name(character))
    kept: list[str] = []
    num_marks = 0
    for character in unicodedata.normalize("NFKC", allowed):
        num_marks = num_marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if num_marks <= _MAX_NAME_MARKS:
            kept.append(character)
    return " ".join("".join(kept).split())[:MAX_NAME_LENGTH].strip()


def _may_be_in_name(character: str) -> bool:
    return character.isspace() or (unicodedata.category(character)[0] != "C" and character not in _NAME_PUNCTUATION)
