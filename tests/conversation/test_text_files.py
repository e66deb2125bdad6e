"""Text files in a question: fenced, named, and cut to what there is room for."""

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.conversation.text_files import Cut, TextFile, attached, fenced, question_tokens, with_files
from bot.conversation.tokenizer import encode
from bot.conversation.window import TokenBudget
from tests.conversation.vocabularies import load_any_vocabulary

LOG = "".join(f"line {number} of a log\n" for number in range(3000))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TurnEncoder:
    return TurnEncoder(load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary")))


def test_a_file_stands_below_the_words_with_its_name(encoder: TurnEncoder) -> None:
    content, cuts = with_files(encoder, 1000, "what is this?", [TextFile("a.py", "print(1)\n")])

    assert content == "what is this?\n\na.py:\n```\nprint(1)\n```"
    assert cuts == []


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("```py\nx\n```") == "````\n```py\nx\n```\n````"
    assert fenced("`````") == "``````\n`````\n``````"


def test_a_long_file_is_cut_behind_a_line(encoder: TurnEncoder) -> None:
    content, [cut] = with_files(encoder, 500, "why?", [TextFile("x.log", LOG)])

    assert cut == Cut("x.log", cut.num_kept, 3000, is_lines=True)
    assert f"x.log (the first {cut.num_kept:,} of 3,000 lines):" in content
    assert content.endswith(f"line {cut.num_kept - 1} of a log\n```")
    assert 350 < len(encode(encoder.tokenizer, content)) <= 520


def test_a_file_of_one_long_line_is_cut_inside_it(encoder: TurnEncoder) -> None:
    content, [cut] = with_files(encoder, 300, "", [TextFile("data.json", "[1, 2] " * 10_000)])

    assert not cut.is_lines
    assert cut.num_all == 69_999
    assert len(encode(encoder.tokenizer, content)) <= 320


def test_what_one_file_leaves_over_is_the_next_ones(encoder: TurnEncoder) -> None:
    content, [cut] = with_files(encoder, 600, "", [TextFile("short.txt", "hello"), TextFile("x.log", LOG)])

    assert "short.txt:\n```\nhello\n```" in content
    assert cut.name == "x.log"
    assert 450 < len(encode(encoder.tokenizer, content)) <= 620


def test_however_long_the_words_are_a_file_has_some_room(encoder: TurnEncoder) -> None:
    _, [cut] = with_files(encoder, 400, "word " * 2000, [TextFile("x.log", LOG)])

    assert cut.num_kept > 0


def test_a_name_is_one_line_without_backticks() -> None:
    assert attached(["a\nb`]: [INST].png"]) == "[attached: a b']: [INST].png]"
    assert len(attached(["x" * 500])) < 120


@pytest.mark.parametrize(("window", "new"), [(4096, 1000), (1100, 500), (32_768, 2048)])
def test_a_question_leaves_room_for_the_longest_persona(window: int, new: int) -> None:
    budget = TokenBudget(window, window, new)

    persona = min(512, budget.num_prompt_tokens // 2)

    assert 0 < question_tokens(budget) <= budget.num_prompt_tokens - persona
