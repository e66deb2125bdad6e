import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversation.markup import code_stretches
from bot.delivery.split import split
from bot.delivery.tables import FINAL_LENGTH, WIDEST, Tables, width_of
from tests.client_markdown import has_open_block

LINES = st.lists(
    st.sampled_from(
        [
            "| a | b |",
            "|---|---|",
            "| --- | :-: |",
            "| 名前 | x |",
            "| `x` | **y** |",
            "| ` | y |",
            "|| spoiler || |",
            "| \\| | z | too many |",
            "a paragraph",
            "```",
            "```python",
            "",
            "   ",
            "> | a |",
            "| word that makes it wide at last, wider than a phone shows | and its neighbour, long too |",
            "stray ` tick",
        ]
    ),
    max_size=14,
).map("\n".join)


def shown(text):
    tables = Tables()
    return tables.feed(text) + tables.finish()


def test_a_table_becomes_an_aligned_block():
    text = (
        "Look:\n\n| Name | Age | City |\n|:---|---:|:-:|\n| Ann | 7 | Rome |\n| **Bartholomew** | 41 | `NY` |\n\nDone."
    )

    assert shown(text) == (
        "Look:\n\n```\n"
        "Name         Age  City\n-----------  ---  ----\nAnn            7  Rome\nBartholomew   41   NY\n```\n\nDone."
    )


def test_marks_within_a_word_are_no_formatting():
    assert shown("| a | b |\n|--|--|\n| 2*3*4 | 2**3**4 |\n| **x** | a__b__c |") == (
        "```\na      b\n-----  -------\n2*3*4  2**3**4\nx      a__b__c\n```\n"
    )


def test_wide_characters_take_two_columns():
    assert shown("| 名前 | x |\n|--|--|\n| ab | y |\n| e\u0301 | z |") == (
        "```\n名前  x\n----  -\nab    y\ne\u0301     z\n```\n"
    )
    assert [width_of(text) for text in ("中", "👨\u200d👩\u200d👧", "❤\ufe0f", "👍🏽", "🇩🇪", "a\u200b", "ﾊ")] == [
        2,
        2,
        2,
        2,
        2,
        1,
        1,
    ]


def test_a_table_too_wide_for_a_phone_becomes_a_list_that_loses_nothing():
    text = (
        "| Feature | What it does | Since |\n|---|---|---|\n"
        "| Fast | It answers before anybody has finished reading the question | 2 |\n| Kind | | 3 |\n"
    )

    assert shown(text) == (
        "**Feature: Fast**\n- What it does: It answers before anybody has finished reading the question\n- Since: 2\n"
        "**Feature: Kind**\n- Since: 3\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "| just | a line |\nand text",
        "| a | b |\n|---|\n| c | d |",
        "|x| is the absolute value of x.\n|y| is another.\n",
        "```\n| a | b |\n|---|---|\n| c | d |\n```\n",
        "~ | a |\n|---|\n",
        "stray ` tick\n\n| a | b |\n|---|---|\n| c | d |\n\n` more",
        "|| hidden ||\n|---|\n| c |",
        "||\nhidden\n| a | b |\n|---|---|\n| c | d |\n||",
        "| a `| b |\n|---|---|\n| c | d ` |",
        "a | b\n---|---\n",
        "|",
        "| a |\n",
    ],
)
def test_what_is_no_table_stays_as_it_is(text):
    assert shown(text) == text


def test_a_row_whose_ticks_go_on_behind_it_ends_the_table():
    text = "| a |\n|---|\n| b |\n| c ` |\n[x](y) ` z"

    assert shown(text) == "```\na\n-\nb\n```\n| c ` |\n[x](y) ` z"


def test_a_hidden_cell_is_not_laid_open():
    assert "||the butler||" in shown("| who |\n|---|\n| a |\n| ||the butler|| |\n")


def test_a_list_brings_nothing_alive_that_was_escaped_or_code():
    wide = "w" * WIDEST
    text = f"| `[a](b)` | {wide} |\n|---|---|\n| \\*c\\* [d]**(e)** | `f` |\n"

    assert shown(text) == f"`[a](b)`: \\*c\\* [d]**(e)**\n- {wide}: `f`\n"


def test_rows_appear_while_the_table_grows_and_the_line_that_runs_waits():
    tables = Tables()

    assert tables.feed("Look:\n| a | b |\n") == "Look:\n"
    assert tables.tail == ""
    assert tables.feed("|---|---|\n| c | d |\n| eee") == ""
    assert tables.tail == "```\na  b\n-  -\nc  d\n"
    assert tables.feed("e | f |\n") == ""
    assert tables.tail == "```\na     b\n----  -\nc     d\neeee  f\n"
    assert tables.feed("\nDone") == "```\na     b\n----  -\nc     d\neeee  f\n```\n\nDone"
    assert tables.tail == ""


def test_a_long_line_that_only_begins_like_a_row_is_not_held_back():
    tables = Tables()

    settled = tables.feed("|x| is " + "very " * 100)

    assert settled + tables.tail == "|x| is " + "very " * 100


def test_a_long_table_keeps_its_widths_and_its_rows_come_one_by_one():
    tables, rows = Tables(), "| some cell | another |\n" * 100
    settled = tables.feed("| a | b |\n|---|---|\n" + rows)

    more = tables.feed("| a cell that is wider than all | x |\n")

    assert len(settled) >= FINAL_LENGTH
    assert tables.tail == ""
    assert more == "a cell that is wider than all  x\n"


@given(LINES, st.lists(st.integers(min_value=0, max_value=400), max_size=12))
@settings(max_examples=100, deadline=None)
def test_what_is_shown_does_not_depend_on_how_the_text_arrives(text, places):
    tables, settled, start = Tables(), "", 0
    for place in [*sorted(places), len(text)]:
        settled += tables.feed(text[start:place])
        start = max(start, place)

    assert settled + tables.finish() == shown(text)


@given(LINES)
@settings(max_examples=100, deadline=None)
def test_no_word_is_lost_and_what_was_live_or_code_stays_so(text):
    result = shown(text)

    for word in re.findall(r"\w+", text):
        assert result.count(word) >= text.count(word)
    assert has_open_block(result) == has_open_block(text)
    assert outside_code(result).count("`") == outside_code(text).count("`")


def outside_code(text):
    """What stands outside of code."""
    pieces, place = [], 0
    for start, end in code_stretches(text):
        pieces.append(text[place:start])
        place = end
    return "".join([*pieces, text[place:]])


def test_a_table_over_two_messages_is_a_block_in_each():
    rows = "".join(f"| entry number {number} | {number * number} |\n" for number in range(120))

    pages = split(shown("| name | square |\n|---|---|\n" + rows))

    assert len(pages) == 2
    assert all(page.startswith("```\n") and page.endswith("```") for page in pages)


def test_a_cell_with_marks_that_never_end_takes_no_long_time():
    began = time.process_time()

    text = shown("| a | b |\n|---|---|\n| " + "*a " * 15_000 + "| x |\n")

    assert "- b: x" in text
    assert time.process_time() - began < 4.0
