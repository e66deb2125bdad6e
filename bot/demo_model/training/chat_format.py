"""The Llama-2 chat format as token ids: every turn is encoded by itself, ids 1 and 2 are put in as numbers."""

from pathlib import Path

from tokenizers import Tokenizer

BOS, EOS = 1, 2
MODEL_FOLDER = Path(__file__).resolve().parent.parent
TOKENIZER_FILE = MODEL_FOLDER / "tokenizer.json"

Turn = tuple[str, str]
"""What the user said (with the system block where the turn is the first) and what was answered."""


def load_tokenizer(path: Path = TOKENIZER_FILE) -> Tokenizer:
    """The tokenizer, set so that no text can become a special id."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def with_system(system: str, user: str) -> str:
    """Folds the system prompt into the first user text."""
    return f"<<SYS>>\n{system}\n<</SYS>>\n\n{user}" if system else user


def turn_text(user: str, answer: str) -> str:
    return f"[INST] {user} [/INST] {answer} "


def question_text(user: str) -> str:
    return f"[INST] {user} [/INST]"


def encode_prompt(tokenizer: Tokenizer, turns: list[Turn], question: str) -> list[int]:
    """The ids of a prompt whose last user message is still without an answer. System blocks are folded in already."""
    texts = [turn_text(user, answer) for user, answer in turns] + [question_text(question)]
    encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    ids: list[int] = []
    for turn in encoded[:-1]:
        ids += [BOS, *turn, EOS]
    return [*ids, BOS, *encoded[-1]]
