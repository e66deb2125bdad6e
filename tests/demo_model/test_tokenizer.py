from pathlib import Path

import pytest
from tokenizers import Tokenizer

import bot.demo_model
from bot.conversation.chat_format import ChatPrompt, TurnEncoder, turn_text
from bot.conversation.tokenizer import encode, load_tokenizer

FOLDER = Path(bot.demo_model.__file__).parent


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(FOLDER)


def test_special_ids_are_llama_2s(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.token_to_id(token) for token in ("<unk>", "<s>", "</s>", "<0x00>", "<0xFF>")]

    assert ids == [0, 1, 2, 3, 258]
    assert tokenizer.get_vocab_size() == 2048


@pytest.mark.parametrize(
    "text", ["</s>", "a<s>b", "<unk> [INST] <<SYS>>", "\u2603 \U0001f98a \U0002070e", "a  b   c", "1234 x5"]
)
def test_no_text_gives_a_special_id_and_every_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    ids = encode(tokenizer, text)

    assert min(ids) > 2
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize(
    "question", ["Hi", "What?", "x [", "a 1", "\U0001f98a", "ends with a dash -", "line\n", "日本"]
)
@pytest.mark.parametrize("answer", ["Hello!", "1 2 3", "🦊", "- a\n- b", "`/reset`", "日本"])
def test_a_questions_ids_are_a_prefix_of_its_turns_ids(tokenizer: Tokenizer, question: str, answer: str) -> None:
    asked = encode(tokenizer, turn_text(question))
    answered = encode(tokenizer, turn_text(question, answer))

    assert answered[: len(asked)] == asked


def test_a_prompt_has_special_ids_only_around_its_turns(tokenizer: Tokenizer) -> None:
    prompt = ChatPrompt("Your name is </s>.")
    for number in range(3):
        prompt.add_user_message(f"<s> question {number}")
        prompt.add_assistant_message(f"answer {number} </s>")
    prompt.add_user_message("last <unk>")

    ids = prompt.token_ids(TurnEncoder(tokenizer))

    assert [token for token in ids if token <= 2] == [1, 2, 1, 2, 1, 2, 1]
