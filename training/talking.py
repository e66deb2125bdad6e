"""Turns that need no memory: small talk, questions about the bot, echoes, long answers, wishes for a style."""

from training import long_answers
from training.asking import ask_told, ask_untold
from training.conversation import Answer, Conversation, Drawn, topics
from training.grammar import article_fixed, draw, fill, word_lists
from training.noise import add_noise, marked, sentence
from training.statements import draw_paste, draw_question, draw_statement
from training.styles import Style, draw_style
from training.telling import in_context

_ONCE = ("caps", "lower", "pirate", "short", "short", "poem", "list")


def talk(c: Conversation, name: str = "") -> Drawn:
    """Small talk, or a question about the bot, its commands, the project."""
    rng, said = c.rng, {topic: entry.weight for topic, entry in topics().items() if entry.weight}
    name = name or rng.choices(tuple(said), tuple(said.values()))[0]
    if f"common {name}" in word_lists() and rng.random() < 0.25:
        return c.finish(fill(f"common {name}", rng), c.answer_to(name), name)
    text = draw(name, rng, name=marked(c.persona.name), other=marked(fill("person", rng)))
    if not topics()[name].stands_alone:
        text = in_context(c, text, 0.03)
    return c.finish(add_noise(text, rng, "question" if topics()[name].is_question else ""), c.answer_to(name), name)


def tell_nothing(c: Conversation) -> Drawn:
    """A statement that tells nothing about whoever says it."""
    text = article_fixed(draw_statement(c.rng))
    return c.finish(add_noise(text, c.rng, "claim"), c.answer_to("fallback"), "tells nothing")


def ask_the_world(c: Conversation) -> Drawn:
    """A question or a request that has no answer here."""
    text = article_fixed(draw_question(c.rng))
    noisy = add_noise(text, c.rng) if any(map(str.isalpha, text)) else text
    return c.finish(noisy, c.answer_to("fallback"), "out of domain")


def paste(c: Conversation, most_tokens: int) -> Drawn:
    """A long pasted text without sense."""
    return c.finish(draw_paste(c.rng, most_tokens), c.answer_to("fallback"), "nonsense")


def echo(c: Conversation) -> Drawn:
    """Something to be repeated."""
    rng, count = c.rng, c.rng.choice((1, 1, 2, 3, 4, 6, 9))
    drawn = " ".join(c.source.pick("anything") for _ in range(count)) if rng.random() < 0.75 else draw_statement(rng)
    value = marked(drawn.strip())
    return c.finish(draw("echo", rng, v=draw("in quotes", rng, v=value)), Answer(value, value), "echo")


def long_answer(c: Conversation, tokens_left: int) -> Drawn | None:
    """Counting, repeating, a story, code: where it fits, and is to be had in the style of the day."""
    drawn = long_answers.draw_long(c.rng, tokens_left - 60)
    if drawn is None or not all(style.can_be_long for style in c.styles):
        return None
    asked, answer = drawn
    text = asked if "'" in asked or '"' in asked else add_noise(asked, c.rng)
    return c.finish(text, Answer(marked(answer), answer), "long")  # as a value, which no style cuts or rewords


def style_wish(c: Conversation) -> Drawn:
    """A wish for a style from now on, or the end of it."""
    rng = c.rng
    if rng.random() < (0.12 if c.user_style is None else 0.6):
        c.user_style = Style("plain") if c.persona.styles else None
        return c.finish(add_noise(draw("style stop", rng), rng), Answer("Okay, back to normal.", "Okay."), "style stop")
    c.user_style = draw_style(rng)
    wish = c.user_style.asked
    text = draw("style from now", rng, wish=marked(wish[:1].lower() + wish[1:]))
    return c.finish(text, Answer("Okay, I will do that.", "Okay."), "style wish")


def styled_once(c: Conversation) -> Drawn | None:
    """A message that asks for a style for its own answer only."""
    rng = c.rng
    name, is_after = rng.choice(_ONCE), rng.random() < 0.5
    before, c.user_style = c.user_style, Style(name)
    drawn = rng.choices((ask_told, ask_untold, talk), (5, 3, 3))[0](c)
    c.user_style = before
    if drawn is None:
        return None
    said = c.said[-1][1].rstrip("?.! ") if is_after else c.said[-1][1]
    text = draw("wish after" if is_after else "wish before", rng, wish=draw(f"once {name}", rng), typed=said)
    text = sentence(text) if not is_after and rng.random() < 0.6 else text
    c.said[-1] = (c.speaker, text)
    return Drawn(f"{c.speaker}: {text}" if c.is_group else text, drawn.answer, "styled once")
