import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.chat_format import (
    LLAMA_2,
    ChatPrompt,
    EmptyConversation,
    EmptyMessage,
    InvalidFirstRole,
    InvalidTurn,
    LastMessageNotUser,
    Message,
    TurnEncoder,
    turn_text,
)
from bot.conversation.messages import Role
from bot.conversation.sanitize import user_text
from bot.conversation.tokenizer import encode, load_tokenizer
from tests.conversation.vocabularies import REAL_FOLDER, load_any_vocabulary, needs_real_vocabulary

REFERENCE = json.loads(Path(__file__).with_name("meta_dialogues.json").read_text())
TAG = re.compile(r"\[/?INST\]|<</?SYS>>")
FRAGMENTS = [
    *"[]<>/ \n\u200b\u200d\u0301",
    *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[IN", "ST]", "<<S", "YS>>", "</s>", "<s>", "<unk>"),
    *("［", "ＩＮＳＴ", "］", "inst", "\x00", "\ud83d", "😀", "hello"),
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join)
SAID = (HOSTILE | st.text(min_size=1)).filter(str.strip)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary"))


def conversation(*texts: str, system: str = "") -> ChatPrompt:
    prompt = ChatPrompt(system)
    for index, text in enumerate(texts):
        if index % 2:
            prompt.add_assistant_message(text)
        else:
            prompt.add_user_message(text)
    return prompt


def test_the_template_with_a_system_message():
    prompt = conversation(
        "User message 1", "Assistant message 1", "User message 2", "Assistant message 2", system="System"
    )

    assert prompt.build() == (
        "<s>[INST] <<SYS>>\nSystem\n<</SYS>>\n\nUser message 1 [/INST] Assistant message 1 </s>"
        "<s>[INST] User message 2 [/INST] Assistant message 2 </s>"
    )


def test_the_template_without_a_system_message_ending_on_the_user():
    prompt = conversation("User message 1", "Assistant message 1", "User message 2")

    assert prompt.build() == (
        "<s>[INST] User message 1 [/INST] Assistant message 1 </s><s>[INST] User message 2 [/INST]"
    )


def test_texts_are_stripped_and_an_empty_one_is_not_added():
    prompt = conversation("  hello\n", " \n\t", system="  ")

    assert prompt.messages == [Message(Role.USER, "hello")]


@pytest.mark.parametrize(
    ("roles", "error"),
    [
        ("", EmptyConversation),
        ("a", InvalidFirstRole),
        ("au", InvalidFirstRole),
        ("s", InvalidTurn),
        ("ss", InvalidTurn),
        ("sa", InvalidTurn),
        ("uu", InvalidTurn),
        ("uaa", InvalidTurn),
        ("sus", InvalidTurn),
        ("suau u", InvalidTurn),
    ],
)
def test_roles_that_do_not_alternate_are_refused(tokenizer, roles, error):
    names = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT}
    prompt = ChatPrompt()
    prompt.messages += [Message(names[role], "text") for role in roles.replace(" ", "")]

    with pytest.raises(error):
        prompt.validate_conversation()
    with pytest.raises(error):
        prompt.build()
    with pytest.raises(error):
        prompt.token_ids(tokenizer)


def test_an_empty_message_put_in_by_hand_is_refused():
    prompt = conversation("hello", "hi")
    prompt.messages.append(Message(Role.USER, "  "))

    with pytest.raises(EmptyMessage):
        prompt.build()


def test_an_answered_conversation_can_be_built_but_not_answered(tokenizer):
    prompt = conversation("hello", "hi")

    assert prompt.build() == "<s>[INST] hello [/INST] hi </s>"
    with pytest.raises(LastMessageNotUser):
        prompt.token_ids(tokenizer)


def test_every_turn_is_encoded_by_itself_between_ids_1_and_2(tokenizer):
    prompt = conversation("one", "two", "three", system="be brief")

    first = encode(tokenizer, "[INST] <<SYS>>\nbe brief\n<</SYS>>\n\none [/INST] two ")
    assert prompt.token_ids(tokenizer) == [1, *first, 2, 1, *encode(tokenizer, "[INST] three [/INST]")]


def test_an_answer_is_continued_where_it_stopped(tokenizer):
    prompt = conversation("one", "two", "three", "and so ")

    ids = prompt.token_ids(tokenizer, continue_answer=True)

    first = encode(tokenizer, "[INST] one [/INST] two ")
    assert ids == [1, *first, 2, 1, *encode(tokenizer, "[INST] three [/INST] and so")]


def test_nothing_to_continue_is_the_plain_prompt(tokenizer):
    prompt = conversation("one", "two", "three")

    assert prompt.token_ids(tokenizer, continue_answer=True) == prompt.token_ids(tokenizer)


@needs_real_vocabulary
def test_the_real_vocabulary_gives_the_published_ids():
    ids = conversation("Hey how are you?").token_ids(load_tokenizer(REAL_FOLDER))

    assert ids == [1, 518, 25580, 29962, 18637, 920, 526, 366, 29973, 518, 29914, 25580, 29962]


@needs_real_vocabulary
def test_the_ids_are_those_of_metas_algorithm_on_sentencepiece():
    tokenizer = load_tokenizer(REAL_FOLDER)

    ids = [conversation(*each["messages"], system=each["system"]).token_ids(tokenizer) for each in REFERENCE]

    assert ids == [each["ids"] for each in REFERENCE]


@pytest.mark.no_cover
@given(system=SAID | st.just(""), texts=st.lists(SAID, min_size=1, max_size=5))
def test_what_is_said_never_becomes_structure(small, system, texts):
    prompt = conversation(*texts, system=system)
    num_turns = (len(texts) + 1) // 2

    ids = prompt.token_ids(small, continue_answer=True)
    built = prompt.build()

    borders = ([1, 2] * num_turns)[:-1]
    system_tags = ["<<SYS>>", "<</SYS>>"] if system else []
    tags = ["[INST]", *system_tags, "[/INST]"] + ["[INST]", "[/INST]"] * (num_turns - 1)
    assert [token_id for token_id in ids if token_id < 3] == borders
    assert TAG.findall(small.decode(ids, skip_special_tokens=True)) == tags
    assert TAG.findall(built) == tags
    assert re.findall("</?s>|<unk>", built) == (["<s>", "</s>"] * num_turns)[: len(texts)]


@given(name=HOSTILE, content=SAID)
def test_a_name_before_a_message_brings_no_structure(name, content):
    text = user_text(LLAMA_2.tags, content, name)

    assert not TAG.search(turn_text(text).removeprefix("[INST]").removesuffix("[/INST]"))
    assert "\n" not in text.partition(":")[0]


@pytest.mark.no_cover
@given(texts=st.lists(SAID, min_size=3, max_size=7).filter(lambda texts: len(texts) % 2 == 1), system=SAID)
def test_a_prompt_continues_the_one_before_it_up_to_its_last_tag(small, texts, system):
    prompts = [conversation(*texts[:end], system=system).token_ids(small) for end in range(1, len(texts) + 1, 2)]

    for earlier, later in pairwise(prompts):
        assert later[: len(earlier)] == earlier


def test_a_turn_that_was_encoded_is_remembered(tokenizer):
    encoder = TurnEncoder(tokenizer)
    conversation("one", "two", "three").token_ids(encoder)

    ids = conversation("one", "two", "three", "four", "five").token_ids(encoder)

    assert encoder.num_encoded == 4  # "one two" once, "three" without and with its answer, "five"
    assert ids == conversation("one", "two", "three", "four", "five").token_ids(tokenizer)


def test_the_memory_for_turns_is_bounded(tokenizer):
    encoder = TurnEncoder(tokenizer, max_cached_tokens=40)
    kept = encoder.encode("kept")

    for index in range(100):
        encoder.encode(f"another text, number {index}")
        assert encoder.encode("kept") is kept

    num_before = encoder.num_encoded
    encoder.encode("another text, number 0")
    assert encoder.num_encoded == num_before + 1


def test_the_shared_prefix_depends_on_the_persona_alone(tokenizer, encoder):
    prefix = encoder.shared_prefix("be brief")

    for text in ["hello", "7 up", "😀", "\\n", "'s", "<b>", "]", ">>"]:
        assert conversation(text, system="be brief").token_ids(encoder)[: len(prefix)] == prefix
    assert tokenizer.decode(prefix) in "[INST] <<SYS>>\nbe brief\n<</SYS>>\n\n"
    assert len(prefix) >= len(encode(tokenizer, "[INST] <<SYS>>\nbe brief\n<</SYS>>"))


def test_a_persona_costs_what_it_adds(encoder):
    plain = conversation("hello").token_ids(encoder)
    with_persona = conversation("hello", system="be brief").token_ids(encoder)

    assert abs(encoder.num_system_tokens("be brief") - (len(with_persona) - len(plain))) <= 1
    assert encoder.num_system_tokens(" ") == 0
