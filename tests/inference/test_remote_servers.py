"""What servers and routers do that vLLM doesn't: how they refuse, load, change and come back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tokenizers import Tokenizer

from bot.conversation.chat_format import LLAMA_2
from bot.errors import RequestFailed
from bot.inference.engine import FinishReason, Request, SamplingParams
from bot.inference.remote.answer import BrokenOff, RemoteAnswer, parsed
from bot.inference.remote.engine import open_remote_engine
from bot.inference.remote.events import read_events
from bot.inference.remote.requests import RequestWriter
from bot.inference.remote.server import Server, ServerKind
from tests.chat.house import until
from tests.conversation.vocabularies import load_any_vocabulary
from tests.inference.completions import CompletionsServer, serve
from tests.inference.test_remote import LIMIT_SECONDS, engine_over, options, request, whole


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary"))


async def test_a_server_that_was_away_for_long_is_found_again_by_itself(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer)
    async with serve(server):
        port = int(server.url.rpartition(":")[2])
        impatient = replace(options(server), outage_patience_seconds=0.1)
        opened = open_remote_engine(impatient, tokenizer, LLAMA_2)
        engine = await opened.__aenter__()
    async with asyncio.timeout(LIMIT_SECONDS):
        await until(lambda: engine.problem is not None)
        await asyncio.sleep(0.2)  # nobody asks for longer than it is waited for

        async with serve(server, port):
            await until(lambda: engine.problem is None)
            text, _ = await whole(engine, request(server))
            await opened.__aexit__(None, None, None)

    assert text == server.answer


async def test_another_model_under_the_name_is_noticed_where_no_connection_broke(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer)
    async with engine_over(server) as engine:
        before = engine.model_hash

        server.max_model_len = 8192
        await until(lambda: engine.max_sequence_tokens == 8192)
        server.max_model_len = 100
        await until(lambda: "it takes 100 tokens now" in (engine.problem or ""))

    assert engine.model_hash == before


async def test_a_list_of_models_may_come_before_the_model(tokenizer: Tokenizer) -> None:
    slot = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 2}
    server = CompletionsServer(tokenizer, owned_by="llamacpp", max_model_len=None, slot=slot, is_loading=True)
    loading = asyncio.get_running_loop().call_later(0.2, setattr, server, "is_loading", False)

    async with engine_over(server) as engine:
        assert engine.max_sequence_tokens == 2048
    loading.cancel()


async def test_a_window_that_became_smaller_is_noticed_by_a_refusal(tokenizer: Tokenizer) -> None:
    slot = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 2}
    server = CompletionsServer(tokenizer, owned_by="llamacpp", max_model_len=None, slot=slot)
    async with engine_over(server) as engine:
        server.slot = {"default_generation_settings": {"n_ctx": 80}, "total_slots": 2}
        with pytest.raises(RequestFailed):
            await whole(engine, request(server))

        await until(lambda: "it takes 80 tokens now" in (engine.problem or ""))


async def test_a_server_that_never_lists_its_models_is_told_which_one(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer, lists_models=False)
    async with engine_over(server, model="llama", context_window=2048) as engine:
        text, _ = await whole(engine, request(server))

    assert text == server.answer


async def test_a_router_that_refuses_fields_with_400_gets_none(tokenizer: Tokenizer) -> None:
    refused = frozenset({"top_k", "repetition_penalty", "stop_token_ids"})
    server = CompletionsServer(tokenizer, owned_by="openai", refused_fields=refused)
    async with engine_over(server) as engine:
        answers = await asyncio.gather(*(whole(engine, request(server)) for _ in range(3)))

    assert {text for text, _ in answers} == {server.answer}
    assert all(isinstance(body["prompt"], list) for body in server.asked)


async def test_a_server_that_refuses_token_ids_with_422_refuses_no_fields(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer, owned_by="x", takes_token_ids=False, refuses_ids_with=422)
    server.words_before_gate = 0
    async with engine_over(server) as engine:
        answering = [asyncio.create_task(whole(engine, request(server))) for _ in range(3)]
        await until(lambda: server.num_running == 3)
        server.gate.set()
        await asyncio.gather(*answering)

    assert all("repetition_penalty" in body for body in server.asked)


async def test_a_router_cannot_keep_all_conversations_on_one_replica(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer, cookie="first")
    async with serve(server), asyncio.timeout(LIMIT_SECONDS):
        server.url = server.url.replace("127.0.0.1", "localhost")  # cookies are for names
        async with open_remote_engine(options(server), tokenizer, LLAMA_2) as engine:
            await whole(engine, request(server))

    assert "Cookie" not in server.headers[0]


async def test_what_a_filter_refuses_is_not_asked_again(tokenizer: Tokenizer) -> None:
    server = CompletionsServer(tokenizer, finish_reason="content_filter")
    async with engine_over(server) as engine:
        with pytest.raises(RequestFailed):
            await whole(engine, request(server))

        assert engine.problem is None
    assert len(server.asked) == 1


async def lines(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 5):
        yield content[start : start + 5]


async def test_an_error_in_place_of_a_stream_is_read() -> None:
    error = b'{"error": {"message": "too long", "code": 400}}'
    for content in (error, error + b"\n", b"\xef\xbb\xbfdata: {}\n\n" + error):
        *_, last = [data async for data in read_events(lines(content))]
        with pytest.raises(RequestFailed):
            parsed(last)

    assert [data async for data in read_events(lines(b"\xef\xbb\xbfdata: a\n\n"))] == ["a"]


def test_a_character_that_was_cut_into_surrogates_is_whole(tokenizer: Tokenizer) -> None:
    answer = RemoteAnswer(Request((1, 5)), tokenizer, [])
    pieces = [answer.read({"choices": [{"text": text}]})[0] for text in ("a \ud83e", "\udd8a b\udd8a", " c\ud83e")]

    shown = "".join(piece.text for piece in pieces if piece is not None) + answer.last(None, FinishReason.STOP).text
    assert shown == answer.said == "a \U0001f98a b\ufffd c"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ('{"error": {"message": "too long", "code": 400}}', RequestFailed),
        ('{"error": {"message": "too long", "code": "400"}}', RequestFailed),
        ('{"error": "`inputs` must have less", "error_type": "validation"}', RequestFailed),
        ('{"error": {"message": "slow down", "code": "429"}}', BrokenOff),
        ('{"error": {"message": "the engine died", "code": 500}}', BrokenOff),
        ('{"error": "Model is overloaded", "error_type": "overloaded"}', BrokenOff),
    ],
)
def test_an_error_in_a_stream_says_whether_it_passes(data: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parsed(data)


@pytest.mark.parametrize(
    ("sampling", "sent"),
    [
        ({"temperature": 0.0, "top_p": 0.95}, {"temperature": 0.0}),
        ({"temperature": 0.7, "top_p": 0.95}, {"temperature": 0.7, "top_p": 0.95}),
        ({"temperature": 0.7, "top_p": 1.0}, {"temperature": 0.7}),
    ],
)
def test_tgi_is_asked_in_its_own_way(tokenizer: Tokenizer, sampling: dict[str, float], sent: dict[str, float]) -> None:
    tgi = Server(ServerKind.TGI, "llama", 4096, False, True, False, 8)
    asked = Request((1, 5, 6), SamplingParams(**sampling))  # type: ignore[arg-type]

    body = RequestWriter(tokenizer, LLAMA_2).body(tgi, RemoteAnswer(asked, tokenizer, []), "session")

    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == sent
