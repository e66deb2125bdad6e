"""Styles are functions of the finished answer: capitals, pirate talk, a fixed ending. Values stay readable in each."""

import random
import re
from dataclasses import dataclass

from bot.demo_model.training import values
from bot.demo_model.training.grammar import draw
from bot.demo_model.training.noise import outside_values, plain

EMOJI_NAMES = {
    "fox": "🦊", "cat": "🐱", "dog": "🐶", "robot": "🤖", "ghost": "👻", "bear": "🐻", "panda": "🐼", "frog": "🐸", "unicorn": "🦄", "bee": "🐝",
    "rainbow": "🌈", "star": "⭐", "fire": "🔥", "snowflake": "❄", "party": "🎉", "guitar": "🎸", "rocket": "🚀", "pizza": "🍕", "apple": "🍎",
    "coffee": "☕", "dragon": "🐉", "heart": "❤", "smiley": "😀", "wave": "👋", "tree": "🌳", "moon": "🌙", "sun": "☀", "flower": "🌸",
}  # fmt: skip
PIRATE = (
    (r"\byour\b", "yer"),
    (r"\bYour\b", "Yer"),
    (r"\byou\b", "ye"),
    (r"\bYou\b", "Ye"),
    (r"\bmy\b", "me"),
    (r"\bMy\b", "Me"),
    (r"\bHello\b", "Ahoy"),
)


@dataclass(frozen=True)
class Style:
    """How answers are to be given; `extra` is the fixed word, phrase or emoji where the style has one."""

    name: str
    extra: str = ""
    asked: str = ""
    """How the wish for it is worded, in the imperative, for system prompts and messages."""

    def apply(self, text: str, short: str) -> str:
        """The answer in this style; `short` is its one-word form."""
        if self.name == "caps":
            return plain(text).upper()
        if self.name == "lower":
            return plain(text).lower()
        if self.name == "pirate":
            return "Arrr! " + outside_values(text, _pirate)
        if self.name == "end":
            return f"{text} {self.extra}"
        if self.name == "start":
            return f"{self.extra} {text}"
        if self.name == "poem":
            return f"{text}\n{POEM_END}"
        if self.name == "short":
            return short
        if self.name == "list":
            return "\n".join(f"- {sentence}" for sentence in _sentences(text))
        return text


POEM_END = "So sings the sea, and so sing I."
POEM = Style("poem")


def _pirate(text: str) -> str:
    for pattern, replacement in PIRATE:
        text = re.sub(pattern, replacement, text)
    return text


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z\x01`])", text) if part]


CAPS = """
(Answer|Reply|Write|Respond|Speak|Talk|Say everything|Write everything|Always answer|Always reply|Always write|Please answer|Only answer) (in|using|only in|with) (capital letters|all capitals|capitals|upper case|uppercase|all caps|block letters|caps|CAPITAL LETTERS|CAPS|only capital letters|uppercase letters|capital letters only)
(Shout|SHOUT|Always shout|Use caps lock|Use capital letters|Use all caps|Turn on caps lock|TALK IN CAPS|write everything in caps)
"""
LOWER = """
(Answer|Reply|Write|Respond|Speak|Always answer|Always reply|Always write|Please answer|Only write|Write everything) (in|using|only in) (lower case|lowercase|small letters|lower case letters|lowercase letters|all lowercase|lower-case letters|lowercase only)
(Never use capital letters|Don't use capital letters|Do not use capitals|Avoid capital letters|Use no capitals|no capitals|Use lowercase)
"""
PIRATE_WISH = """
(Talk|Speak|Answer|Reply|Write|Respond|Always answer|Always talk|Please talk) (like|as|in the style of|the way of|in the manner of) a pirate
(Use pirate language|Use pirate speak|Use pirate slang|Speak pirate|Talk pirate|Answer in pirate speak|pretend to be a pirate)
"""
END = """
(End|Finish|Close|Conclude|Always end|Always finish) (every|each|all|any|your|every one of your|each of your) (answer|reply|message|sentence|response|answers|replies|messages|responses) (with|by saying|by adding|using|in) {x}
(Add|Put|Append|Place|Write|Include|Say) {x} (at the end|to the end|after|at the end) (of every|of each|of all|each|of your|of any) (answer|reply|message|response|answers|replies)
(Your answers|All answers|Your replies|Every answer|Each reply|All your messages|Answers) (should|must|have to|shall|always) end (with|in) {x}
"""
START = """
(Start|Begin|Open|Always start|Always begin) (every|each|all|any|your|every one of your|each of your) (answer|reply|message|response|answers|replies|messages) (with|by saying|using) {x}
(Your answers|All answers|Your replies|Every answer|Each reply|All your messages) (should|must|have to|shall|always) (start|begin) with {x}
"""
SHORT = """
(Answer|Reply|Respond|Always answer|Always reply|Please answer|Only answer) (in|with|using) (one word|a single word|just one word|exactly one word|only one word|one word only|1 word)
(Use one word|Use a single word|One word only|one word answers only|Give one-word answers|Keep your answers to one word)
"""
LIST = """
(Answer|Reply|Respond|Always answer|Always reply|Write|Please answer) (as|in|with|using) (a list|a bulleted list|bullet points|bullets|a bullet list|list form|a list of points|the form of a list)
(Use bullet points|Use bullets|Make lists|Format your answers as lists|Write lists)
"""
POEM_WISH = """
(Talk|Speak|Answer|Reply|Write|Respond|Always answer|Please answer) (like|as|in the style of|in the manner of) a poet
(Answer|Reply|Speak|Respond|Always answer|Always reply|Talk) (in verse|in a poem|in a short poem|in rhyme|in poems|poetically|with a poem|in rhymes)
"""
ROBOT = "(Talk|Speak|Answer|Reply|Write|Always answer) (like|as) a robot"
CAT = "(Talk|Speak|Answer|Reply|Write|Always answer) (like|as) a cat"
FIXED = {"caps": CAPS, "lower": LOWER, "pirate": PIRATE_WISH, "short": SHORT, "list": LIST, "poem": POEM_WISH}


def _phrase(rng: random.Random) -> str:
    word = rng.choice(
        (
            "indeed",
            "right",
            "okay",
            "sir",
            "madam",
            "friend",
            "my dear",
            "boss",
            "over",
            "cheers",
            "amen",
            "meow",
            "woof",
            "beep",
            "well",
            "yes",
            values.made_word(rng),
            values.made_word(rng),
            values.word_or_two(rng),
        )
    )
    return rng.choice((word, word.capitalize() + rng.choice(("!", ".", "", ",", "...")), word.upper() + "!"))


def draw_style(rng: random.Random, *, for_message: bool = False) -> Style:
    """A style and the words that ask for it."""
    roll = rng.random()
    if roll < 0.58:
        name = rng.choice(("caps", "caps", "caps", "lower", "lower", "pirate", "pirate", "short", "list", "poem"))
        return Style(name, "", draw(FIXED[name], rng))
    if roll < 0.64 and not for_message:
        return rng.choice((Style("start", "Beep boop.", draw(ROBOT, rng)), Style("end", "Meow!", draw(CAT, rng))))
    name = "end" if rng.random() < 0.7 else "start"
    block = END if name == "end" else START
    if rng.random() < 0.6:
        emoji_name, emoji = rng.choice(tuple(EMOJI_NAMES.items()))
        article = "an" if emoji_name[0] in "aeiou" and emoji_name != "unicorn" else "a"
        asked = rng.choice(
            (
                f"{article} {emoji_name} emoji",
                emoji,
                f"the emoji {emoji}",
                f"the {emoji_name} emoji",
                f"{article} {emoji_name}",
            )
        )
        return Style(name, emoji, draw(block, rng, x=asked))
    phrase = _phrase(rng)
    quote = rng.choice(("'{}'", '"{}"', "“{}”", "the words '{}'", 'the phrase "{}"', "the word '{}'"))
    return Style(name, phrase, draw(block, rng, x=quote.format(phrase)))
