"""The pass over an answer's text: lines that speak for somebody, code, and what is live outside of code.

Who speaks in a line: a participant's label, in whatever spelling, ends the answer. The name of a role (User, Human,
Assistant, System) does so only where it would go on with the conversation; an answer may list the roles, or write the
dialogue that it was asked for: where the line before announces it (it ends with a colon, or is a heading), where the
question speaks of that role, or where the answer begins with it. So may the names of participants that stand in the
question, where they are announced or the answer begins with one. `is_doubtful` says of a cut that it may have hit such
a text all the same.
"""

import re
from collections.abc import Collection

from bot.conversation.invites import MAX_ADDRESS, authority_end, may_be_invite, normal_host
from bot.conversation.live_patterns import ANY_DOT, live_patterns
from bot.conversation.markup import MAX_LABEL, SPAN, Label, label_at, may_become_label, name_key
from bot.conversation.sanitize import ROLE_NAMES, TemplateTags

_TRUSTED_SPAN = 900
"""In a longer inline code what would be harmful outside is made harmless too: the code may be cut in two by a split."""
_DISTRUST = 2000
"""Behind a backtick that was not closed in time, so much text is taken for no code, whatever stands in it."""

_WITHIN_UNSURE = frozenset({"line", "escape"})
_ZERO_WIDTH_SPACE = "\u200b"
_ANNOUNCING = re.compile(r"(?:[:\uff1a][\s*_~)\"\u201d]*|\A\s*#{1,3}\s[^\n]*|\A\s*(?:\*\*|__)[^\n]*(?:\*\*|__)\s*)\Z")
_OUTER_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<rest>[^\n]*)")
_FENCE_BEGUN = re.compile(r" {0,3}(?:`*|~*)[ \t]*")
_NEWLINES = re.compile(r"\n+")
_FENCES = re.compile("(?:```)+")
_FENCE_HEAD = re.compile(r"[A-Za-z0-9_+\-.#]*")


class TextFilter:
    """The one pass over what the model says: lines that speak for somebody, code, and what is live outside of code."""

    def __init__(
        self,
        tags: TemplateTags,
        people: set[str],
        own_name: str,
        question: str,
        *,
        roles: Collection[str] = ROLE_NAMES,
    ) -> None:
        self._patterns = live_patterns(tags)
        self.is_cut = False
        self.is_doubtful = False
        own = {name_key(own_name), ""}
        self._people = {name_key(name) for name in people} - own
        self._roles = {name_key(name) for name in roles} - own - self._people
        self._keys = self._people | self._roles
        # Names that the question speaks of: it may have asked for a dialogue between them.
        self._asked = {name_key(name) for name in (*people, *roles) if speaks_of(question, name)}
        self._may_roles_speak = False
        self._may_asked_speak = False
        self._held = ""
        self._num_shown = 0
        """How much of the beginning of `_held` was shown already, because it is the same whatever follows."""
        self._is_first = True
        self._at_line = True
        self._line = ""
        """The last line that holds anything, as far as it was read."""
        self._is_new_line = True
        self._fence = ""
        """Inside a code block: "head", "blank" or "body"."""
        self._outer_fence = ""
        """A fence as the model may mean it, of more backticks or of tildes: its labels aren't anybody's."""
        self._distrust = 0
        self._is_distrusted_fence = False
        self._buffer, self._place, self._skip = "", 0, 0
        self._shown: list[str] = []
        self._is_last = False

    def feed(self, text: str, *, is_last: bool = False) -> str:
        if self.is_cut:
            return ""
        self._is_last = is_last
        self._buffer, self._place = self._held + text, 0
        self._shown = []
        self._skip, self._num_shown = self._num_shown, 0
        while not self.is_cut and self._place < len(self._buffer) and self._advance():
            pass
        self._held = self._buffer[self._place :]
        return "".join(self._shown)

    def _advance(self) -> bool:
        """Deal with the next stretch of the buffer; False where more text is needed first."""
        if self._fence:
            return self._advance_in_fence()
        if self._at_line and not self._begin_line():
            return False
        if self.is_cut:
            return False
        match = self._patterns.special.search(self._buffer, self._place)
        if match is None or match.lastgroup in _WITHIN_UNSURE:
            # What follows may still make one of a longer stretch: a line's end stands within a masked link.
            sure_end = len(self._buffer) - self._num_unsure(self._place)
            if match is None or sure_end < match.start():
                return self._take_plain(sure_end)
        return self._advance_over(match)

    def _advance_over(self, match: re.Match[str]) -> bool:
        """Deal with the plain text before a match, and with the match; False where more text is needed first."""
        match match.lastgroup:
            case "escape":
                self._take(match.end())
            case "address":
                return self._advance_over_address(match)
            case "tag" | "token" | "mention" | "link" | "invite":
                self._replace(match.start(), match.end(), self._inert(match))
            case "line":
                self._take_plain(match.start())
                self._take(match.end())
                self._at_line = True
                self._is_new_line = True
            case "ticks":
                self._take_plain(match.start())
                return self._advance_over_ticks(match)
            case "small":
                self._take_plain(match.start())
                is_at_line = self._is_new_line or not any(map(str.isalnum, self._line))
                self._take(match.end(), self._inert(match) if is_at_line else None)
        return True

    def _take_plain(self, end: int) -> bool:
        is_moved = end > self._place
        if is_moved:
            self._take(end)
        return is_moved

    def _take(self, end: int, shown: str | None = None) -> None:
        """Go on to `end`, and show the text up to there, or `shown` in its place."""
        text = self._buffer[self._place : end]
        self._show(text if shown is None else shown)
        self._place = end
        self._is_first = False
        if self._distrust:
            self._distrust = max(0, self._distrust - len(text))
        if text and not text.isspace():
            line = text if self._is_new_line else self._line + text
            self._line, self._is_new_line = line[-2 * MAX_LABEL :], False

    def _replace(self, start: int, end: int, shown: str) -> None:
        """Go on to `end`, and show `shown` in place of what begins at `start`."""
        self._take(end, self._buffer[self._place : start] + shown)

    def _show(self, text: str) -> None:
        if self._skip:
            skipped = min(self._skip, len(text))
            self._skip -= skipped
            text = text[skipped:]
        self._shown.append(text)

    # Lines.

    def _begin_line(self) -> bool:
        line = self._buffer[self._place : self._place + MAX_LABEL]
        if not self._is_last and self._may_become_more(line):
            return False
        self._at_line = False
        if match := _OUTER_FENCE.match(line):
            self._note_outer_fence(match["fence"], match["rest"])
        elif not self._outer_fence and not self._is_distrusted_fence:
            label = label_at(self._buffer, self._place)
            if label is not None and label.key in self._keys:
                self.is_cut = not self._may_speak(label)
        return True

    def _may_become_more(self, line: str) -> bool:
        """Whether a line that has begun can still become a label or a fence."""
        return "\n" not in line and (may_become_label(line, self._keys) or _may_become_fence(line))

    def _note_outer_fence(self, fence: str, rest: str) -> None:
        if not self._outer_fence and (len(fence) > 3 or fence[0] == "~"):
            self._outer_fence = fence
        elif self._outer_fence and fence.startswith(self._outer_fence) and not rest.strip():
            self._outer_fence = ""

    def _may_speak(self, label: Label) -> bool:
        is_announced = self._is_first or _ANNOUNCING.search(self._line) is not None
        if label.key in self._roles:
            self._may_roles_speak = self._may_roles_speak or is_announced or label.key in self._asked
            self.is_doubtful = True
            return self._may_roles_speak
        if label.key in self._asked:
            self._may_asked_speak = self._may_asked_speak or is_announced
        self.is_doubtful = is_announced or bool(label.lead) or label.key in self._asked
        return label.key in self._asked and self._may_asked_speak

    # Code.

    def _advance_in_fence(self) -> bool:
        text, place = self._buffer, self._place
        if self._fence == "head":
            end = _FENCE_HEAD.match(text, place, place + MAX_LABEL).end()  # type: ignore[union-attr]
            if end == len(text) and not self._is_last and end - place < MAX_LABEL:
                return False
            is_language = end > place and text[end : end + 1] == "\n"
            if end > place and not is_language:
                self._fence = "body"
            else:
                self._fence = "blank"
            self._take_plain(end)
        elif self._fence == "blank":
            if text[place] == "\n":
                return self._take_plain(_NEWLINES.match(text, place).end())  # type: ignore[union-attr]
            if text[place : place + 3] in ("`", "``") and not self._is_last:
                return False
            if text.startswith("```", place):
                # A block that holds nothing: with some text behind it, Discord takes that for its content.
                self._fence, self._distrust = "", _DISTRUST
                self._take(place + 3)
            else:
                self._fence = "body"
                self._take(place + 1)
        else:
            end = text.find("```", place)
            if end >= 0:
                self._fence = ""
                self._take(end + 3)
            else:
                kept = 0 if self._is_last else len(text) - len(text.rstrip("`"))
                return self._take_plain(len(text) - kept)
        return True

    def _advance_over_ticks(self, match: re.Match[str]) -> bool:
        if len(match[0]) == 3:
            self._advance_over_fences(match)
            return True
        start = match.start()
        if match.end() == len(self._buffer) and not self._is_last:
            return False
        if self._distrust or self._is_distrusted_fence:
            self._take(match.end())
            return True
        span = SPAN.match(self._buffer, start)
        if span is not None and span.end() - start <= _TRUSTED_SPAN:
            if span.end() < len(self._buffer) or self._is_last:
                self._take(span.end())
                return True
        elif span is not None or self._is_last or len(self._buffer) - start > _TRUSTED_SPAN:
            self._take(match.end())
            self._distrust = _DISTRUST
            return True
        self._show_undecided(match.end())
        return False

    def _advance_over_fences(self, match: re.Match[str]) -> None:
        # All at once of a run of them that are distrusted.
        run = _FENCES.match(self._buffer, match.start(), match.start() + self._distrust - 1) or match
        self._take(run.end())
        if not self._distrust and not self._is_distrusted_fence:
            self._fence = "head"
        elif len(run[0]) % 2:
            self._is_distrusted_fence = not self._is_distrusted_fence

    def _show_undecided(self, behind_ticks: int) -> None:
        """Show of what may be inline code as much as would be the same if it were none."""
        end = len(self._buffer) - self._num_unsure(behind_ticks)
        for match in self._patterns.special.finditer(self._buffer, behind_ticks):
            if match.lastgroup in ("escape", "ticks"):
                continue
            if match.lastgroup == "line":
                line = self._buffer[match.end() : match.end() + MAX_LABEL]
                label = label_at(line, 0)
                if not self._may_become_more(line) and (label is None or label.key not in self._keys):
                    continue
            end = min(end, match.start())
            break
        self._shown.append(self._buffer[self._place + self._skip : end])
        self._num_shown = max(self._skip, end - self._place)

    # What is live outside of code.

    def _advance_over_address(self, match: re.Match[str]) -> bool:
        start = match.end()
        address = self._patterns.address.match(self._buffer, start, start + 8 * MAX_ADDRESS)
        end = address.end() if address else start
        raw = self._buffer[start:end]
        # Tags first: a client opens the address as it is shown, and the brackets that replace theirs don't end it.
        rest = self._patterns.tag_or_token.sub(self._inert, raw)
        is_at_end = end == len(self._buffer) or self._patterns.tag_begun.match(self._buffer, end) is not None
        if is_at_end and len(rest) < MAX_ADDRESS and not self._is_last:
            self._take_plain(match.start())
            return False
        if rest != raw:
            self._buffer = self._buffer[:start] + rest + self._buffer[end:]
        rest = rest[:MAX_ADDRESS]
        if host := may_be_invite(rest) and normal_host(rest):
            host_end = authority_end(rest)
            written = rest[:host_end].lstrip("/")
            head, _, tail = (written if written.lower() == host else host).rpartition(".")
            self._replace(match.start(), match.end() + host_end, f"{match[0]}//{head}[.]{tail}")
        elif len(rest) == MAX_ADDRESS == authority_end(rest):
            self._replace(match.start(), match.end(), match[0].replace(":", "[:]"))
        else:
            self._take(match.end())
        return True

    def _inert(self, match: re.Match[str]) -> str:
        text = match[0]
        match match.lastgroup:
            case "tag" | "token":
                return self._patterns.inert[text]
            case "mention" | "small":
                return text + _ZERO_WIDTH_SPACE
            case "link":
                return "] "
            case _:
                return ANY_DOT.sub("[.]", text, count=1)

    def _num_unsure(self, start: int) -> int:
        """How many characters at the end may become something with those that follow."""
        return 0 if self._is_last else self._patterns.num_unsure(self._buffer, start)


def without_live_parts(text: str) -> str:
    """Somebody's words as they may be shown in the bot's name: mentions, invites and masked links are inert."""
    return TextFilter(TemplateTags(()), set(), "", "", roles=()).feed(text, is_last=True)


def speaks_of(question: str, name: str) -> bool:
    """Whether a name stands in the question."""
    return bool(name) and re.search(rf"(?<!\w){re.escape(name)}s?(?!\w)", question, re.IGNORECASE) is not None


def _may_become_fence(line: str) -> bool:
    return len(line) < MAX_LABEL and _FENCE_BEGUN.fullmatch(line) is not None
