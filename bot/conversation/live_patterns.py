"""Patterns for what does something outside of code where a chat shows it: tags, mentions, links, invites."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.conversation.invites import LONG_HOSTS, SHORT_HOSTS
from bot.conversation.sanitize import TemplateTags

_SCHEME = r"[a-z][a-z0-9+.\-]{1,20}"
_GAP = r"[\s<\\]{0,64}"
_WIDE = {chr(0xFF41 + index): letter for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_WIDE |= {chr(0xFF21 + index): letter for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_WIDE |= {chr(0x24D0 + index): letter for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_WIDE |= dict.fromkeys("\uff0e\u3002\uff61\u2024", ".") | {"\uff0f": "/"}


def _in_any_width(host: str) -> str:
    """A pattern for `host`, also in full-width and circled letters, its dot also escaped."""
    return "".join(_elements(host))


def _begun_in_any_width(host: str) -> str:
    """A pattern for everything that `host` begins with, written in the same ways."""
    pattern = ""
    for element in reversed(_elements(host)):
        pattern = element + (f"(?:{pattern})?" if pattern else "")
    return pattern


def _elements(host: str) -> list[str]:
    """Patterns for the letters of `host` and its dot; a backslash may stand before and behind that."""
    elements: list[str] = []
    for letter in host:
        pattern = f"[{re.escape(letter)}{''.join(wide for wide, plain in _WIDE.items() if plain == letter)}]"
        elements += [r"\\?", pattern, r"\\?"] if letter == "." else [pattern]
    return elements


_SLASH = "[\\\\/\uff0f]"
_DOT = "[.\uff0e\u3002\uff61\u2024]"
ANY_DOT = re.compile(_DOT)
_SHORT_INVITE = "|".join(map(_in_any_width, SHORT_HOSTS))
_LONG_INVITE = "|".join(map(_in_any_width, LONG_HOSTS))
_MAX_UNSURE = 120


@dataclass(frozen=True, slots=True)
class LivePatterns:
    """What has to be found in an answer, with the tags and control tokens of its chat format."""

    special: re.Pattern[str]
    """What may be live; the name of the group says what it is."""
    unsure: re.Pattern[str]
    """What may become live with the characters that follow, at the end of the text."""
    address: re.Pattern[str]
    """An address behind its scheme. Tags don't end it, since what is shown in their place doesn't."""
    tag_or_token: re.Pattern[str]
    tag_begun: re.Pattern[str]
    inert: Mapping[str, str]
    """What is shown in the place of each tag and each token."""

    def num_unsure(self, text: str, start: int) -> int:
        """How many characters at the end of `text`, from `start` on, may become live with those that follow."""
        match = self.unsure.search(text, max(start, len(text) - _MAX_UNSURE))
        return len(text) - match.start() if match else 0


@lru_cache(maxsize=16)
def live_patterns(tags: TemplateTags) -> LivePatterns:
    """The patterns for a chat format. Compiling them takes 50 ms, once in a process."""
    spelled = [*tags.tags, *tags.tokens]
    tag = "|".join(map(re.escape, tags.tags)) or "(?!)"
    token = "|".join(map(re.escape, tags.tokens)) or "(?!)"
    begun = _beginnings({text[:-1] for text in spelled}) or "(?!)"
    hosts_begun = "|".join(map(_begun_in_any_width, (*SHORT_HOSTS, *LONG_HOSTS)))
    hosts = "".join({host[0] for host in (*SHORT_HOSTS, *LONG_HOSTS)})
    first = {*"\n\\`@<-]hH", *hosts, *hosts.upper(), *(wide for wide, plain in _WIDE.items() if plain in hosts)}
    first.update(text[0] for text in spelled)
    # One look at a character is enough for most: it makes a search four times as fast.
    may_begin = f"(?=[{re.escape(''.join(sorted(first)))}])"
    special = (
        r"(?P<line>\n)|(?P<escape>\\[\\`])|(?P<ticks>`{1,3})"
        rf"|(?P<tag>{tag})|(?P<token>{token})|(?P<mention>@(?=(?i:everyone|here))|<@(?=[!&\d]))"
        r"|(?P<small>-(?=#\s))"
        rf"|(?P<link>\](?=\({_GAP}(?i:{_SCHEME}\\?:[^\s:]|[\\/]{{2}})|\([\s<\\]{{65}}))"
        rf"|(?P<address>(?i:https?):(?=[\\/]))"
        rf"|(?P<invite>(?i:(?:{_SHORT_INVITE}){_DOT}?{_SLASH}"
        rf"|(?:{_LONG_INVITE}){_DOT}?{_SLASH}(?:{_DOT}{{0,2}}{_SLASH}){{0,40}}{_in_any_width('invite')}))"
    )
    unsure = (
        rf"(?:\\|`+|{begun}|<@?"
        r"|@(?i:e(?:v(?:e(?:r(?:y(?:on?)?)?)?)?)?|h(?:er?)?)?|-#?"
        rf"|\](?:\((?:{_GAP}(?:[\\/]|(?i:[a-z][a-z0-9+.\-]{{0,20}}\\?:?))?)?)?"
        r"|(?i:h(?:t(?:t(?:ps?:?)?)?)?)"
        rf"|(?i:{hosts_begun})"
        rf"|(?i:(?:{_LONG_INVITE}){_DOT}?(?:{_SLASH}(?:{_DOT}|{_SLASH}){{0,40}})?\w{{0,5}})"
        rf"|(?i:(?:{_SHORT_INVITE}){_DOT}?))\Z"
    )
    return LivePatterns(
        re.compile(f"{may_begin}(?:{special})", re.ASCII),
        re.compile(f"{may_begin}{unsure}", re.ASCII),
        re.compile(rf"(?:[^\s<>\"]++|{tag}|{token})*+"),
        re.compile(rf"(?P<tag>{tag})|(?P<token>{token})"),
        re.compile(rf"(?:{begun})\Z"),
        {text: tags.neutralise_tokens(tags.neutralise(text)) for text in spelled},
    )


def _beginnings(texts: Collection[str]) -> str:
    """A pattern for everything that one of `texts` begins with, the longest first."""
    rests: dict[str, set[str]] = {}
    for text in texts:
        if text:
            rests.setdefault(text[0], set()).add(text[1:])
    return "|".join(
        re.escape(first) + (f"(?:{_beginnings(rest)})?" if any(rest) else "") for first, rest in sorted(rests.items())
    )
