"""What the bot says to people: every sentence has a key, and stands in words.toml in each language.

A sentence is chosen where it is known what to say, and put into a language where it is shown. In between it travels as
a `Phrase`, a string that reads as its English text: `phrase("queue_full")`, `phrase("too_long", num_tokens=9000)`.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "de", "es", "pt", "ja")
ENGLISH = "en"
_THOUSANDS = {"en": ",", "de": ".", "es": ".", "pt": ".", "ja": ","}
_POINTS = {"en": ".", "de": ",", "es": ",", "pt": ",", "ja": "."}
_COMMAND = re.compile(r"(?<=`/)[\w-]+(?: [\w-]+)?")

Sentence = Mapping[str, str]
"""One entry of words.toml: what is said, by language."""


class Phrase(str):
    """A sentence with its values, which `to` says in any language; as a string it is its English text.

    What is formatted with it, or added to it, is plain English: a phrase that belongs into another one is handed over
    as a value, and several in a row are `joined`.
    """

    __slots__ = ("_sentence", "key", "values")

    key: str
    values: Mapping[str, Any]
    _sentence: Sentence

    def __new__(cls, key: str, values: Mapping[str, Any], sentence: Sentence) -> "Phrase":
        self = super().__new__(cls, _say(sentence, values, ENGLISH))
        self.key, self.values, self._sentence = key, values, sentence
        return self

    def to(self, language: object) -> str:
        """The sentence in a language, or in that of one of Discord's locales; in English where it isn't known."""
        return _say(self._sentence, self.values, language_of(language))

    def __str__(self) -> str:
        """The phrase itself, so that it survives being an error's text."""
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.key, self.values, self._sentence


def phrase(key: str, **values: Any) -> Phrase:
    """The sentence of that key in words.toml; phrases among the values are put into its language.

    Where `n` is 1 and the file has a sentence KEY_one, it is that one.
    """
    if values.get("n") == 1 and f"{key}_one" in sentences():
        key = f"{key}_one"
    return Phrase(key, values, sentences()[key])


def joined(parts: Iterable[str], separator: str = "\n") -> Phrase:
    """Several texts as one, each of them in the language that is asked for where it is a phrase."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Phrase("", values, {ENGLISH: separator.join(f"{{{name}}}" for name in values)})


def in_language(text: str, language: object) -> str:
    """A phrase in a language; any other text as it is."""
    return text.to(language) if isinstance(text, Phrase) else text


def language_of(locale: object) -> str:
    """The language of words.toml for a locale of Discord's, such as `es-419`; English where the file has no other."""
    language = str(locale).partition("-")[0]
    return language if language in LANGUAGES else ENGLISH


def command_name(command: str, language: object) -> str:
    """The last word of a command such as `persona use`, as people who speak a language see it."""
    return sentences().get(f"/{command}", {}).get(language_of(language)) or command.rpartition(" ")[2]


@cache
def sentences() -> Mapping[str, Sentence]:
    """All of words.toml; read once."""
    with Path(__file__).with_name("words.toml").open("rb") as file:
        return tomllib.load(file)


def _say(sentence: Sentence, values: Mapping[str, Any], language: str) -> str:
    said = sentence.get(language) or sentence[ENGLISH]
    if language != ENGLISH and "`/" in said:
        said = _COMMAND.sub(lambda match: _localized(match[0], language), said)
    return said.format(**{name: _value(value, language) for name, value in values.items()})


def _localized(command: str, language: str) -> str:
    """A command in a sentence, such as `persona use`; what isn't one of ours stays as it is."""
    words = command.split(" ")
    return " ".join(command_name(" ".join(words[: number + 1]), language) for number in range(len(words)))


def _value(value: Any, language: str) -> Any:
    if isinstance(value, Phrase):
        return value.to(language)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _Number(value, language)
    return value


class _Number:
    """A number in a sentence, written as its language does: `{n:,}` is 4.096 in German."""

    def __init__(self, number: float, language: str) -> None:
        self._number = number
        self._language = language

    def __format__(self, form: str) -> str:
        marks = {",": _THOUSANDS[self._language], ".": _POINTS[self._language]}
        return "".join(marks.get(character, character) for character in format(self._number, form))
