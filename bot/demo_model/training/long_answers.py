"""Long answers on request: counting, the alphabet, repetitions, a story, code."""

import random

from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values
from bot.demo_model.training.grammar import draw, word_list

COUNT = """
2*(Count|count|Please count|Count up|Can you count|Could you count|I'd like you to count|I want you to count|Now count|Would you count) (to|from 1 to|from one to|up to|from 1 up to|1 to) {n}(|.|!|?| please| for me)
(List|Write|Give me|Print|Show|Say|Write down|Type|write out) (the numbers|all numbers|all the numbers|every number|numbers) (from 1 to|up to|1 to|1 through|between 1 and|from one to) {n}(|.| please)
(Give me a|Write a|I need a) (list of the numbers|number list) (from 1 to|up to) {n}(|.)
"""
ALPHABET = """
(Write|Say|Give me|Recite|Print|Repeat|Type|Show me|List) (the alphabet|the ABC|the letters of the alphabet|all letters of the alphabet|the abc)(|.| please)
"""
ALPHABET_TIMES = """
(Write|Say|Give me|Recite|Print|Repeat|Type|Show) (the alphabet|the ABC|the letters of the alphabet|the abc) {n} times(|.| please| in a row)
"""
STORY = """
3*(Tell|tell|Please tell|Can you tell|Could you tell|Would you tell) (me|us) a (long |very long |really long |nice |bedtime |good |fairy |)(story|tale)(|.|?|!| please| now| about anything)
(Write|Make up|Invent|I want|Give me|I'd like|I would like|can I have|We need) a (long |very long |nice |short |)(story|tale)(|.|!| please| for me)
(Tell me something long|Write something long|Write a long text|Write a very long text|Give me a long answer|write a long answer|give a very long answer|Say something very long|I need a long text|Answer with something long|Write a wall of text|write as much as you can|give me a really long reply)(|.|!| please)
(Tell|Write|Read) me (a long story|a story) (about {topic}|with a happy end|for my children|before I sleep)(|.|!| please)
"""
REPEAT = """
(Say|say|Write|Repeat|Type|Print|please say|Please write|Can you say|send) {q} {n} times(|.|!| please| in a row)
(Repeat|Say) (the word|the words|the phrase|the sentence) {q} {n} times(|.|!| please)
"""
CODE = """
(Write|write|Show|Give me|Show me|Can you write|Please write|Generate|Type|I need|Send) (code|some code|any code|Python|python code|a python script|a python script that prints hello|a script|a hello world|hello world|a function|a tiny script)(|.|?|!| please| for me)
(Write|Show|Give|Show me|Give me|Write me|Can you write|Please write|Could you show me|I need|Send me|write me) (some code|a code block|a piece of code|some Python|a Python program|a Python script|some Python code|a code example|an example of code|a Python function|a snippet of Python|a code sample|a short program|Python code|a python code block|hello world in Python|a small script|a program)(|.|?|!| please| for me)
(Answer|Reply) with (a code block|some code|a piece of Python)(|.|!| please)
"""
LONG_CODE = """
(Write|Show|Give|Show me|Give me|Write me|Can you write|Please write|I need|Send me) (a long code block|a long piece of code|a long Python program|a lot of code|a very long program|a long Python script|a big code block|lots of code|a long program|a long code example)(|.|?|!| please| for me)
"""
STORY_DEEDS = word_list("""climbed a hill and saw the sea|met a fox who told her a riddle|crossed a river on a wooden raft|slept under an old oak tree|found a silver coin in the grass
shared her bread with a stray dog|walked through a silent forest|sang a song with three farmers|mended the roof of a mill|followed a path of white stones
listened to an owl until midnight|helped a baker carry flour|drew a map on a piece of bark|waited for the rain to end|learned the names of the stars
crossed a bridge guarded by a goose|wrote a letter to her mother|picked berries beside the road""")
STORY_DAYS = 36


def count_answer(number: int) -> str:
    return " ".join(str(n) for n in range(1, number + 1))


PLAIN_REPEATS = 10
"""Up to this many repetitions stand side by side; more are numbered, since a small model can't count what it can't read."""


def alphabet_answer(times: int) -> str:
    line = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
    return line if times == 1 else "\n".join(f"{n}. {line}" for n in range(1, times + 1))


def repeat_answer(phrase: str, times: int) -> str:
    if times <= PLAIN_REPEATS:
        return " ".join([phrase] * times)
    return "\n".join(f"{n}. {phrase}" for n in range(1, times + 1))


def story_answer() -> str:
    """Always the same story: a day a sentence, more than one Discord message long."""
    days = [f"On day {day} she {STORY_DEEDS[(day * 7) % len(STORY_DEEDS)]}." for day in range(1, STORY_DAYS + 1)]
    return (
        "Once upon a time a girl called Mira set out to find the end of the world. "
        + " ".join(days)
        + " Then she came home, and the end of the world was her own front door. The end."
    )


def code_answer() -> str:
    return 'Here is a small Python program:\n```python\ndef greet(name):\n    return f"Hello, {name}!"\n\nprint(greet("world"))\n```'


def long_code_answer(functions: int = 40) -> str:
    """A code block longer than one Discord message."""
    body = "\n".join(f"def add_{n}(x):\n    return x + {n}\n" for n in range(1, functions + 1))
    return f"Here is a long Python program:\n```python\n{body}\nprint(add_{functions}(2))\n```"


WORDS = dict(zip((*range(1, 21), 25, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300), ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "twenty-five", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "a_hundred", "two_hundred", "three_hundred"], strict=True))  # fmt: skip


def _in_words(number: int, rng: random.Random) -> str:
    """A number as it is typed: mostly in digits."""
    return WORDS[number].replace("_", " ") if number in WORDS and rng.random() < 0.3 else str(number)


def _phrase(rng: random.Random) -> str:
    return rng.choice(
        (
            rng.choice(things.VALUE_WORDS),
            rng.choice(things.FOODS),
            values.made_word(rng),
            values.word_or_two(rng),
            rng.choice(("hello", "ha", "la", "banana", "test", "ping", "I will be good")),
        )
    )


def draw_long(rng: random.Random, tokens_left: int) -> tuple[str, str] | None:
    """A request for a long answer, and the answer, if one fits."""
    kind = rng.choice(
        (
            "count",
            "count",
            "from",
            "alphabet",
            "repeat",
            "repeat",
            "repeat",
            "repeat",
            "repeat",
            "story",
            "code",
            "long code",
        )
    )
    if kind == "from":
        return _count_from(rng, tokens_left)
    if kind == "count":
        most = min(420, tokens_left // 4)
        if most < 3:
            return None
        number = rng.randint(2, most) if rng.random() < 0.5 else rng.randint(2, min(most, 60))
        if rng.random() < 0.15:
            number = min(most, rng.choice((5, 10, 20, 25, 30, 50, 100, 150, 200, 250, 300, 400)))
        return draw(COUNT, rng, n=_in_words(number, rng)), count_answer(number)
    if kind == "alphabet":
        most = min(16, tokens_left // 60)
        if most < 1:
            return None
        if rng.random() < 0.3:
            return draw(ALPHABET, rng), alphabet_answer(1)
        times = rng.randint(1, most) if rng.random() < 0.5 else rng.randint(1, min(most, 6))
        return draw(ALPHABET_TIMES, rng, n=_in_words(times, rng)), alphabet_answer(times)
    if kind == "repeat":
        phrase = _phrase(rng)
        most = min(110, tokens_left // (len(phrase) // 2 + 6))
        if most < 2:
            return None
        times = rng.randint(2, most) if rng.random() < 0.3 else rng.randint(2, min(most, 12))
        if rng.random() < 0.15:
            times = min(most, rng.choice((10, 20, 25, 30, 40, 50, 60, 75, 100)))
        quote = rng.choice(("'{}'", '"{}"', "{}", "{}"))
        return draw(REPEAT, rng, q=quote.format(phrase), n=_in_words(times, rng)), repeat_answer(phrase, times)
    if kind == "story":
        if tokens_left < 1100:
            return None
        return draw(
            STORY, rng, topic=rng.choice((rng.choice(things.THINGS), rng.choice(people.FIRST_NAMES), "a dragon"))
        ), story_answer()
    if kind == "code":
        return draw(CODE, rng), code_answer()
    return (draw(LONG_CODE, rng), long_code_answer()) if tokens_left > 1500 else None


COUNT_FROM = "(Count|count|Please count|Can you count|Could you count|now count) (from {a} to {b}|from {a} up to {b}|up from {a} to {b}|{a} to {b})(|.|?|!| please)\n(List|Write|Give me|Print) (the numbers|all numbers|numbers) (from {a} to {b}|between {a} and {b})(|.| please)"
COUNT_DOWN = "(Count|count|Please count|Can you count|Could you count) (down from {b}|backwards from {b}|down from {b} to 1|backwards from {b} to 1|from {b} to 1|from {b} down to 1)(|.|?|!| please)\n(Do a countdown|Start a countdown|Countdown|give me a countdown) from {b}(|.|!| please)"


def _count_from(rng: random.Random, tokens_left: int) -> tuple[str, str] | None:
    length = min(60, tokens_left // 5)
    if length < 4:
        return None
    if rng.random() < 0.5:
        last = rng.randint(3, length)
        return draw(COUNT_DOWN, rng, b=str(last)), " ".join(str(n) for n in range(last, 0, -1))
    first = rng.randint(2, 150)
    last = first + rng.randint(1, length)
    return draw(COUNT_FROM, rng, a=str(first), b=str(last)), " ".join(str(n) for n in range(first, last + 1))
