"""A request as each kind of server takes it."""

from typing import Any

from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatFormat
from bot.conversation.tokenizer import encode, is_byte_level
from bot.inference.remote.answer import RemoteAnswer
from bot.inference.remote.prompts import PromptSpeller
from bot.inference.remote.server import Server, ServerKind


def num_left(server: Server, answer: RemoteAnswer) -> int:
    """How many tokens more an answer may have."""
    request = answer.request
    most = min(request.sampling.max_new_tokens, server.max_sequence_tokens - len(request.prompt_token_ids))
    return most - answer.num_new_tokens


class RequestWriter:
    """Writes requests as each kind of server takes them.

    Args:
        tokenizer: the model's.
        chat_format: says what ends an answer, and how control tokens are spelled.
    """

    def __init__(self, tokenizer: Tokenizer, chat_format: ChatFormat) -> None:
        self._tokenizer = tokenizer
        self._speller = PromptSpeller(tokenizer, chat_format)
        self._stop_ids = list(chat_format.stop_ids)

    def body(self, server: Server, answer: RemoteAnswer, session: str) -> dict[str, Any]:
        """The request for an answer, or for what is left of it: every value is sent, since defaults differ."""
        sampling = answer.request.sampling
        body: dict[str, Any] = {
            "model": server.model,
            "prompt": self._prompt(server, answer),
            "max_tokens": num_left(server, answer),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stream": True,
        }
        if server.is_strict:
            return body
        body |= {"stream_options": {"include_usage": True}, "user": session}
        match server.kind:
            case ServerKind.LLAMA_SERVER | ServerKind.LLAMA_CPP_PYTHON:
                body |= {"top_k": sampling.top_k, "repeat_penalty": sampling.repetition_penalty, "min_p": 0.0}
            case ServerKind.TGI:
                body["repetition_penalty"] = sampling.repetition_penalty
                if not sampling.temperature or sampling.top_p >= 1:
                    del body["top_p"]  # it refuses 1, and takes any other for a wish that it choose at random
            case kind:
                body |= {
                    "top_k": sampling.top_k or -1,
                    "repetition_penalty": sampling.repetition_penalty,
                    "stop_token_ids": self._stop_ids,
                }
                if kind is ServerKind.VLLM:
                    body |= {"cache_salt": session, "return_token_ids": True}
        return body

    def _prompt(self, server: Server, answer: RemoteAnswer) -> list[int] | str:
        token_ids, said = answer.request.prompt_token_ids, answer.said
        if server.takes_token_ids:
            # SentencePiece's vocabularies put that blank there themselves.
            said = said if is_byte_level(self._tokenizer) else said.removeprefix(" ")
            return [*token_ids, *(encode(self._tokenizer, said) if said else ())]
        return self._speller.spell(token_ids, adds_begin=server.adds_begin) + said
