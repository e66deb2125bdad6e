"""Properties that people tell and ask without their name: "I am 1.80 m tall", "When is my birthday?"."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values


@dataclass(frozen=True)
class Alias:
    """Other ways to tell and to ask one property."""

    say: str
    ask: str
    value: Callable[[random.Random], str]


_KNOW = "(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Say|I forgot)"


def _date(rng: random.Random) -> str:
    month, day = rng.choice(values.MONTHS), rng.randint(1, 31)
    ending = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}.get(day, "th")
    forms = (f"{day} {month}", f"{month} {day}", f"{month} {day}{ending}", f"the {day}{ending} of {month}", f"{day}/{rng.randint(1, 12)}", f"{month} {day}, {rng.randint(1940, 2015)}", f"{day} {month} {rng.randint(1940, 2015)}")  # fmt: skip
    return rng.choice(forms)


def _height(rng: random.Random) -> str:
    return rng.choice((f"1.{rng.randint(45, 99)} m", f"{rng.randint(140, 210)} cm", f"{rng.choice((5, 6))} feet {rng.randint(1, 11)}", f"{rng.randint(140, 210)}cm", f"{rng.choice((5, 6))}'{rng.randint(1, 11)}\""))  # fmt: skip


def _weight(rng: random.Random) -> str:
    return f"{rng.randint(40, 140)}{rng.choice((' kg', 'kg', ' kilos', ' pounds'))}"


def _colour(rng: random.Random) -> str:
    return rng.choice(things.COLOURS) if rng.random() < 0.7 else rng.choice(things.VALUE_WORDS)


def _number(rng: random.Random) -> str:
    return values.letters_and_digits(rng) if rng.random() < 0.3 else str(rng.randint(0, 10 ** rng.randint(1, 4)))


def _phone(rng: random.Random) -> str:
    return rng.choice(("", "+", "0", "555 ", "0049 ", "555-")) + "".join(rng.choice("0123456789") for _ in range(rng.randint(4, 9)))  # fmt: skip


def _nationality(rng: random.Random) -> str:
    return rng.choice(things.NATIONALITIES)


def _vehicle(rng: random.Random) -> str:
    return values.vehicle(rng)


ALIASES = {
    "birthday": Alias(
        "3*(I was born on|My birthday is on|My birthday falls on|I celebrate my birthday on|I have my birthday on|my birthday comes on|My date of birth is|My birth date is|my bday is|my b-day is|I turn a year older on|birthday:|date of birth:|DOB:) {v}(|.|!|, by the way|, remember that)\n{v} is (my birthday|the day I was born|when I was born|when my birthday is|my bday)(|.|!)",
        f"4*(When is my birthday|When's my birthday|whens my bday|What day is my birthday|On which day is my birthday|When do I have my birthday|When do I celebrate my birthday|What's my date of birth|what is my birth date|on what day was I born|What date is my birthday|when's my bday|when did I say my birthday is|When do I turn a year older|which day was I born on)(|?| again?| please?)\n{_KNOW} (when my birthday is|when I celebrate my birthday|my date of birth|the date of my birthday|which day I was born on)(|?|.)",
        _date,
    ),
    "height": Alias(
        "3*(I'm|I am|I'm about|I am exactly|I stand) {v} tall(|.|!)\n(My height is|I measure|height:) {v}(|.)",
        f"3*(How tall am I|What's my height|what is my height|how many centimetres am I|How high am I)(|?| again?)\n{_KNOW} (how tall I am|my height)(|?|.)",
        _height,
    ),
    "weight": Alias(
        "3*(I weigh|My weight is|I weigh about|I weigh exactly|I currently weigh) {v}(|.|!)",
        f"3*(How much do I weigh|What do I weigh|What's my weight|how heavy am I)(|?| again?)\n{_KNOW} (how much I weigh|what I weigh|my weight|how heavy I am)(|?|.)",
        _weight,
    ),
    "shoe size": Alias(
        "3*(I wear size|I wear shoes in size|My shoes are size|my feet are size|I take a size|My shoe size is|I need shoes in size) {v}(|.|!)",
        f"3*(What size shoes do I wear|What's my shoe size|How big are my feet|What size are my shoes|which shoe size do I have|what size do I wear)(|?)\n{_KNOW} (my shoe size|what shoe size I have|what size my shoes are)(|?|.)",
        lambda rng: str(rng.randint(28, 52)),
    ),
    "eye colour": Alias(
        "3*(My eyes are|I have|I've got) {v}( eyes|-coloured eyes)(|.|!)\n(My eyes are|the colour of my eyes is) {v}(|.)".replace(
            "(My eyes are|I have|I've got) {v}( eyes|-coloured eyes)", "(I have|I've got|I was born with) {v} eyes"
        ),
        f"3*(What colour are my eyes|What color are my eyes|Which colour do my eyes have|what is the colour of my eyes)(|?)\n{_KNOW} (what colour my eyes are|the colour of my eyes|what color my eyes are)(|?|.)",
        _colour,
    ),
    "hair colour": Alias(
        "3*(I have|I've got) {v} hair(|.|!)\n2*(My hair is|the colour of my hair is|I dyed my hair) {v}(|.)",
        f"3*(What colour is my hair|What color is my hair|Which colour does my hair have|what is the colour of my hair)(|?)\n{_KNOW} (what colour my hair is|the colour of my hair|what color my hair is)(|?|.)",
        _colour,
    ),
    "lucky number": Alias(
        "3*(My lucky number is|{v} is my lucky number; yes,|The number that brings me luck is|my number of luck is|lucky number:) {v}(|.|!)\n{v} (brings me luck|is the number that brings me luck|is my number|is lucky for me|always brings me luck)(|.|!)".replace(
            "{v} is my lucky number; yes,|", ""
        ),
        f"3*(What's my lucky number|Which number brings me luck|What number is lucky for me|Which number is my lucky number|What's the number that brings me luck|which is my lucky number)(|?| again?)\n{_KNOW} (my lucky number|which number brings me luck|what my lucky number is)(|?|.)",
        _number,
    ),
    "phone number": Alias(
        "3*(My phone number is|You can reach me at|My telephone number is|my mobile is|you can call me on|my number is|phone:|Reach me on|my cell is|you can phone me at) {v}(|.|!)",
        f"3*(What's my phone number|What is my phone number|How can I be reached by phone|what's my telephone number|which number do I have|what number can I be reached at)(|?| again?)\n{_KNOW} (my phone number|what my phone number is|my telephone number)(|?|.)",
        _phone,
    ),
    "email address": Alias(
        "3*(My email is|You can email me at|my e-mail address is|my mail is|Write to me at|my email address is|email:|send mail to) {v}(|.)",
        f"3*(What's my email|What is my email address|How can I be reached by email|what's my e-mail|whats my mail address)(|?)\n{_KNOW} (my email|my email address|my e-mail address)(|?|.)",
        lambda rng: f"{values.made_word(rng)}@{values.made_word(rng)}.{rng.choice(('com', 'org', 'net', 'de', 'io'))}",
    ),
    "nationality": Alias(
        "4*(I'm|I am|My nationality is|I'm a proud|By nationality I'm|I have always been|we are all) {v}(|.|!)".replace(
            "I'm a proud|", ""
        ),
        f"3*(What's my nationality|What nationality am I|Which nationality do I have|what is my nationality|What passport do I have)(|?)\n{_KNOW} (my nationality|what nationality I am|what nationality I have)(|?|.)",
        _nationality,
    ),
    "car": Alias(
        "3*(My car is|I have a car, it's|My new car is|my current car is|the car I have is|car:) {v}(|.|!)",
        f"3*(What car do I have|What kind of car do I have|Which car do I own|What's my car|what is my car|which car is mine)(|?)\n{_KNOW} (what car I have|which car I own|what my car is)(|?|.)",
        _vehicle,
    ),
    "spouse": Alias(
        "3*(I'm married to|I am married to|I got married to|I married|My spouse is|I've been married to) {v}(|.|!)",
        f"3*(Who am I married to|Who is my spouse|Who did I marry|Who's my spouse|what's my spouse's name)(|?)\n{_KNOW} (who I'm married to|who my spouse is|the name of my spouse)(|?|.)",
        values.person,
    ),
    "wifi password": Alias(
        "3*(My wifi password is|The password of my wifi is|the password for my wifi is|my wi-fi password is|wifi password:|to get into my wifi use) {v}(|.|!)",
        f"3*(What's my wifi password|What's the password of my wifi|how do I get into my wifi|what is the password for my wifi|whats my wi-fi password)(|?)\n{_KNOW} (my wifi password|the password of my wifi|what my wifi password is)(|?|.)",
        values.anything,
    ),
}
WHEN = "(When is|When's|What day is|what date is|when is|On which day is|Do you know when|Tell me when|remind me when) my {k}( is|)(|?| again?| please?)".replace(
    "( is|)", ""
)
DATED = [
    "anniversary",
    "wedding day",
    "due date",
    "deadline",
    "exam date",
    "appointment",
    "dentist appointment",
    "train",
    "exam",
    "interview",
    "job interview",
    "flight",
    "doctor's appointment",
    "concert",
    "wedding",
    "name day",
    "driving test",
    "meeting",
    "holiday",
    "vacation",
    "graduation",
    "lesson",
    "guitar lesson",
    "party",
    "next exam",
    "first day at work",
    "moving day",
    "surgery",
    "presentation",
    "trip",
    "marathon",
    "audition",
]


def dated_value(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.5:
        return f"on {_date(rng) if rng.random() < 0.5 else rng.choice(values.DAYS)}"
    if roll < 0.7:
        return rng.choice(
            (
                f"at {rng.randint(1, 12)} (am|pm)",
                f"at {rng.randint(1, 12)}:{rng.choice(('00', '15', '30', '45'))}",
                "tomorrow",
                "next week",
                "tonight",
                f"in {rng.choice(values.MONTHS)}",
                f"next {rng.choice(values.DAYS)}",
                "today",
                "on the weekend",
                f"in {rng.randint(2, 30)} days",
            )
        ).replace("(am|pm)", rng.choice(("am", "pm")))
    return _date(rng) if rng.random() < 0.6 else values.date(rng)
