"""Llama-2's chat format: Meta's generation.py, chat_completion."""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import UnfitVocabulary
from bot.conversation.sanitize import TemplateTags
from bot.conversation.tokenizer import BEGIN_ID, END_ID, SPECIAL_TOKENS

_TAGS = TemplateTags(("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"), tuple(SPECIAL_TOKENS))


class Llama2Format:
    """Llama-2's chat template: one text a turn, with ids 1 and 2 (`<s>` and `</s>`) around it."""

    name = "llama-2"
    tags = _TAGS
    control_tokens: Mapping[int, str] = {token_id: token for token, token_id in SPECIAL_TOKENS.items()}
    begin_id = BEGIN_ID
    stop_ids = (END_ID,)
    default_system = ""
    is_encoded_whole = False

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = "") -> "Llama2Format":  # noqa: ARG003 - as its siblings
        """The format, if the vocabulary numbers its special tokens as Llama-2's does.

        Raises:
            UnfitVocabulary: it doesn't.
        """
        for token, token_id in SPECIAL_TOKENS.items():
            found = tokenizer.token_to_id(token)
            if found != token_id:
                raise UnfitVocabulary(
                    f"{token} must have id {token_id}, and is {'missing' if found is None else found}"
                )
        return LLAMA_2

    def without_default(self) -> "Llama2Format":
        """The same without a system message of its own."""
        return self

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """`<s>`, the turn's text and `</s>`; a turn without an answer, or an incomplete one, has no `</s>`."""
        text = turn_text(turn.question, turn.answer, system_message=turn.system_message if turn.is_first else "")
        if turn.is_ended:
            return BEGIN_ID, text, END_ID
        return BEGIN_ID, text.removesuffix(" ") if turn.answer else text


LLAMA_2 = Llama2Format()


def turn_text(question: str, answer: str = "", *, system_message: str = "") -> str:
    """One turn in Llama-2's template, from cleaned texts. Without an answer it ends where the model is to begin."""
    system_block = f"<<SYS>>\n{system_message}\n<</SYS>>\n\n" if system_message else ""
    return f"[INST] {system_block}{question} [/INST]" + (f" {answer} " if answer else "")
