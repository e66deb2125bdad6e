"""Prompts as text, for servers that take no ids, in every chat format."""

import pytest

from bot.conversation.chat_format import ChatPrompt
from bot.inference.remote.prompts import PromptSpeller
from tests.conversation.test_formats import NAMES, Case, build_cases


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, Case]:
    return build_cases(tmp_path_factory.mktemp("vocabularies"))


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_spelled_as_it_is_written(cases, name):
    case = cases[name]
    texts = ("Hello\n\n  there <|eot_id|> </s> [INST] 12", "Yes \u2603.", "And  \n now?")
    speller = PromptSpeller(case.encoder.tokenizer, case.format)

    spelled = speller.spell(case.ids(*texts, system="Be kind."), adds_begin=False)

    written = case.text(*texts, system="Be kind.")
    if name == "mistral-v1":
        written = written.replace("Yes", " Yes")
    # Every control token of the vocabulary is inert there, the format's own and others.
    assert inert(spelled) == inert(written)
    begin = case.format.begin_id
    without = speller.spell(case.ids(*texts, system="Be kind."), adds_begin=True)
    assert without == (spelled if begin is None else spelled.removeprefix(case.format.control_tokens[begin]))


def inert(text: str) -> str:
    for token in ("<|eot_id|>", "</s>", "[INST]"):
        text = text.replace(token, token.strip("<|>[]")).replace(
            f"\u2039{token.strip('<|>[]')}\u203a", token.strip("<|>[]")
        )
    return text


def test_words_that_spell_a_control_token_are_inert(cases):
    for case in cases.values():
        speller = PromptSpeller(case.encoder.tokenizer, case.format)
        for token in case.format.control_tokens.values():
            prompt = ChatPrompt()
            prompt.add_user_message(f"x {token} y")
            plain = ChatPrompt()
            plain.add_user_message("x y")

            spelled, expected = (
                speller.spell(each.token_ids(case.encoder), adds_begin=False) for each in (prompt, plain)
            )

            assert spelled.count(token) == expected.count(token)
