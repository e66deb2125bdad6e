"""The stems that a text is found by."""

import pytest

from bot.conversation.word_forms import content_stems, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I painted a sunrise", "paintings of sunrises"),
        ("She went running", "goes run"),
        ("the children's bicycles", "child bicycle"),
        ("Wir haben zwei Katzen", "eine katze"),
        ("J'ai adopté un chien", "adoptée chiens"),
        ("Я купил собаку", "моя собака"),
        ("اشتريت القطة", "قطة"),
        ("قَهْوَة", "قهوة"),
    ],
)
def test_forms_of_a_word_have_a_stem_in_common(one, other):
    assert {*content_stems(one)} & {*content_stems(other)}


@pytest.mark.parametrize("text", ["हिन्दी", "வணக்கம்", "שָׁלוֹם"])
def test_combining_marks_belong_to_their_word(text):
    assert len(words(text)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("猫の名前", ["猫の", "の名", "名前"]),
        ("แมว", ["แม", "มว"]),
        ("고양이", ["고양", "양이"]),
        ("Miso猫", ["miso", "猫"]),
    ],
)
def test_scripts_without_blanks_are_cut_into_pairs(text, expected):
    assert words(text) == expected


def test_letters_that_are_composed_differently_are_the_same():
    assert words("Cafe\u0301") == words("Caf\u00e9")


def test_a_text_without_any_letter_has_no_words():
    assert words("🎉 ... !?") == []


def test_words_that_say_nothing_are_no_content():
    assert content_stems("What did you do about that?") == []


@pytest.mark.parametrize("letter", ["a", "ж"])
def test_of_a_word_without_an_end_only_its_beginning_counts(letter):
    assert words(letter * 100_000) == [letter * 64]
