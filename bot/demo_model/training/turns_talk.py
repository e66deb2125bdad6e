"""Turns that need no memory: small talk, questions about the bot, echoes, long answers, wishes for a style."""

from bot.demo_model.training import lexicon_people, values
from bot.demo_model.training.conversation import Answer, Conversation, Drawn
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.long_answers import draw_long
from bot.demo_model.training.noise import add_noise, marked
from bot.demo_model.training.nonsense import draw_nonsense
from bot.demo_model.training.phrases_project import PROJECT_TOPICS
from bot.demo_model.training.phrases_talk import TOPICS
from bot.demo_model.training.phrases_talk_common import COMMON
from bot.demo_model.training.phrases_talk_wider import WIDER
from bot.demo_model.training.statements import draw_question, draw_statement
from bot.demo_model.training.styles import draw_style
from bot.demo_model.training.turns_facts import article_fixed, in_context


def talk(c: Conversation, name: str = "") -> Drawn:
    """Small talk, or a question about the bot, its commands, the project."""
    rng = c.rng
    topics = {**TOPICS, **PROJECT_TOPICS}
    name = name or rng.choices(tuple(topics), [topic.weight for topic in topics.values()])[0]
    other = values.person(rng)
    topic = topics[name]
    lower_name = c.persona.name
    block = WIDER[name] if name in WIDER and rng.random() < 0.45 else topic.say
    text = draw(
        block,
        rng,
        name=marked(lower_name),
        other=marked(other),
        c=values.place(rng),
        r=rng.choice(lexicon_people.RELATIVES),
    )
    if name in COMMON and rng.random() < 0.25:
        return c.finish(rng.choice(COMMON[name]), c.topic_answer(topic), skill=name)
    if name not in ("hello", "okay", "compliment", "insult", "how are you"):
        text = in_context(text, rng, 0.03)
    kind = "question" if name in ("your name", "who are you", "abilities", "talk", "memory", "privacy", "model") else ""
    return c.finish(add_noise(text, rng, kind), c.topic_answer(topic), skill=name)


def unanswerable(c: Conversation, *, statement: bool | None = None) -> Drawn:
    """Something the model has no answer for."""
    rng = c.rng
    statement = rng.random() < 0.6 if statement is None else statement
    text = article_fixed(draw_statement(rng) if statement else draw_question(rng))
    if any(map(str.isalpha, text)):
        text = add_noise(text, rng, "claim" if statement else "")
    return c.finish(
        text,
        c.fallback(),
        skill="tells nothing" if statement else "out of domain",
    )


def nonsense(c: Conversation, most_tokens: int) -> Drawn:
    """A long text that nobody could make sense of."""
    return c.finish(draw_nonsense(c.rng, most_tokens), c.fallback(), skill="nonsense")


ECHO = """
3*(Say|say|Repeat|repeat|Echo|Please say|Please repeat|Can you say|Could you say|Now say|Just say|Repeat after me:|Say this:|Echo this:|Type|Print|Write|Repeat this:|Copy this:|repeat the following:|say the following:|Say exactly:|Say after me:|Repeat these words:|please write|parrot this back:|Parrot this:|repeat back:|say the words|Say the word|Quote:|Answer with|Reply with|Respond with|just reply with|Only say|Say only|reply only with) {v}
(Can you repeat|Could you repeat|Would you say|Can you echo|will you say|Would you repeat) {v}?
"""


def echo(c: Conversation) -> Drawn:
    rng = c.rng
    words = rng.choice((1, 1, 2, 3, 4, 6, 9))
    value = (
        " ".join(c.source.pick(values.anything) for _ in range(words)) if rng.random() < 0.75 else draw_statement(rng)
    )
    value = value.strip()
    quote = rng.choice(("{}", "{}", "'{}'", '"{}"', "“{}”"))
    return c.finish(draw(ECHO, rng, v=quote.format(marked(value))), Answer(marked(value), marked(value)), skill="echo")


def long_answer(c: Conversation, tokens_left: int) -> Drawn | None:
    drawn = draw_long(c.rng, tokens_left - 60)
    if drawn is None or any(
        style.name not in ("plain", "end", "start", "short", "pirate", "poem") for style in c.styles
    ):
        return None
    user = drawn[0]
    return c.finish(
        add_noise(user, c.rng) if "'" not in user and '"' not in user else user,
        Answer(drawn[1], drawn[1]),
        skill="long",
    )


STYLE_FROM_NOW = "(From now on|from now on,|From here on|Starting now,|For the rest of this conversation|Henceforth,|Until I say stop,|From now on always|Please always|I want you to|Could you please|always)(,|) {w}(|.|!|, please)\n{w}(|.|!)\n(please|can you|could you|I want you to|you should|would you|you must|let's see you|try to|now|I'd like you to|you have to) {w}(|.|!|?| from now on)\n{w} (from now on|from here on|in this conversation|until I say stop|for the rest of the chat|all the time|forever|please, always)(|.|!)"
STYLE_STOP = "(Stop that|Talk normally|Talk normally again|Answer normally|Speak normally|Back to normal style|Stop talking like that|No more of that style|normal style please|You can talk normally again|stop this style|answer normally again|Use your normal style|talk like before|please speak normally now|write normally|Stop talking like a pirate|Stop the pirate talk|No more capitals|Stop shouting|Stop using capital letters|Stop that style|Forget the style|Please stop that|You can stop now with the style|Normal again please|no more pirate|no more emojis|stop ending your messages like that|use normal letters again|speak like before)(|.|!| please| now| again)"


def style_wish(c: Conversation) -> Drawn:
    """A wish for a style from now on, or the end of it."""
    rng = c.rng
    if (c.user_style is not None and rng.random() < 0.6) or (c.user_style is None and rng.random() < 0.12):
        c.user_style = None if not c.persona.styles else type(c.persona.styles[0])("plain")
        return c.finish(
            add_noise(draw(STYLE_STOP, rng), rng), Answer("Okay, back to normal.", "Okay."), skill="style stop"
        )
    c.user_style = draw_style(rng)
    wish = c.user_style.asked
    text = draw(STYLE_FROM_NOW, rng, w=marked(wish[:1].lower() + wish[1:]))
    return c.finish(text, Answer("Okay, I will do that.", "Okay."), skill="style wish")
