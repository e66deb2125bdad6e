"""What a question is about: without the words that are only said to the bot, and with other words for the same thing.

People tell facts of themselves in a few ways, and ask for them in many: who "was born in Oslo" asks "where am I from?".
Each of these few facts has the words in which it is told, and they count as one word more of the question. What is
about anything else goes by its own words alone. In English: other languages have a question's own words.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from bot.conversation.word_forms import LITTLE_STEMS, STOP_WORDS, stem, stems, words

_TO_DO = (
    "know|remember|recall|tell|say|repeat|spell|remind|state|give|guess|write|type|show|catch|note|forget|forgotten"
)
_SAID_TO_THE_BOT = re.compile(
    rf"\b(?:you|u)(?: (?:still|even|please|kindly|perhaps|already|have))* (?:{_TO_DO})(?: me| us)?(?: of| about)?\b"
    rf"|^(?:(?:please|so|and|now|well|ok|okay|hey|hello|hi|also|just) )*(?:{_TO_DO})(?: me| us| of)?\b"
    r"|\b(?:(?:did|have|had) )?i(?: ve| have| had)?(?: ever| already)?"
    r" (?:told|tell|gave|give|mentioned|mention|said|say)(?: to)?(?: you)?\b"
    r"|\bi(?: ve| have)? (?:forgot|forgotten|wonder|wondered)\b"
    r"|\bi (?:d like|want|m curious|don t remember)(?: to know)?\b"
    r"|\b(?:please|pls|again|thanks|thank you|btw|by the way)\b"
)
"""What stands around the thing that is asked for, in words as `words` gives them."""
_ASKING = frozenset(
    ("what", "whats", "who", "whos", "where", "wheres", "when", "which", "why", "how", "do", "does", "did", "can",
     "could", "tell")
)  # fmt: skip
_OF_THE_PAST = frozenset(("did", "when"))
"""With these it is asked what happened, and for no fact."""

# How a fact is asked for; the words in which it is told; pairs of words that tell it where each alone says nothing.
_FACTS = (
    (
        r"name|nickname|called|who am i|(?:call|address|name|know) me",
        "name nickname call introduce meet",
        "call me, calls me, know me, knows me, address me, save me, name me, meet you",
    ),
    (
        r"where .{0,60}(?:live|living|reside|stay|based|home|house|move)|(?:my|s) (?:home|address|city|town)|"
        r"(?:city|town|place|village|country) .{0,60}(?:live|living|move|home|reside)",
        "live home reside move city town address house flat apartment based settle village residence",
        "",
    ),
    (
        r"where .{0,60}(?:from|born|grow|grew|raised|come|roots|origin)|"
        r"(?:country|town|city|place) .{0,60}(?:from|born|grow|grew)|birthplace|origins?|hometown|roots|childhood",
        "born birthplace birth origin originally grow raised hometown roots come country",
        "am from, m from, is from, s from",
    ),
    (r"old|age|how many (?:years|birthdays)", "old age years birthday turned", ""),
    (
        r"job|profession|occupation|career|for a living|earn|employed|what do i do|work as|trade",
        "work job profession occupation career employed living trade earn",
        "",
    ),
    (r"employer|company|where .{0,60}work|who .{0,60}work", "work employer employed company firm job", ""),
    (r"husband|wife|spouse|partner|married|marry", "husband wife spouse partner married", ""),
    (r"birthday|born", "birthday born birth", ""),
    (
        r"hobby|hobbies|pastime|passion|interests?|(?:free|spare) time|for fun|relax",
        "hobby pastime passion interest spare free relax fun enjoy",
        "",
    ),
    (r"favou?rites?", "favourite favorite", ""),
    (r"prefer|(?:like|love|enjoy) (?:the )?(?:most|best)", "favourite favorite prefer love best", ""),
    (r"languages?|speak|fluent", "language speak fluent", ""),
    (r"car|drive", "car drive vehicle", ""),
    (r"instruments?", "instrument play", ""),
)
_PAIRS = frozenset(pair.strip() for _, _, pairs in _FACTS for pair in pairs.split(",") if pair)
_SECONDS = frozenset(pair.split()[1] for pair in _PAIRS)
_FACTS_ASKED_FOR = tuple(
    (
        re.compile(rf"\b(?:{asked})\b"),
        frozenset((*stems(told), *(pair.strip() for pair in pairs.split(",") if pair))),
    )
    for asked, told, pairs in _FACTS
)
_SENTENCE = re.compile(r"[^.!?…。！？؟\n]+[.!?…。！？؟]*")
_QUESTION_MARKS = ("?", "？", "؟")
_MOST_SENTENCES = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question, or a sentence of it, is about."""

    forms: tuple[str, ...]
    """The stems of its words, in order."""
    facts: tuple[frozenset[str], ...]
    """Of each fact that it asks for, the stems and pairs of words by which that is told."""


def wanted_by(asked: Sequence[str], names: Container[str]) -> Wanted:
    """What some words are about, as `words` gives them; `names` are people's, which are no words of it."""
    text = _SAID_TO_THE_BOT.sub(" ", " ".join(asked))
    is_of_the_past = not _OF_THE_PAST.isdisjoint(text.split())
    facts = () if is_of_the_past else tuple(told for asked_for, told in _FACTS_ASKED_FOR if asked_for.search(text))
    about = [word for word in text.split() if word not in STOP_WORDS and word not in names]
    if not about and not facts:
        about = [word for word in asked if word not in STOP_WORDS and word not in names] or [*asked]
    return Wanted(tuple(map(stem, about)), facts)


def stems_asked_for(question: str) -> frozenset[str]:
    """The stems of what a question is about, and those by which the facts are told that it asks for."""
    wanted = wanted_by(words(question), ())
    return frozenset(wanted.forms).union(*wanted.facts) - LITTLE_STEMS


def sentences_asking(question: str, names: Container[str]) -> list[Wanted]:
    """What those of a question's sentences are about that may ask for something, where it is of several."""
    sentences = [sentence for sentence in _SENTENCE.findall(question) if sentence.strip()]
    found = []
    for sentence in sentences if 1 < len(sentences) <= _MOST_SENTENCES else []:
        wanted = wanted_by(words(sentence), names)
        if wanted.facts or (sentence.endswith(_QUESTION_MARKS) and len(wanted.forms) > 1):
            found.append(wanted)
    return found


def pairs_telling(said: Sequence[str]) -> list[str]:
    """Those pairs of words, side by side, by which facts are told in words that alone say nothing."""
    seconds = [at for at, word in enumerate(said) if at and word in _SECONDS]
    return [pair for at in seconds if (pair := f"{said[at - 1]} {said[at]}") in _PAIRS]


def asks(text: str, said: Sequence[str]) -> bool:
    """Whether a message is a question: it ends with a mark, or begins as questions do; `said` are its words."""
    return text.endswith(_QUESTION_MARKS) or not _ASKING.isdisjoint(said[:1])


def knows_not(said: Sequence[str]) -> bool:
    """Whether a message says, in its first words, that somebody doesn't know."""
    return "don t know" in " ".join(said[:6])
