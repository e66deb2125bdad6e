"""The oracle: one judgement after every scenario, from what stands in the channels and what was done to get there.

It knows Trinity's promises: each eligible message gets exactly one complete reply, or one notice; nobody else gets
any; nothing rings, nothing unfurls, no rule of Discord's is broken. It counts turns, so that a scenario in which
nothing happened can't pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from tests.loopback.accounts import BotAccount
from tests.loopback.answers import Label, answers_in, label_of
from tests.loopback.entities import Channel, Message
from tests.loopback.rules import MessageKind
from tests.loopback.server import LoopbackDiscord

_NOTICE_PURPOSES = ("n", "h", "d", "m")
_MAX_PROBLEMS_SHOWN = 20


def is_eligible(message: Message, bot: BotAccount) -> bool:
    """A person's ordinary message or reply that mentions the bot, or a direct message to it."""
    if message.author.is_bot or message.kind not in (MessageKind.DEFAULT, MessageKind.REPLY):
        return False
    return message.channel.is_dm or bot.user in message.mentions


def same_words(seen: str, expected: str) -> bool:
    """Whether two texts are alike but for white space: splitting into parts may take some at the seams."""
    return "".join(seen.split()) == "".join(expected.split())


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a scenario knows beyond the promises.

    `reply_to` gives the whole expected text of a reply (None: any text will do). `is_notice` recognises refusals and
    notices by their text, beside those whose nonce says so. `is_excused` lets an eligible message stay without an
    answer: by default one that was deleted. `is_unfinished` recognises a reply that was left half done.
    """

    reply_to: Callable[[Message], str | None] = lambda _: None
    is_notice: Callable[[str], bool] = lambda _: False
    is_excused: Callable[[Message], bool] = lambda message: message.is_deleted
    is_unfinished: Callable[[str], bool] = lambda text: not text.strip()
    is_same: Callable[[str, str], bool] = same_words
    allowed_violations: Collection[str] = ()


@dataclass(slots=True)
class Verdict:
    """The counts of a scenario, and what was wrong."""

    num_turns: int = 0
    num_replies: int = 0
    num_notices: int = 0
    num_excused: int = 0
    num_interactions: int = 0
    num_creates: int = 0
    num_edits: int = 0
    num_repeats: int = 0
    busiest_second: int = 0
    problems: list[str] = field(default_factory=list)

    def require(self, *, turns: int | None = None, replies: int | None = None, notices: int | None = None) -> Verdict:
        """Fails the test for any problem, for other counts than these, and for a scenario without anything in it."""
        wrong = list(self.problems)
        wanted = {"num_turns": turns, "num_replies": replies, "num_notices": notices}
        for name, count in wanted.items():
            if count is not None and getattr(self, name) != count:
                wrong.append(f"{name} is {getattr(self, name)}, not {count}")
        if turns is None and self.num_turns == 0 and self.num_interactions == 0:
            wrong.append("the scenario holds no turn and no interaction: nothing was judged")
        if wrong:
            shown = "\n".join(wrong[:_MAX_PROBLEMS_SHOWN])
            raise AssertionError(f"{len(wrong)} problems\n{shown}\n{self}")
        return self


def judge(server: LoopbackDiscord, expectation: Expectation | None = None, *, bot: BotAccount | None = None) -> Verdict:
    """Judges everything that a bot did since the server's start; call it when nothing is pending any more."""
    expected = expectation or Expectation()
    judged = bot or server.bot
    verdict = Verdict(busiest_second=server.journal.busiest_second())
    for channel in list(server.world.channels.values()):
        _judge_channel(channel, judged, expected, verdict)
    _judge_interactions(server, judged, verdict)
    _judge_acts(server, judged, verdict)
    broken = [v for v in server.violations if v.rule not in expected.allowed_violations]
    verdict.problems += [f"broke a rule: {violation}" for violation in broken]
    return verdict


# --- channels


def _judge_channel(channel: Channel, bot: BotAccount, expected: Expectation, verdict: Verdict) -> None:
    shown = answers_in(channel, bot.user)
    ever_shown = answers_in(channel, bot.user, with_deleted=True)
    first_parts: list[tuple[int, int]] = []
    for message in channel.messages:
        parts = shown.pop(message.id, [])
        if not is_eligible(message, bot):
            verdict.problems += list(_judge_uncalled(message, parts, bot, expected))
            continue
        verdict.num_turns += 1
        reply = [part for part in parts if not _is_notice(part, expected)]
        _count(message, parts, reply, expected, verdict, was_answered=message.id in ever_shown)
        verdict.problems += list(_judge_reply(message, parts, reply, expected))
        if reply:
            first_parts.append((message.id, reply[0].id))
    if first_parts != sorted(first_parts, key=lambda pair: pair[1]):
        verdict.problems.append(f"#{channel.name}: replies are not in the order of the questions")
    for stray in shown.values():
        verdict.problems += [f"#{channel.name}: answers nothing that is known: {part.content!r}" for part in stray]


def _is_notice(part: Message, expected: Expectation) -> bool:
    label = label_of(part)
    return (label is not None and label.purpose in _NOTICE_PURPOSES) or expected.is_notice(part.content)


def _count(
    message: Message,
    parts: list[Message],
    reply: list[Message],
    expected: Expectation,
    verdict: Verdict,
    *,
    was_answered: bool,
) -> None:
    if reply:
        verdict.num_replies += 1
    elif parts:
        verdict.num_notices += 1
    elif was_answered or expected.is_excused(message):
        verdict.num_excused += 1
    else:
        verdict.problems.append(f"{_named(message)} has no answer")


def _judge_reply(message: Message, parts: list[Message], reply: list[Message], expected: Expectation) -> Iterator[str]:
    if len(parts) - len(reply) > 1:
        yield f"{_named(message)} has {len(parts) - len(reply)} notices"
    if _has_doubles(parts):
        yield f"{_named(message)} is answered twice: {[part.content for part in parts]}"
    if not reply:
        return
    text = "".join(part.content for part in reply)
    wanted = expected.reply_to(message)
    if wanted is not None and not expected.is_same(text, wanted):
        yield f"{_named(message)}: reads {text!r}, not {wanted!r}"
    if any(expected.is_unfinished(part.content) and not part.attachments for part in reply):
        yield f"{_named(message)}: the reply was left unfinished: {text!r}"
    labels = [label_of(part) for part in reply]
    numbers = [label.part for label in labels if label is not None and label.purpose == "a"]
    if numbers != sorted(numbers):
        yield f"{_named(message)}: its parts stand in the order {numbers}"


def _has_doubles(parts: list[Message]) -> bool:
    """Two messages for one place; without labels, two that reply to the question, or two of the same text."""
    labels = [label_of(part) for part in parts]
    known = [_place(label) for label in labels if label is not None]
    others = [part for part, label in zip(parts, labels, strict=True) if label is None]
    references = [part for part in others if part.replies_to is not None]
    texts = {part.content for part in others}
    return len(set(known)) < len(known) or len(references) > 1 or len(texts) < len(others)


def _place(label: Label) -> tuple[str, int]:
    return label.purpose, label.part


def _judge_uncalled(message: Message, parts: list[Message], bot: BotAccount, expected: Expectation) -> Iterator[str]:
    """Nobody else is answered, but a person who replies to the bot without a ping may be told how to ask."""
    answered = message.channel.world.messages.get(message.replies_to or 0)
    may_be_hinted = not message.author.is_bot and answered is not None and answered.author is bot.user
    if may_be_hinted and len(parts) <= 1 and all(_is_notice(part, expected) for part in parts):
        return
    for part in parts:
        yield f"{_named(message)} was not meant for the bot, which says {part.content!r}"


def _named(message: Message) -> str:
    return f"#{message.channel.name or 'direct messages'}, {message.author.name}: {message.content[:60]!r}"


# --- what is not tied to a channel


def _judge_interactions(server: LoopbackDiscord, bot: BotAccount, verdict: Verdict) -> None:
    for interaction in server.interactions.all:
        if interaction.bot is not bot:
            continue
        verdict.num_interactions += 1
        original = interaction.original
        if original is not None and original.is_loading and not original.is_deleted:
            verdict.problems.append(f"/{interaction.name} was deferred and never answered")


def _judge_acts(server: LoopbackDiscord, bot: BotAccount, verdict: Verdict) -> None:
    acts = list(server.journal.acts_of(bot.user))
    verdict.num_creates = sum(act.kind == "create" for act in acts)
    verdict.num_edits = sum(act.kind == "edit" for act in acts)
    verdict.num_repeats = sum(act.kind == "repeat" for act in acts)
    for act in acts:
        message = act.message if act.kind == "create" else None
        if message is not None and (message.mentions or message.mentions_everyone) and not _tells_asker(message):
            verdict.problems.append(f"{act.content!r} rang somebody")


def _tells_asker(message: Message) -> bool:
    """Whether a message rings nobody but who asked, to say that the answer is there."""
    label = label_of(message)
    question = message.channel.world.messages.get(label.question_id) if label and label.purpose == "d" else None
    return question is not None and message.mentions == [question.author] and not message.mentions_everyone
