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


class WordEncoder:
    """Encodes a text word by word, and remembers each: no piece of our tokenizer goes on past a space.

    Several times as fast as the tokenizer on what the corpus repeats, and equal to it.
    """

    def __init__(self, tokenizer: Tokenizer, *, most_words: int = 400_000) -> None:
        self.tokenizer, self.most_words = tokenizer, most_words
        self.space_id = tokenizer.token_to_id("▁")
        self.ids_by_word: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, nothing put around it. A space at the end is a piece of its own."""
        words = text.split(" ")
        ends_with_space = words[-1] == ""
        if ends_with_space:
            words.pop()
        if "" in words:
            return self.tokenizer.encode(text, add_special_tokens=False).ids
        ids: list[int] = []
        for word in words:
            known = self.ids_by_word.get(word)
            if known is None:
                known = self._learn(word)
            ids += known
        return [*ids, self.space_id] if ends_with_space else ids

    def _learn(self, word: str) -> list[int]:
        if len(self.ids_by_word) >= self.most_words:
            self.ids_by_word.clear()
        ids = self.ids_by_word[word] = self.tokenizer.encode(word, add_special_tokens=False).ids
        return ids
