"""Which turns fit below the context window: old ones go rarely and many at once, so that prompts keep their beginning.

The engine reuses the KV cache blocks of a prompt's beginning. If the oldest turn were dropped at every question, no two
prompts of a long conversation would begin alike. So the first kept turn stays where it is until the prompt would exceed
its budget, and then moves forward until a quarter of the budget is free again.
"""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise

from bot.conversation.chat_format import TurnEncoder, num_common
from bot.conversation.messages import Turn
from bot.conversation.sanitize import DEFAULT_OWN_NAME, user_text
from bot.conversation.sections import SEPARATOR, PlacedSections, Section, place_sections
from bot.errors import ConfigError, PromptTooLong

MIN_PROMPT_TOKENS = 512
"""With less room for the prompt than this, the bot refuses to start."""

_ESTIMATE_MARGIN = 16  # tokens by which a turn behind the system message may differ from the sum of its parts
_SHORTEST = "?"  # the question that stands in for the next one
_INLINE_CHARACTERS = 2048  # encoded in about a millisecond; a longer history leaves the event loop


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How the context window is shared between prompt and completion.

    Args:
        context_window: the tokens the model was trained for, or fewer (TRINITY_CONTEXT_WINDOW).
        max_sequence_tokens: the most that the engine takes, prompt plus completion.
        max_new_tokens: what is kept free for the completion (TRINITY_MAX_NEW_TOKENS).

    Raises:
        ConfigError: fewer than 512 tokens would be left for the prompt.
    """

    context_window: int
    max_sequence_tokens: int
    max_new_tokens: int

    def __post_init__(self) -> None:
        if self.num_prompt_tokens >= MIN_PROMPT_TOKENS:
            return
        window = min(self.context_window, self.max_sequence_tokens)
        if window <= MIN_PROMPT_TOKENS:
            whose = "the engine takes" if self.max_sequence_tokens < self.context_window else "it is"
            problem = f"{whose} only {window} tokens; more than {MIN_PROMPT_TOKENS} are needed for a conversation"
            raise ConfigError("TRINITY_CONTEXT_WINDOW", problem)
        problem = (
            f"{self.max_new_tokens} of {window} tokens for the answer leave too few for the conversation; "
            f"set it to {window - MIN_PROMPT_TOKENS} or less"
        )
        raise ConfigError("TRINITY_MAX_NEW_TOKENS", problem)

    @property
    def num_prompt_tokens(self) -> int:
        """The most tokens that a prompt may have."""
        return min(self.context_window, self.max_sequence_tokens) - self.max_new_tokens

    def with_longest_answer(self, num_tokens: int | None) -> "TokenBudget":
        """The budget where answers get so many tokens at most, but never more than in this one; None changes nothing.

        What is no longer kept free for the completion is the prompt's.
        """
        if num_tokens is None or num_tokens >= self.max_new_tokens:
            return self
        return replace(self, max_new_tokens=max(1, num_tokens))


@dataclass(frozen=True, slots=True)
class Window:
    """A prompt that fits, and which turns it holds."""

    prompt_token_ids: tuple[int, ...]
    num_shared_prefix_tokens: int
    """How many ids at the beginning other conversations may share: they depend on shared sections alone."""
    first_kept_turn_id: int | None
    """From here on turns are kept; above all their ids if none was. None where the conversation has no turns yet."""
    was_trimmed: bool
    """The first kept turn moved, and has to be stored."""
    turn_ids: tuple[int, ...]
    """The turns in the prompt, oldest first."""


def fit_window(
    encoder: TurnEncoder,
    budget: TokenBudget,
    sections: Sequence[Section],
    turns: Sequence[Turn],
    question: str,
    *,
    author_name: str | None = None,
    own_name: str = DEFAULT_OWN_NAME,
    beginning: str = "",
) -> Window:
    """Build the prompt for `question` from `turns`, the conversation from its stored first kept turn on.

    Args:
        encoder: knows the chat format, and remembers what turns cost.
        budget: what the prompt may cost.
        sections: what else stands in it. A required one always stays; of the others the last goes first where the
            question would not fit otherwise.
        turns: answered questions, oldest first.
        question: the newest user message; it always stays.
        author_name: who asks, where several people speak; `user_text` sanitises it.
        own_name: the name that nobody else may speak under.
        beginning: what was answered to the question so far, which the prompt goes on with.

    Raises:
        PromptTooLong: required sections and question alone exceed the budget. The first kept turn stays where it is.
    """
    refuse_absurd_length(encoder, budget, question)
    tags, limit = encoder.format.tags, budget.num_prompt_tokens
    turns = [turn for turn in turns if turn.question.strip() and turn.answer.strip()]
    people = {name for name in (author_name, *(turn.author_name for turn in turns)) if name is not None}
    if author_name is not None:
        people = people.union(*(section.people for section in sections))
    texts = [
        (user_text(tags, turn.question, turn.author_name, own_name, people), tags.clean(turn.answer)) for turn in turns
    ]
    newest = user_text(tags, question, author_name, own_name, people)
    while True:
        fitting = _Fitting(encoder, place_sections(encoder, sections), texts, newest, tags.clean(beginning))
        try:
            first = fitting.first_kept(limit)
            break
        except PromptTooLong:
            fewer = _without_last_optional(sections)
            if fewer is None:
                raise
            sections = fewer
    token_ids = fitting.token_ids(first)
    kept = turns[first:]
    return Window(
        prompt_token_ids=tuple(token_ids),
        num_shared_prefix_tokens=num_common(fitting.shared_prefix(), token_ids),
        first_kept_turn_id=kept[0].id if kept else turns[-1].id + 1 if turns else None,
        was_trimmed=first > 0,
        turn_ids=tuple(turn.id for turn in kept),
    )


@dataclass(frozen=True, slots=True)
class WindowUse:
    """What the next prompt will be made of, in tokens; with `num_free_tokens` it adds up to the prompt's budget."""

    num_section_tokens: tuple[tuple[str, int], ...]
    """What each section costs, by its name."""
    num_turn_tokens: int
    turn_ids: tuple[int, ...]
    """The turns that it will hold, oldest first."""
    num_free_tokens: int
    """How long the next question may be before something has to go."""
    was_trimmed: bool
    """It would not hold all of the turns."""


def measure_window(
    encoder: TurnEncoder,
    budget: TokenBudget,
    sections: Sequence[Section],
    turns: Sequence[Turn],
    *,
    author_name: str | None = None,
    own_name: str = DEFAULT_OWN_NAME,
) -> WindowUse:
    """What `fit_window` would do with the shortest of questions; arguments as there."""

    def fit(sections: Sequence[Section], turns: Sequence[Turn]) -> Window:
        return fit_window(encoder, budget, sections, turns, _SHORTEST, author_name=author_name, own_name=own_name)

    window = fit(sections, turns)
    num_tokens = len(window.prompt_token_ids)
    costs = [len(fit(sections[:number], ()).prompt_token_ids) for number in range(len(sections) + 1)]
    costs[0] -= encoder.num_system_tokens("")  # the model's own system message gives way to the first section
    names = [section.name for section in sections]
    return WindowUse(
        num_section_tokens=tuple(zip(names, (after - before for before, after in pairwise(costs)), strict=True)),
        num_turn_tokens=num_tokens - costs[-1],
        turn_ids=window.turn_ids,
        num_free_tokens=budget.num_prompt_tokens - num_tokens + costs[0],
        was_trimmed=window.was_trimmed,
    )


async def fit_window_off_loop(
    encoder: TurnEncoder,
    budget: TokenBudget,
    sections: Sequence[Section],
    turns: Sequence[Turn],
    question: str,
    *,
    author_name: str | None = None,
    own_name: str = DEFAULT_OWN_NAME,
    beginning: str = "",
) -> Window:
    """`fit_window` in another thread, unless everything together is short enough for the event loop."""
    num_characters = len(question) + len(beginning) + sum(len(section.text) for section in sections)
    num_characters += sum(len(turn.question) + len(turn.answer) for turn in turns)
    fit = partial(
        fit_window, encoder, budget, sections, turns, question,
        author_name=author_name, own_name=own_name, beginning=beginning,
    )  # fmt: skip
    return fit() if num_characters <= _INLINE_CHARACTERS else await asyncio.to_thread(fit)


def refuse_absurd_length(encoder: TurnEncoder, budget: TokenBudget, text: str) -> None:
    """Refuse, before anything is encoded, a text that can't fit even if every token were the longest there is.

    Raises:
        PromptTooLong: with the fewest tokens that `text` can take.
    """
    limit = budget.num_prompt_tokens
    if len(text) <= limit:  # spares most calls a look at the vocabulary
        return
    # Half, because cleaning can shorten a text: `<<SYS>>` to `«SYS»`.
    fewest = len(text.strip()) // (2 * encoder.longest_piece)
    if fewest > limit:
        raise PromptTooLong(fewest, limit)


def _without_last_optional(sections: Sequence[Section]) -> list[Section] | None:
    """`sections` without the last one that may be left out; None if all have to stay."""
    for index in reversed(range(len(sections))):
        if not sections[index].is_required:
            return [*sections[:index], *sections[index + 1 :]]
    return None


class _Fitting:
    """What one conversation's turns cost, the unanswered one last; the format says which one has the system message."""

    def __init__(
        self,
        encoder: TurnEncoder,
        sections: PlacedSections,
        answered: Sequence[tuple[str, str]],
        newest: str,
        beginning: str,
    ) -> None:
        self._encoder = encoder
        self._sections = sections
        if sections.before_question:
            newest = f"{sections.before_question}{SEPARATOR}{newest}"
        self._texts = [*answered, (newest, beginning)]
        self._last = len(answered)
        self._later = [self._turn(index, is_first=False) for index in range(1, len(self._texts))]
        """The ids of every turn but turn 0, which is never kept behind another."""
        self._costs_from = [0, *[*accumulate(map(len, reversed(self._later)), initial=0)][::-1]]
        """What the turns from an index on cost; index 0 is never asked for."""

    def first_kept(self, limit: int) -> int:
        """The index of the first turn to keep; that of the unanswered one where no other can be kept."""
        if self._num_tokens(0) <= limit:
            return 0
        target = limit * 3 // 4
        num_first_tokens = self._encoder.num_first_tokens(self._sections.system_message)
        for index in range(1, self._last):
            estimate = num_first_tokens + self._costs_from[index]
            if estimate <= target + _ESTIMATE_MARGIN and self._num_tokens(index) <= target:
                return index
        if self._num_tokens(self._last) > limit:
            raise PromptTooLong(self._num_tokens(self._last), limit)
        return self._last

    def token_ids(self, first: int) -> "array[int]":
        """The prompt that begins with turn `first`."""
        token_ids = self._turn(first, is_first=True)
        for ids in self._later[first:]:
            token_ids += ids
        return token_ids

    def shared_prefix(self) -> list[int]:
        """The ids with which every prompt begins that has the same shared sections."""
        system_message, shared = self._sections.system_message, self._sections.shared
        if system_message and not shared:
            return []
        return self._encoder.shared_prefix(shared, is_continued=shared != system_message)

    def _num_tokens(self, first: int) -> int:
        """What the prompt that begins with turn `first` costs, exactly."""
        return len(self._turn(first, is_first=True)) + self._costs_from[first + 1]

    def _turn(self, index: int, *, is_first: bool) -> "array[int]":
        is_last = index == self._last
        return self._encoder.turn(
            *self._texts[index],
            system_message=self._sections.system_message,
            is_first=is_first,
            is_last=is_last,
            is_complete=not is_last,
        )
