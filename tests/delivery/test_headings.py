import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversation.markup import code_stretches
from bot.delivery.headings import LONGEST, Headings
from bot.delivery.shown_text import ShownText

LINES = st.lists(
    st.sampled_from(
        [
            "#### small", "##### **small**", "###### a *b* c #####", "### large", "####", "#### ", "####x",
            "    #### x", "a paragraph", "```", "```python", "", "stray ` tick", "|| spoiler", "| a | b |", "|---|---|",
            "#### `x`", "#### " + "x" * LONGEST,
        ]
    ),
    max_size=12,
).map("\n".join)  # fmt: skip


def shown(text: str) -> str:
    headings = Headings()
    return headings.feed(text) + headings.finish()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#### Steps", "**Steps**"),
        ("  ###### Steps ##", "**Steps**"),
        ("##### **Steps**", "**Steps**"),
        ("#### The *last* step", "__The *last* step__"),
        ("### Steps", "### Steps"),
        ("#### `code`", "#### `code`"),
        ("####Steps", "####Steps"),
        ("####", "####"),
        ("> #### Steps", "> #### Steps"),
        ("#### a ||secret||", "#### a ||secret||"),
        ("#### open\\", "#### open\\"),
    ],
)
def test_a_heading_that_discord_does_not_know_is_bold(line: str, expected: str) -> None:
    assert shown(f"before\n{line}\nafter") == f"before\n{expected}\nafter"
    assert shown(line) == expected


@pytest.mark.parametrize("before", ["```\n", "```python\nx\n", "```python\n```\n", "a ` tick\n", "||secret\n"])
def test_where_code_or_a_spoiler_is_open_nothing_is_a_heading(before: str) -> None:
    assert shown(f"{before}#### Steps\n") == f"{before}#### Steps\n"


@settings(max_examples=60, deadline=None)
@given(LINES, st.integers(1, 9))
def test_it_does_not_depend_on_how_the_text_arrives(text: str, size: int) -> None:
    headings = Headings()
    pieces = [headings.feed(text[start : start + size]) for start in range(0, len(text), size)]

    assert "".join(pieces) + headings.finish() == shown(text)


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_code_stays_as_it_is_and_words_stay_in_order(text: str) -> None:
    def code(text: str) -> list[str]:
        return [text[start:end] for start, end in code_stretches(text)]

    def words(text: str) -> str:
        return "".join(filter(str.isalnum, text))

    assert code(shown(text)) == code(text)
    assert words(shown(text)) == words(text)


def test_a_heading_above_a_table_and_a_note_below_it() -> None:
    text = ShownText()
    text.write("#### Ages\n| a | b |\n|---|---|\n| 1 | 2 |")
    text.note("a note")

    assert text.pages == ["**Ages**\n```\na  b\n-  -\n1  2\n```\n\n-# a note"]
