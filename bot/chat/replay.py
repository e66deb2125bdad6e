"""Makes an answer again: first its prompt, proven the same by its hash, then, with an engine, its tokens.

What it was made of is read from the database. Where that was edited, deleted, erased or reset since, or was never kept,
the answer can't be made again, and that is said in its place.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot import __version__
from bot.chat.overheard import OVERHEARD
from bot.chat.pin_desk import section_of
from bot.chat.recipe import Recipe, hash_prompt
from bot.chat.recollection import NOTES, Recollection, turns_noted
from bot.chat.summary import SUMMED_UP, summary_section
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import Turn
from bot.conversation.persona import Persona
from bot.conversation.pins import PINS
from bot.conversation.sanitize import DEFAULT_OWN_NAME
from bot.conversation.sections import Section
from bot.conversation.speakers import Speakers, name_turns
from bot.conversation.window import TokenBudget, fit_window_off_loop
from bot.errors import CannotReplay, PromptTooLong
from bot.inference.engine import Engine, Request, SamplingParams, Weighing, Weight
from bot.store.rows.history import Conversation
from bot.store.rows.made_answers import MadeAnswer, MadeAnswers, Missing
from bot.store.rows.summaries import Summaries
from bot.store.rows.transcripts import Transcripts

_WHY_MISSING = {
    Missing.UNKNOWN: "Nothing is known here of that message: it is none of her answers, or the reply to a command, of "
    "which no message is recorded, or older than what is kept.",
    Missing.OPEN: "It isn't answered yet.",
    Missing.UNANSWERED: "It was never answered.",
    Missing.RESET: "Its conversation was reset since, so that it isn't kept any more.",
    Missing.ERASED: "Who asked had it erased.",
    Missing.DELETED: "It was deleted, or has become older than what is kept.",
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An answer whose prompt is there again, token for token."""

    made: MadeAnswer
    recipe: Recipe
    request: Request
    """What the engine was asked, for as many tokens as were taken of it."""

    @property
    def num_notes(self) -> int:
        """How many earlier messages its notes were made of."""
        return len(self.recipe.sections.get(NOTES, ()))


@dataclass(frozen=True, slots=True)
class Difference:
    """The first token that isn't the same. `weights` are those of both, the old one first, where the engine says so."""

    index: int
    was: int
    now: int
    weights: tuple[Weight, ...]

    @property
    def logit_gap(self) -> float | None:
        """By how much the model prefers the new one; None where that isn't known."""
        return self.weights[1].logit - self.weights[0].logit if self.weights else None

    @property
    def score_gap(self) -> float | None:
        """By how much the draw did; None too where one of them couldn't be drawn at all."""
        was, now = (weight.score for weight in self.weights) if self.weights else (None, None)
        return None if was is None or now is None else now - was


class Replay:
    """Finds answers and makes them again.

    Args:
        made_answers: where they are.
        transcripts: where the turns are that notes were made of.
        summaries: where what was summed up is.
        encoder: knows the chat format.
        setup: which model is to make them again, and how it is set up; for people.
        own_name: the bot's name.
    """

    def __init__(
        self,
        made_answers: MadeAnswers,
        transcripts: Transcripts,
        summaries: Summaries,
        encoder: TurnEncoder,
        setup: str = "",
        own_name: str = DEFAULT_OWN_NAME,
    ) -> None:
        self.encoder = encoder
        self.setup = setup
        self._made_answers = made_answers
        self._recollection = Recollection(transcripts, encoder)
        self._summaries = summaries
        self._own_name = own_name

    async def rebuild(self, platform: str, message_id: int) -> Rebuilt:
        """The prompt of the answer that a message belongs to.

        Raises:
            CannotReplay: it isn't there any more, or what it was made of isn't as it was.
        """
        made = await self._made_answers.find(platform, message_id)
        if isinstance(made, Missing):
            raise CannotReplay(made.value, _WHY_MISSING[made])
        if made.recipe is None or not made.token_ids:
            raise CannotReplay("unrecorded", "It was answered by a Trinity that didn't record yet what it was made of.")
        recipe = Recipe.read(made.recipe)
        if OVERHEARD in recipe.sections:
            problem = "Its prompt had what others said in the channel just before, and that is never kept."
            raise CannotReplay("overheard", problem)
        if made.persona_text is None:
            raise CannotReplay("persona", "The text of its persona isn't kept any more.")
        for turns in await self._candidates(made, recipe):
            sections = await self._sections(made, recipe, made.persona_text, turns)
            prompt = await self._prompt(made, recipe, sections, turns)
            if hash_prompt(prompt) == recipe.prompt_hash:
                return Rebuilt(made, recipe, _request(made, recipe, prompt))
        raise await self._why_otherwise(made, recipe, sections, len(prompt))

    async def compare(self, rebuilt: Rebuilt, engine: Engine) -> Difference | None:
        """Make the answer again; None where every token is the same.

        Raises:
            CannotReplay: the engine has another model, or can't take so long a prompt.
            EngineError, RequestFailed: as the engine says.
        """
        if engine.model_hash != rebuilt.made.model_hash:
            problem = f"It was made by {rebuilt.recipe.setup}, and what is set up now is another model: {self.setup}."
            raise CannotReplay("model", problem)
        now: list[int] = []
        try:
            async with aclosing(engine.generate(rebuilt.request)) as deltas:
                async for delta in deltas:
                    now += delta.token_ids
        except PromptTooLong as error:
            problem = (
                f"The engine takes {error.limit} tokens as it is set up now, and its prompt has {error.num_tokens}."
            )
            raise CannotReplay("window", problem) from error
        was = rebuilt.made.token_ids
        index = next((index for index, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), None)
        if index is None:
            if len(now) < len(was):
                problem = f"The engine ends after {len(now)} of {len(was)} tokens: as it is set up now, it takes fewer."
                raise CannotReplay("window", problem)
            return None
        return Difference(index, was[index], now[index], await _weigh(engine, rebuilt.request, was, now, index))

    async def _candidates(self, made: MadeAnswer, recipe: Recipe) -> list[Sequence[Turn]]:
        """The turns that its window was chosen from; and those in it, should others of them be gone since."""
        if recipe.first_turn_id is None:
            return [()]
        turns = await self._made_answers.turns(made, recipe.first_turn_id)
        kept = [turn for turn in turns if turn.id in made.prompt_turn_ids]
        return [turns, kept] if len(kept) < len(turns) else [turns]

    async def _sections(
        self, made: MadeAnswer, recipe: Recipe, persona_text: str, turns: Sequence[Turn]
    ) -> list[Section]:
        """What `AnswerWriter` makes of the same."""
        settings = replace(made.settings, persona=Persona(made.persona_name, persona_text))
        sections = [*settings.sections(recipe.day)]
        question = made.question
        conversation = Conversation(
            question.conversation, settings=settings, turns=tuple(turns), speakers=made.speakers
        )
        pins = [pin for pin in made.pins if pin.number in recipe.sections.get(PINS, ())]
        speakers, asker = Speakers(made.speakers, self._own_name), (question.author_id, question.author_name)
        if (kept := section_of(pins, conversation, speakers, asker)) is not None:
            sections.append(kept)
        if SUMMED_UP in recipe.sections:
            pieces = await self._summaries.these(question.conversation, recipe.sections[SUMMED_UP])
            summary = summary_section(self.encoder, pieces, conversation, recipe.num_prompt_tokens)
            sections += [] if summary is None else [summary]
        if NOTES in recipe.sections:
            notes = await self._recollection.section_again(
                conversation,
                question,
                Speakers(made.speakers, self._own_name),
                recipe.num_prompt_tokens,
                recipe.sections[NOTES],
            )
            sections += [] if notes is None else [notes]
        return sections

    async def _prompt(
        self, made: MadeAnswer, recipe: Recipe, sections: Sequence[Section], turns: Sequence[Turn]
    ) -> tuple[int, ...]:
        """What `AnswerWriter` makes of them."""
        question, speakers = made.question, Speakers(made.speakers, self._own_name)
        named = None if question.is_direct else name_turns(turns, speakers, question.author_id, question.author_name)
        num_new_tokens = made.sampling["max_new_tokens"]
        room = recipe.num_prompt_tokens + num_new_tokens
        try:
            window = await fit_window_off_loop(
                self.encoder,
                TokenBudget(room, room, num_new_tokens),
                sections,
                named.turns if named else turns,
                question.content,
                author_name=named.asker if named else None,
                own_name=self._own_name,
                beginning=made.text[: recipe.num_beginning or 0],
            )
        except PromptTooLong:  # its question has grown since
            return ()
        return window.prompt_token_ids

    async def _why_otherwise(
        self, made: MadeAnswer, recipe: Recipe, sections: Sequence[Section], num_tokens: int
    ) -> CannotReplay:
        """Why the prompt comes out otherwise, as far as the database tells: the first reason that there is."""
        used = {*made.prompt_turn_ids, *turns_noted(recipe.sections.get(NOTES, ()))}
        changes = await self._made_answers.changes(made, used)
        made_of = {section.name: section.made_of for section in sections}
        others = sorted(name for name in {*made_of, *recipe.sections} if made_of.get(name) != recipe.sections.get(name))
        edited_at = made.edited_at or made.answered_at
        before = "of what was said before"
        reasons = (
            (
                edited_at > made.answered_at, "edited",
                f"Its question was edited since, at {edited_at:%Y-%m-%d %H:%M:%S} UTC.",
            ),
            (changes.gone, "deleted", f"{_turns(changes.gone)} {before} was deleted, erased, or became too old since."),
            (changes.edited, "edited", f"{_turns(changes.edited)} {before} was edited since."),
            (others, "sections", f"Beside what was said, other {' and '.join(others)} stood in its prompt."),
            (
                recipe.version != __version__, "version",
                f"It was made by Trinity {recipe.version}, and {__version__} makes another prompt of the same.",
            ),
            (
                True, "prompt",
                f"Its prompt had {made.num_prompt_tokens} tokens and comes out otherwise now ({num_tokens}). It was "
                f"made by {recipe.setup}, and set up now is {self.setup}. If that is the same, something was edited "
                "while it was being answered, or people are named anew.",
            ),
        )  # fmt: skip
        return next(CannotReplay(reason, problem) for holds, reason, problem in reasons if holds)


def _turns(turn_ids: Sequence[int]) -> str:
    return f"{len(turn_ids)} turn{'' if len(turn_ids) == 1 else 's'}"


def _request(made: MadeAnswer, recipe: Recipe, prompt: tuple[int, ...]) -> Request:
    sampling = SamplingParams(**made.sampling)
    return Request(
        prompt_token_ids=prompt,
        sampling=replace(sampling, max_new_tokens=len(made.token_ids)),
        name="replay",
        is_continued=recipe.num_beginning is not None,
    )


async def _weigh(
    engine: Engine, request: Request, was: Sequence[int], now: Sequence[int], index: int
) -> tuple[Weight, ...]:
    if not isinstance(engine, Weighing):
        return ()
    so_far = replace(request, prompt_token_ids=(*request.prompt_token_ids, *was[:index]))
    return await engine.weigh(so_far, (was[index], now[index]))
