"""Discord's markdown as far as it decides what a text is: which of it is code, and in whose name a line speaks.

Both directions use it: what people write on its way into a prompt, and what the model writes on its way to people.
Code is what Discord's client shows as code: a fence of three backticks up to the next three (one that is never closed
goes on to the end), and one or two backticks up to as many again, also over lines. Tildes and indentation make none.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_SPAN = 2000
"""A message isn't longer, so no inline code is either."""
MAX_LABEL = 128
"""A label ends within so many characters of its line."""

SPAN = re.compile(rf"(?P<ticks>`++)(?s:.{{0,{MAX_SPAN}}}?)[^`](?P=ticks)(?!`)")
"""Inline code, from its first backtick to its last. Where as many don't follow it tries fewer; that is text here."""
# A block has to hold something: the three backticks right behind the opening ones don't close it.
_FENCE = r"```(?:(?:[A-Za-z0-9_+\-.#]+\n)?\n*[^\n](?s:.*?)```|(?s:.*))"
_CODE = re.compile(rf"\\[\\`]|(?P<fence>{_FENCE})|(?P<span>{SPAN.pattern})")

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""For a character class: what takes no ink, Unicode's default ignorable characters and the blank of Braille."""

_COLONS = ":\uff1a\ufe55\ufe13\ufe30\u2236\u205a\ua789\ua4fd\u02f8\u0589\u05c3"
_BLANK = rf"(?:[^\S\n]|[{INVISIBLE}])"
_BLANKS = re.compile(rf"{_BLANK}+")
_LEAD = re.compile(rf"(?:{_BLANK}|>|[-*+\u2022\u2023\u2013\u2014]{_BLANK}|\d{{1,3}}[.)]{_BLANK})*+")
_DATE = rf"\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}},?(?:T|{_BLANK}{{1,2}})"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:\ ?[AaPp][Mm])?"
_TIME = re.compile(rf"[\[(<]?(?:{_DATE})?{_CLOCK}[\])>]?(?:{_BLANK}|[-\u2013\u2014])*+")
_TIME_OR_NUMBER_BEGUN = re.compile(
    rf"[\[(<]?(?:\d{{0,3}}(?:[.)]|:\d{{0,2}}(?::\d{{0,2}})?\ ?[AaPp]?[Mm]?[\])>]?)?"
    rf"|\d{{1,4}}(?:[-./]\d{{0,2}}(?:[-./](?:\d{{0,4}}|\d{{1,4}},?(?:T|{_BLANK}{{0,2}})"
    rf"(?:\d{{0,2}}|\d{{1,2}}:\d{{0,2}}(?::\d{{0,2}})?\ ?[AaPp]?[Mm]?[\])>]?))?)?)?)"
)
_TIME_BEHIND = rf"(?:{_BLANK}++[\[(<]?|[\[(<]){_CLOCK}[\])>]?[*_~|]*{_BLANK}*"
_HEAD = re.compile(rf"(?P<head>[^\n{_COLONS}]+?)(?:{_TIME_BEHIND})?(?P<colon>[{_COLONS}])")
_HEAD_AND_TIME_BEGUN = re.compile(
    rf"(?P<head>[^\n{_COLONS}]+?)(?:{_BLANK}++[\[(<]?|[\[(<])"
    rf"(?:\d{{1,2}}(?::\d{{0,2}}(?::\d{{0,2}})?\ ?[AaPp]?[Mm]?[\])>]?[*_~|]*{_BLANK}*)?)?"
)
_HAS_COLON = re.compile(rf"[^\n{_COLONS}]*+[{_COLONS}]")
_NEVER_BEFORE_A_NAME = frozenset("\"'\u201c\u201d\u2018\u2019\u201e\u00ab`@$\\")
_LOOK_ALIKES = str.maketrans(
    "01l|35" + "аеорсухіјѕтнкмвԁ" + "αεικνορτυχ",
    "oiiies" + "aeopcyxijsthkmbd" + "aeiknoptyx",
)
INERT_COLON = "\u02d0"
"""Looks like a colon, is one in no normal form, and costs a single token."""


@dataclass(frozen=True, slots=True)
class Label:
    """The beginning of a line that may say who speaks in it: `Alice:`, `> Alice:`, `[Alice]:`, `**Alice**:`."""

    key: str
    """Whose name it is; compare it with `name_key`."""
    lead: str
    """What makes the line a part of a list or a quotation; "" where nothing does."""
    colon_at: int
    end: int


def code_stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where code begins and ends in a whole text, its backticks included."""
    if "`" not in text:
        return iter(())
    return (match.span() for match in _CODE.finditer(text) if match["fence"] or match["span"])


def stretches(text: str) -> Iterator[tuple[str, bool]]:
    """`text` piece by piece, each with whether it is code."""
    place = 0
    for start, end in code_stretches(text):
        if start > place:
            yield text[place:start], False
        yield text[start:end], True
        place = end
    if place < len(text):
        yield text[place:], False


@lru_cache(maxsize=1024)
def name_key(name: str) -> str:
    """What a reader sees of a name at a glance: letters and digits, without case, accents, width and look-alikes.

    Of a name without letters and digits, its characters.
    """
    plain = unicodedata.normalize("NFKD", name.replace("||", "")).casefold().translate(_LOOK_ALIKES)
    return "".join(filter(str.isalnum, plain)) or re.sub(rf"[\s{INVISIBLE}*_~|#>\[\](){{}}<-]", "", plain)


def label_at(text: str, place: int) -> Label | None:
    """What stands before the first colon of the line that begins at `place`, if it may be somebody's label.

    Quoted names (as in JSON) and those that are addressed (`@Alice:`) are none.
    """
    line = text[place : place + MAX_LABEL]
    if not _HAS_COLON.match(line):
        return None
    lead = _end(_LEAD, line, 0)
    start = _end(_TIME, line, lead)
    match = _HEAD.match(line, start) or _HEAD.match(line, lead)
    if match is None or not _may_begin_name(match["head"]):
        return None
    mark = _BLANKS.sub("", line[:lead])
    return Label(name_key(match["head"]), mark, place + match.start("colon"), place + match.end())


def may_become_label(line: str, keys: Collection[str]) -> bool:
    """Whether `line`, the beginning of a line, can grow into the label of one of `keys`."""
    if len(line) >= MAX_LABEL or "\n" in line:
        return False
    lead = _end(_LEAD, line, 0)
    rest = line[lead:]
    if _TIME_OR_NUMBER_BEGUN.fullmatch(rest) or rest.strip("-*+\u2022\u2023\u2013\u2014 ") == "":
        return True
    rest = rest[_end(_TIME, rest, 0) :]
    if not rest:
        return True
    if not _may_begin_name(rest):
        return False
    if (begun := _HEAD_AND_TIME_BEGUN.fullmatch(rest)) is not None and name_key(begun["head"]) in keys:
        return True
    shown = name_key(rest.strip("|"))
    may_be_name = not any(map(str.isalnum, rest)) or any(key.startswith(shown) for key in keys)
    return may_be_name and not any(colon in rest for colon in _COLONS)


def without_labels(text: str, names: Collection[str]) -> str:
    """`text` in which no line but the first speaks for one of `names`: such a label gets a colon that is none.

    Code, quotations and lists stay as they are, since a line of those is no speaker's line in a prompt.
    """
    if "\n" not in text:
        return text
    keys = {name_key(name) for name in names} - {""}
    code = [*code_stretches(text)]
    pieces: list[str] = []
    end = 0
    for start in (match.end() for match in re.finditer(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)):
        label = label_at(text, start)
        if label is None or label.lead or label.key not in keys or label.colon_at < end:
            continue
        if any(begin < label.end and start < stop for begin, stop in code):
            continue
        pieces += text[end : label.colon_at], INERT_COLON
        end = label.colon_at + 1
    return "".join(pieces) + text[end:]


def _may_begin_name(head: str) -> bool:
    shown = head.lstrip("[](){}<>*_~#-+ \t")
    return not shown or shown[0] not in _NEVER_BEFORE_A_NAME


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place
