"""Every sentence that people read is there in every language, fits its place, and says the same everywhere."""

import ast
import copy
import re
import string
from functools import cache
from pathlib import Path

import pytest

import bot
from bot.delivery.split import MESSAGE_UNITS, utf16_length
from bot.errors import PromptTooLong, RequestFailed, UserError
from bot.words import LANGUAGES, Phrase, in_language, joined, language_of, phrase, sentences

PACKAGE = Path(bot.__file__).parent


def placeholders(text: str) -> list[tuple[str, str]]:
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None)


def markup(text: str) -> dict[str, int]:
    marks = {mark: text.count(mark) for mark in ("`", "**", "-# ", "\n", ">>>")}
    return marks | {"commands": len(re.findall(r"`/", text))}


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py") if path.name != "words.py"}


def keys_in_code() -> set[str]:
    keys = set()
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "phrase":
                assert isinstance(node.args[0], ast.Constant | ast.IfExp), f"{path.name}:{node.lineno} isn't literal"
                chosen = (
                    [node.args[0].body, node.args[0].orelse] if isinstance(node.args[0], ast.IfExp) else node.args[:1]
                )
                keys |= {each.value for each in chosen}
    return keys


def is_phrase(node: ast.AST, constants: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in constants
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"phrase", "joined"}


def as_plain_text(node: ast.AST) -> list[ast.AST]:
    """What an expression makes plain English of, if it is a phrase."""
    match node:
        case ast.FormattedValue(value=value):
            return [value]
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            return [left, right]
        case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args) if hasattr(str, attr) and attr[0] != "_":
            return [value, *args]
        case _:
            return []


def test_every_sentence_is_there_in_every_language_and_no_other() -> None:
    assert [key for key, sentence in sentences().items() if list(sentence) != list(LANGUAGES)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_has_blanks_around_it(language: str) -> None:
    texts = [sentence[language] for sentence in sentences().values()]

    assert [text for text in texts if not text or text != text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_values_and_the_same_markup(language: str) -> None:
    texts = [(sentence["en"], sentence[language]) for sentence in sentences().values()]

    assert [text for english, text in texts if placeholders(text) != placeholders(english)] == []
    assert [text for english, text in texts if markup(text) != markup(english)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_fits_into_a_message(language: str) -> None:
    texts = [sentence[language] for sentence in sentences().values()]

    assert [text for text in texts if utf16_length(text) > MESSAGE_UNITS] == []


def test_code_says_only_what_is_there_and_everything_that_is_there_is_said() -> None:
    said = keys_in_code()
    there = {key.removesuffix("_one") for key in sentences() if not key.startswith("/") and not key.endswith(":")}

    assert said - there == set()
    assert there - said == set()


def test_no_phrase_loses_its_language_in_another_text() -> None:
    assigned = (node for tree in trees().values() for node in tree.body if isinstance(node, ast.Assign))
    constants = {getattr(each, "id", "") for node in assigned if is_phrase(node.value, set()) for each in node.targets}

    lost = [f"{path.name}:{node.lineno}" for path, tree in trees().items() for node in ast.walk(tree)
            if any(is_phrase(each, constants) for each in as_plain_text(node))]  # fmt: skip

    assert "STOPPED_BY_RESET" in constants
    assert lost == []


def test_a_phrase_reads_as_its_english_and_speaks_every_language() -> None:
    queue_full = phrase("queue_full")

    assert queue_full == sentences()["queue_full"]["en"]
    assert [queue_full.to(language) for language in LANGUAGES] == list(sentences()["queue_full"].values())


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("es-ES", "es"), ("es-419", "es"), ("pt-BR", "pt"), ("ja", "ja"), ("en-GB", "en"), ("fr", "en"),
     ("", "en"), ("xx-unknown", "en")],
)  # fmt: skip
def test_a_locale_of_discords_has_a_language(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_an_error_keeps_its_phrase() -> None:
    errors = (UserError(phrase("broken")), RequestFailed(), PromptTooLong(5000, 4096))

    assert all(isinstance(str(error), Phrase) for error in errors)
    assert "5.000" in in_language(str(errors[-1]), "de")
    assert "5,000" in in_language(str(errors[-1]), "ja")


def test_what_is_no_phrase_stays_as_it_is() -> None:
    assert in_language("somebody's own words", "de") == "somebody's own words"


def test_phrases_within_phrases_have_the_same_language() -> None:
    both = phrase("both", first=phrase("a_poll"), second=phrase("a_sticker"))

    assert both == "a poll and a sticker"
    assert phrase("text_only", unreadable=both).to("de") == (
        "Ich kann eine Umfrage und einen Sticker nicht öffnen; ich lese nur den Text."
    )


def test_lines_that_are_joined_keep_their_languages() -> None:
    lines = joined([phrase("a_poll"), "own {words}"])

    assert lines == "a poll\nown {words}"
    assert lines.to("es") == "una encuesta\nown {words}"


def test_one_has_a_form_of_its_own() -> None:
    assert "1 question " in phrase("own_questions_waiting", n=1)
    assert "8 questions " in phrase("own_questions_waiting", n=8)


def test_a_phrase_can_be_copied() -> None:
    original = phrase("both", first=phrase("a_poll"), second="x")

    copied = copy.deepcopy(original)

    assert copied == original
    assert copied.to("de") == original.to("de")


def test_what_is_put_in_is_shown_as_it_is() -> None:
    assert "{limit}" in phrase("unknown_persona", name="{limit}").to("ja")
