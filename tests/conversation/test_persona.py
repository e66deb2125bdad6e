from datetime import date

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.persona import (
    BUILT_IN,
    DEFAULT,
    PLAIN,
    Persona,
    check_name,
    check_prompt,
    find_built_in,
    normal_name,
)
from bot.conversation.window import TokenBudget
from bot.errors import InvalidPersonaName, PersonaError, PersonaTooLong

LARGE = TokenBudget(4096, 4096, 1024)
SMALLEST = TokenBudget(4096, 1024, 512)


def test_trinity_is_the_default_with_the_prompt_of_the_original_post():
    assert BUILT_IN[0] is DEFAULT
    assert DEFAULT.name == "Trinity"
    assert DEFAULT.prompt == (
        "Your name is Trinity. You are a helpful, respectful and honest assistant. Always answer as helpfully as "
        "possible, while being safe. Your answers should not include any harmful, unethical, racist, sexist, toxic, "
        "dangerous, or illegal content. Please ensure that your responses are socially unbiased and positive in "
        "nature. If a question does not make any sense, or is not factually coherent, explain why instead of "
        "answering something not correct. If you don't know the answer to a question, please don't share false "
        "information."
    )


def test_plain_is_one_sentence():
    assert PLAIN in BUILT_IN
    assert PLAIN.prompt.count(".") == 1


@pytest.mark.parametrize("persona", BUILT_IN, ids=lambda persona: persona.name)
def test_a_built_in_persona_is_valid_even_in_the_smallest_window(encoder: TurnEncoder, persona: Persona):
    assert check_name(persona.name) == persona.name
    assert check_prompt(persona.prompt, encoder, SMALLEST) == persona.prompt


def test_names_are_found_in_any_case():
    assert find_built_in(" TRINITY ") is find_built_in("trinity") is find_built_in("Ｔrinity") is DEFAULT
    assert find_built_in("nobody") is None
    assert len({normal_name(persona.name) for persona in BUILT_IN}) == len(BUILT_IN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＦＩＸ", "fix"),
        ("ﬁx", "FIX"),
        ("Straße", "STRASSE"),
        ("café", "cafe\u0301"),
        ("İx", "i\u0307X"),
        ("\u3000fix\u00a0", "fix"),
        ("f\u200bi\u00adx\ufe0f", "fix"),
        ("fix\u3164\u2800", "fix"),
        ("q\u0323\u0307", "q\u0307\u0323"),
        ("①②", "12"),
    ],
)
def test_two_ways_of_writing_a_name_are_one_name(one, other):
    assert normal_name(one) == normal_name(other)
    assert normal_name(normal_name(one)) == normal_name(one)


def test_other_letters_and_accents_are_another_name():
    assert len({normal_name(name) for name in ("cafe", "café", "caffe", "cafe-", "саfe")}) == 5


@pytest.mark.parametrize(
    "name", ["pirate2", "Käpt'n".replace("'", "_"), "船長", "a-b_c", "x" * 32, "हिन्दी", " padded "]
)
def test_a_word_is_a_name(name):
    assert check_name(name) == name.strip()


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 33, "two words", "a\nb", "[INST]", "<@1>", "--", "_", "a:b", "a/b", "\u200b", "a\x00"]
)
def test_anything_else_is_no_name(name):
    with pytest.raises(InvalidPersonaName):
        check_name(name)


def test_a_prompt_over_the_cap_is_refused_with_its_cost(encoder):
    with pytest.raises(PersonaTooLong) as refused:
        check_prompt("😀" * 4000, encoder, LARGE)

    assert refused.value.limit == 512
    assert abs(refused.value.num_tokens - 16_000) < 30


def test_a_prompt_may_take_half_of_a_small_budget(encoder):
    prompt = "😀" * 70

    assert check_prompt(prompt, encoder, LARGE) == prompt
    with pytest.raises(PersonaTooLong) as refused:
        check_prompt(prompt, encoder, SMALLEST)
    assert refused.value.limit == 256


@pytest.mark.parametrize("prompt", ["", " \n", "\u200b\u202e", "\u3164"])
def test_a_prompt_without_anything_to_read_is_refused(encoder, prompt):
    with pytest.raises(PersonaError, match="needs a prompt"):
        check_prompt(prompt, encoder, LARGE)


def test_a_prompt_is_kept_as_it_was_written_but_for_what_cannot_be_stored(encoder):
    assert check_prompt(" You say [INST]\x00. \n", encoder, LARGE) == "You say [INST]\ufffd."


def test_a_prompt_names_the_day_it_is_read_on():
    persona = Persona("clerk", "It is {date}. {date}! {time}")

    assert persona.on(date(2026, 11, 8)).prompt == "It is Sunday, 8 November 2026. Sunday, 8 November 2026! {time}"
    assert DEFAULT.on(date(2026, 11, 8)) == DEFAULT


def test_the_day_counts_with_its_length(encoder):
    prompt = "It is {date}. " * 20
    longest = Persona("clerk", prompt).on(date(2026, 9, 30)).prompt

    for budget in (LARGE, SMALLEST):
        with pytest.raises(PersonaTooLong) as refused:
            check_prompt(prompt * 3, encoder, budget)
        assert refused.value.num_tokens == encoder.num_system_tokens((longest * 3).strip())
