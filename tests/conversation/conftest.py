"""What the conversation tests share: vocabularies, and encoders made with them."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bot.conversation.chat_format import TurnEncoder
from tests.conversation.vocabularies import load_any_vocabulary, needs_real_vocabulary


@pytest.fixture(scope="session", params=["small", pytest.param("real", marks=needs_real_vocabulary)])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A Llama-2 tokenizer; a test that asks for it runs with every vocabulary there is."""
    folder: Path = tmp_path_factory.mktemp("vocabulary")
    return load_any_vocabulary(request.param, folder)


@pytest.fixture
def encoder(tokenizer: Tokenizer) -> TurnEncoder:
    """A turn encoder that remembers nothing yet."""
    return TurnEncoder(tokenizer)
