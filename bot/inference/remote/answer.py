"""One answer, as it comes from a server: its pieces over all the streams that it takes, and what their events mean."""

import json
import logging
import time
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from tokenizers import Tokenizer

from bot.errors import EngineUnavailable, RequestFailed
from bot.inference.engine import Counters, Delta, FinishReason, Request
from bot.inference.remote.prompts import AnswerText, TextTokens
from bot.inference.remote.server import PASSING_STATUS

log = logging.getLogger(__name__)

_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
}


class BrokenOff(Exception):
    """The server went away, or ended a stream without saying that the answer is whole."""


class RemoteAnswer:
    """What came of a request so far.

    Args:
        request: what is asked.
        tokenizer: makes ids of a text where the server doesn't give them.
        end_tokens: how the tokens are spelled that end an answer.
    """

    def __init__(self, request: Request, tokenizer: Tokenizer, end_tokens: Collection[str]) -> None:
        self.request = request
        self.said = ""
        """As the server wrote it, for a stream that goes on behind it."""
        self._num_told_tokens = 0
        self.num_cached_tokens = 0
        self._tokens = TextTokens(tokenizer)
        self._text = AnswerText(end_tokens, is_continued=request.is_continued)
        self._started_at = time.monotonic()
        self._begun_at = self._started_at
        self._half = ""
        self._first_token_seconds = 0.0

    @property
    def num_new_tokens(self) -> int:
        """Tokens that came so far."""
        return self._num_told_tokens + self._tokens.num_held_back

    def begin(self) -> None:
        """It has a place at the server now."""
        self._begun_at = time.monotonic()

    def read(self, event: Mapping[str, Any]) -> tuple[Delta | None, FinishReason | None]:
        """What an event says: a piece of the answer, its end, or nothing.

        Raises:
            BrokenOff: it ended in a way that no whole answer does.
            RequestFailed: the server's filter ended it.
        """
        self.note_usage(event)
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
        if choice is None:
            return None, None
        ended = choice.get("finish_reason")
        finish_reason = _FINISH_REASONS.get(ended) if isinstance(ended, str) else None
        if ended == "content_filter":
            log.warning("the model's server ends an answer for what its filter says of it")
            raise RequestFailed  # and would again
        if ended and finish_reason is None:
            raise BrokenOff(f"it ended an answer with “{str(ended)[:40]}”")
        text = choice.get("text")
        text = self._whole_characters(text if isinstance(text, str) else "")
        is_first = not self.said
        token_ids = self._token_ids(choice.get("token_ids"), text)
        self.said += text
        if is_first and self.said:
            self._first_token_seconds = time.monotonic() - self._started_at
        shown = self._text.push(text)
        if not shown and not token_ids:
            return None, finish_reason
        return Delta(shown, token_ids, counters=self._counters() if is_first else None), finish_reason

    def last(self, delta: Delta | None, finish_reason: FinishReason) -> Delta:
        """The last piece, with what is still held back."""
        text, token_ids = ("", ()) if delta is None else (delta.text, delta.token_ids)
        rest = self._tokens.finish()
        self._num_told_tokens += len(rest)
        return Delta(text + self._text.finish(), token_ids + rest, finish_reason, self._counters())

    def _whole_characters(self, text: str) -> str:
        """A piece with whole characters: servers that count in UTF-16 cut one into two surrogates, of two pieces."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def note_usage(self, event: Mapping[str, Any]) -> None:
        """Note what an event says of the prompt's tokens that the server had already."""
        usage = event.get("usage")
        details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        if isinstance(cached, int):
            self.num_cached_tokens = max(self.num_cached_tokens, cached)

    def _token_ids(self, given: Any, text: str) -> tuple[int, ...]:
        is_told = isinstance(given, list) and given
        token_ids = tuple(each for each in given if isinstance(each, int)) if is_told else self._tokens.push(text)
        self._num_told_tokens += len(token_ids)
        return token_ids

    def _counters(self) -> Counters:
        return Counters(
            num_prompt_tokens=len(self.request.prompt_token_ids),
            num_cached_tokens=self.num_cached_tokens,
            num_new_tokens=self.num_new_tokens,
            queued_seconds=self._begun_at - self._started_at,
            first_token_seconds=self._first_token_seconds,
            total_seconds=time.monotonic() - self._started_at,
        )


def parsed(data: str) -> dict[str, Any]:
    """An event's data.

    Raises:
        BrokenOff: it is nothing that belongs to an answer, or an error that may pass.
        RequestFailed: the server refuses this request.
    """
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise BrokenOff("it sent an event that is no JSON") from None
    if not isinstance(event, dict):
        raise BrokenOff("it sent an event of an unknown kind")
    error = event if event.get("object") == "error" else event.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        code = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code  # LiteLLM
        is_invalid = event.get("error_type") == "validation"  # TGI, which has no codes
        if is_invalid or (isinstance(code, int) and 400 <= code < 500 and code not in PASSING_STATUS):
            log.warning("the model's server refuses a request in mid-stream (%s)", "invalid" if is_invalid else code)
            raise RequestFailed
        raise BrokenOff("it reports an error in mid-stream")
    return event


def refusal(status: int) -> Exception:
    """What a status other than 200 means."""
    if status in PASSING_STATUS:
        return BrokenOff(f"it answers {status}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return EngineUnavailable(f"The model's server refuses TRINITY_ENGINE_API_KEY ({status}).")
    if status == HTTPStatus.NOT_FOUND:
        return BrokenOff("it doesn't have the model any more (404)")
    # What it says may repeat what people wrote, so that it isn't logged.
    log.warning("the model's server refuses a request (%d)", status)
    return RequestFailed()
