"""Who is who in a channel: each account has a label of its own there, so that nobody's words pass for another's.

Two people may have the same display name, or names that look alike: the first is `Alice` for the model, the next
`Alice (2)`. A label belongs to an account and a name for as long as the account has said something that is remembered,
over restarts and whatever falls out of the context window. An account that is renamed is one person under its newest
name, in what it said earlier as well; the name it had stays its own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

from bot.conversation.markup import name_key
from bot.conversation.messages import Turn
from bot.conversation.sanitize import DEFAULT_OWN_NAME, FALLBACK_NAME, MAX_NAME_LENGTH, speaker_name

_NUMBER = re.compile(r"[\s(]*\d+[\s)]*$")
_SET_OFF_NUMBER = re.compile(r"[\s(]+\d+[\s)]*$")


@dataclass(frozen=True, slots=True)
class Speaker:
    """A label that an account has in a conversation under a certain name.

    `name_key` and `label_key` are what a reader sees of the name and the label at a glance (`markup.name_key`).
    """

    author_id: int
    name_key: str
    label: str
    label_key: str


class Speakers:
    """The labels of one conversation; it gives a new one to whoever has none yet.

    Args:
        known: those that were given before.
        own_name: the bot's name, which nobody else has.
    """

    def __init__(self, known: Iterable[Speaker] = (), own_name: str = DEFAULT_OWN_NAME) -> None:
        self.given: list[Speaker] = []
        """Those that are new, in the order in which they were given."""
        self.own_name = own_name
        known = tuple(known)
        self._known = known
        self._by_account = {(speaker.author_id, speaker.name_key): speaker for speaker in known}
        self._taken = {speaker.label_key for speaker in known}

    def copy(self) -> "Speakers":
        """Those who have labels by now, for more who are to keep none."""
        return Speakers((*self._known, *self.given), self.own_name)

    def label(self, author_id: int, name: str) -> str:
        """What an account of that display name is called in the prompt; a new label is kept in `given`."""
        plain = self._plain(name)
        account = author_id, name_key(plain)
        if account not in self._by_account:
            label = self._free(plain)
            speaker = Speaker(*account, label, name_key(label))
            self._by_account[account] = speaker
            self._taken.add(speaker.label_key)
            self.given.append(speaker)
        return self._by_account[account].label

    def _plain(self, name: str) -> str:
        plain = speaker_name(name, self.own_name)
        # "Trinity (2)" would pass for another Trinity, as the label of a second one does; "user123" is a name.
        is_own = name_key(_NUMBER.sub("", plain)) in {name_key(self.own_name), name_key(DEFAULT_OWN_NAME)}
        unnumbered = _SET_OFF_NUMBER.sub("", plain)
        is_free = not unnumbered or speaker_name(unnumbered, self.own_name) == unnumbered
        return plain if is_free and not is_own else FALLBACK_NAME

    def _free(self, plain: str) -> str:
        if name_key(plain) not in self._taken:
            return plain
        for number in count(2):
            suffix = f" ({number})"
            label = plain[: MAX_NAME_LENGTH - len(suffix)].rstrip() + suffix
            if name_key(label) not in self._taken:
                return label
        raise AssertionError("numbers never end")


@dataclass(frozen=True, slots=True)
class NamedTurns:
    """A conversation's turns with labels for names, the label of who asks now, and all labels that occur."""

    turns: tuple[Turn, ...]
    asker: str
    labels: frozenset[str]


def newest_names(turns: Iterable[Turn], asker: tuple[int, str] | None = None) -> dict[int, str]:
    """The display names of those who said something, by account: each the last one that they had."""
    named = ((turn.author_id, turn.author_name) for turn in turns)
    names = {author_id: name for author_id, name in named if author_id is not None and name is not None}
    return names if asker is None else {**names, asker[0]: asker[1]}


def name_turns(turns: Iterable[Turn], speakers: Speakers, asker_id: int, asker_name: str) -> NamedTurns:
    """Put labels in the place of display names: one for each account, by its newest name."""
    turns = tuple(turns)
    names: dict[int, str] = {}
    labels = set()
    for turn in turns:
        if turn.author_id is not None and turn.author_name is not None:
            labels.add(speakers.label(turn.author_id, turn.author_name))
            names[turn.author_id] = turn.author_name
    asker = speakers.label(asker_id, asker_name)
    names[asker_id] = asker_name
    named = []
    for turn in turns:
        is_known = turn.author_id is not None and turn.author_name is not None
        label = (
            speakers.label(turn.author_id, names[turn.author_id]) if is_known and turn.author_id is not None else None
        )
        named.append(replace(turn, author_name=label or turn.author_name))
    labels.update(turn.author_name for turn in named if turn.author_name)
    return NamedTurns(tuple(named), asker, frozenset({*labels, asker}))
