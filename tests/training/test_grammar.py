import random
import re

import pytest

from training import grammar


def test_a_pattern_gives_each_of_its_alternatives() -> None:
    pattern = grammar.parse_pattern("(What is|What's) my {k}(?|)")

    drawn = set()
    for seed in range(60):
        parts: list[str] = []
        grammar._walk(pattern, random.Random(seed), {"k": "name"}, parts)
        drawn.add("".join(parts))

    assert drawn == {"What is my name?", "What is my name", "What's my name?", "What's my name"}


@pytest.mark.parametrize("pattern", ["(ok|;)|cool)(|!)", "(ok|cool", "a|b"])
def test_a_bracket_or_bar_out_of_place_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"outside of alternatives|unclosed bracket"):
        grammar.parse_pattern(pattern)


def test_a_bracket_behind_a_backslash_is_text() -> None:
    assert grammar.parse_pattern(r"f\(x\)") == ["f", "(", "x", ")"]


def test_every_slot_of_every_block_can_be_filled() -> None:
    rng, given = (
        random.Random(1),
        dict.fromkeys(("v", "v2", "k", "k2", "t", "o", "ks", "who", "n", "q", "a", "b"), "it"),
    )
    given |= dict.fromkeys(("x", "wish", "name", "other", "role", "typed"), "it")

    drawn = [grammar.draw(block, rng, given) for block in grammar.patterns() for _ in range(20)]

    assert not [text for text in drawn if re.search(r"\{[a-z_0-9+-]+\}", text)]


def test_slots_have_capitals_plurals_and_numbers() -> None:
    rng = random.Random(2)

    assert grammar.fill("Pet", rng)[0].isupper()
    assert grammar.fill("pet+s", rng) in {grammar.plural(pet) for pet in grammar.word_lists()["pet"]}
    assert 3 <= int(grammar.fill("3-5", rng)) <= 5


@pytest.mark.parametrize(
    ("noun", "many"), [("cat", "cats"), ("puppy", "puppies"), ("fox", "foxes"), ("mouse", "mice"), ("key", "keys")]
)
def test_nouns_have_plurals(noun: str, many: str) -> None:
    assert grammar.plural(noun) == many


def test_an_article_agrees_with_a_value_behind_a_mark() -> None:
    assert grammar.article_fixed("a \x01owl\x02 and an cat") == "an \x01owl\x02 and a cat"
