"""What others said lately in channels that chose to have it read along: in memory only, a few messages of each channel.

It is never stored. It stands right before the newest question, so that the prompt's beginning, the conversation itself,
stays what the engine has kept; and it is gone from the next prompt.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey
from bot.conversation.sanitize import user_text
from bot.conversation.sections import Place, Section
from bot.conversation.speakers import Speakers

OVERHEARD = "overheard"
"""What the section is called."""
MAX_MESSAGES = 20
MAX_CHANNELS = 1000
MAX_CHARACTERS = 300
"""Of one message; the rest of it is left out."""
_MAX_TOKENS = 768
_HEADING = "Others said this in the channel just before, though not to you:"


@dataclass(frozen=True, slots=True)
class _Heard:
    message_id: int
    author_id: int
    author_name: str
    text: str


class Overheard:
    """The newest messages of channels that weren't for the bot."""

    def __init__(self) -> None:
        self._channels: OrderedDict[tuple[str, int], deque[_Heard]] = OrderedDict()

    def note(self, key: ConversationKey, message_id: int, author_id: int, author_name: str, text: str) -> None:
        """Remember a message for a while; one that is known is replaced, since it was edited."""
        place = key.platform, key.channel_id
        heard = self._channels.setdefault(place, deque(maxlen=MAX_MESSAGES))
        self._channels.move_to_end(place)
        said = _Heard(message_id, author_id, author_name, " ".join(text[:MAX_CHARACTERS].split()))
        others = [each for each in heard if each.message_id != message_id]
        heard.clear()
        heard.extend(sorted([*others, said], key=lambda each: each.message_id))
        while len(self._channels) > MAX_CHANNELS:
            self._channels.popitem(last=False)

    def forget(self, message_ids: Collection[int]) -> None:
        """Forget messages that were deleted."""
        gone = set(message_ids)
        self._forget(lambda _, each: each.message_id in gone)

    def forget_person(self, platform: str, person_id: int) -> None:
        """Forget what one person said, everywhere."""
        self._forget(lambda where, each: where == platform and each.author_id == person_id)

    def _forget(self, is_gone: Callable[[str, _Heard], bool]) -> None:
        for place, heard in [*self._channels.items()]:
            kept = [each for each in heard if not is_gone(place[0], each)]
            if len(kept) < len(heard):
                self._channels[place] = deque(kept, maxlen=MAX_MESSAGES)

    def forget_all(self) -> None:
        """Forget everything: what was deleted or edited meanwhile isn't known."""
        self._channels.clear()

    def forget_channel(self, key: ConversationKey) -> None:
        """Forget what was said in a channel."""
        self._channels.pop((key.platform, key.channel_id), None)

    def section(
        self, encoder: TurnEncoder, key: ConversationKey, message_id: int, num_messages: int, speakers: Speakers
    ) -> Section | None:
        """What stands before a question: the last messages before it, each as its author's own words; None if none.

        `speakers` are those of the conversation; who has no label among them gets one for this prompt alone.
        """
        known = self._channels.get((key.platform, key.channel_id), ())
        heard = [each for each in known if each.message_id < message_id][-num_messages:] if num_messages else []
        passing = speakers.copy()
        labels = [passing.label(each.author_id, each.author_name) for each in heard]
        people = {*labels}
        lines = [
            user_text(encoder.format.tags, each.text, label, speakers.own_name, people)
            for each, label in zip(heard, labels, strict=True)
        ]
        while lines and encoder.num_added_tokens(_joined(lines)) > _MAX_TOKENS:
            del lines[0]
        return (
            Section(OVERHEARD, _joined(lines), _MAX_TOKENS, Place.NEWEST_QUESTION, people=frozenset(people))
            if lines
            else None
        )


def _joined(lines: list[str]) -> str:
    return "\n".join([_HEADING, *lines])
