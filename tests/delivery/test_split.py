import re

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.delivery.split import MESSAGE_UNITS, Splitter, is_blank, is_boundary, split, utf16_length
from tests.client_markdown import has_fence_in_inline_code, has_open_block, outside_code

WORDS = st.text(alphabet="abcXYZ019.,!?-_*|#>~ \n\t`'\"äßé中文字😀👨‍👩‍👧🇩🇪\u200bé", max_size=40)
FENCES = st.sampled_from(["```", "```python\n", "\n```\n", "```c++\nint x;\n```\n", "``", "`", "````", "\n\n", ". "])
TEXTS = st.lists(st.one_of(WORDS, FENCES, st.text(max_size=20)), max_size=60).map("".join)
LIMITS = st.integers(min_value=80, max_value=200)


def visible_in_code(text):
    """Every visible character with whether it stands in a code block; fences, languages and formatting left out."""
    shown, in_code = [], False
    for index, stretch in enumerate(text.split("```")):
        in_code = index % 2 == 1
        body = re.sub(r"\A[A-Za-z0-9_+\-.#]{0,30}\n", "", stretch) if in_code else stretch
        shown += [(character, in_code) for character in body if not is_blank(character) and character not in "*_~|>"]
    return shown


@given(TEXTS, LIMITS)
@settings(max_examples=150, deadline=None)
def test_no_part_is_longer_than_the_limit_or_blank(text, limit):
    pages = split(text, limit)

    assert all(utf16_length(page) <= limit for page in pages)
    assert not any(is_blank(page) for page in pages)


@given(TEXTS, LIMITS)
@example("``a```b`c```d", 80)
@settings(max_examples=150, deadline=None)
def test_every_part_has_balanced_fences(text, limit):
    pages = split(text, limit)

    assume(not re.search(r"```[\w+\-.#]*\s*```", text))  # a block that holds nothing is none
    # Where code is cut in two its end lies ahead, so three backticks in it are taken for a block's.
    assume(len(pages) == 1 or not has_fence_in_inline_code(text))
    assert not any(has_open_block(page) for page in pages)


@given(
    st.lists(st.one_of(WORDS.map(lambda word: word.replace("`", "")), st.just("```\ncode;\n```\n")), max_size=60),
    LIMITS,
)
@settings(max_examples=150, deadline=None)
def test_nothing_visible_is_lost_doubled_or_moved_in_or_out_of_code(pieces, limit):
    text = "".join(pieces)

    pages = split(text, limit)

    assert [pair for page in pages for pair in visible_in_code(page)] == visible_in_code(text)


@given(st.lists(st.one_of(WORDS, FENCES), max_size=60), LIMITS)
@settings(max_examples=150, deadline=None)
def test_cuts_do_not_depend_on_how_the_text_arrives(pieces, limit):
    splitter = Splitter(limit)
    seen: list[str] = []

    for piece in pieces:
        splitter.feed(piece)
        final = splitter.pages[: len(splitter._done)]
        assert final[: len(seen)] == seen
        seen = final

    assert splitter.pages == split("".join(pieces), limit)


@given(st.text(min_size=2, max_size=12), st.data())
@settings(max_examples=500, deadline=None)
def test_boundaries_are_boundaries_of_graphemes(text, draw):
    place = draw.draw(st.integers(min_value=1, max_value=len(text) - 1))
    starts = {match.start() for match in regex.finditer(r"\X", text)}

    assert not is_boundary(text, place) or place in starts


def test_graphemes_of_many_scripts_stay_whole():
    for grapheme in ("👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "é", "각", "한", "நி", "क्ष", "🏴\U000e0067\U000e0062\U000e007f", "\r\n"):
        assert not any(is_boundary(grapheme, place) for place in range(1, len(grapheme)))


def test_one_grapheme_longer_than_a_message_is_cut_all_the_same():
    text = "a" + "\u0301" * 5000

    pages = split(text)

    assert "".join(pages).strip() == text
    assert all(utf16_length(page) <= MESSAGE_UNITS for page in pages)


def test_paragraphs_come_before_lines_before_sentences_before_words():
    filler = "word " * 10

    assert split(f"{filler}\n\n{filler}one\ntwo. Three four", 100)[0] == filler.strip()
    assert split(f"{filler}{filler[:20]}one\ntwo. Three four " + filler, 100)[0].endswith("one")
    assert split(f"{filler}{filler[:20]}one two. Three four " + filler, 100)[0].endswith("two.")
    assert split(filler * 3, 100)[0].endswith("word")


def test_a_long_word_is_cut_at_the_limit():
    pages = split("x" * 3000)

    assert "".join(pages) == "x" * 3000
    assert len(pages) == 2


def test_code_is_closed_and_opened_again_with_its_language():
    pages = split("Look:\n```python\n" + "print('hello')\n" * 30 + "```\nDone.", 200)

    assert all(page.startswith("```python\n") for page in pages[1:])
    assert all(page.endswith("\n```") for page in pages[:-1])
    assert pages[-1].endswith("```\nDone.")


def test_a_block_that_would_only_open_at_the_end_of_a_part_begins_in_the_next():
    pages = split("word " * 14 + "\n```python\n" + "x = 1\n" * 20 + "```", 100)

    assert "```" not in pages[0]
    assert pages[1].startswith("```python\nx = 1")


def test_a_block_closed_exactly_at_a_cut_leaves_no_empty_block_behind():
    text = "```\n" + "12345678\n" * 9 + "12345678\n```\nafter that"

    for limit in range(85, 105):
        assert not any("```\n```" in page for page in split(text, limit))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("||", "||"),
        ("**", "**"),
        ("*", "*"),
        ("_", "_"),
        ("__", "__"),
        ("~~", "~~"),
        ("***", "***"),
        ("||**", "**||"),
        ("**||__", "__||**"),
        ("`", "`"),
        ("``", "``"),
        ("> ||", "||"),
        ("|| ", " ||"),
    ],
)
@pytest.mark.parametrize("before", ["", "Intro: ", "word " * 300])
def test_formatting_longer_than_a_part_is_whole_in_each(opening, closing, before):
    text = before + ("\n" if opening[0] in ">|" else "") + opening + ("secret " * 600).strip() + closing + " after"

    pages = split(text)

    shown = [formatted(page, opening.strip("> "), closing.strip()) for page in pages]
    assert all(utf16_length(page) <= 2000 for page in pages)
    assert " ".join(" ".join(inside).strip() for inside, _ in shown).split() == ["secret"] * 600
    assert not any("secret" in outside for _, outside in shown)
    if opening.startswith(">"):
        assert all(page.startswith("> ") for page in pages[1:3])


def formatted(page, opening, closing):
    """What a page shows between the marks, and the rest."""
    pattern = re.escape(opening) + "(.+?)" + re.escape(closing)
    return re.findall(pattern, page, re.DOTALL), re.sub(pattern, "", page, flags=re.DOTALL)


def test_formatting_that_fits_begins_in_the_next_part():
    for mark in ("||", "**", "__", "~~", "*", "`"):
        pages = split(
            "word " * 385 + f"{mark}a secret of many words in a row, as long as this{mark} end " + "word " * 50
        )

        assert mark not in pages[0]
        assert pages[1].startswith(f"{mark}a secret of many words in a row, as long as this{mark} end word")


def test_a_spoiler_goes_on_behind_a_paragraph_and_emphasis_does_not():
    paragraphs = "\n\n".join(["word " * 100] * 6)

    assert [page.count("||") for page in split(f"||{paragraphs}||")] == [2, 2]
    assert [page.count("**") for page in split(f"**{paragraphs} and a*b")] == [1, 0]


@pytest.mark.parametrize(
    "text",
    [
        "2 ** 3 || x and a ** b, then x || y. ",
        "int *p = &x; char* q; f(a * b, c*d). ",
        "snake_case_name and other_name_, say 5_000. ",
        "* one\n* two\n- three ~ four\n",
        "a | b | c\n",
        "2*3*4 = 24 and x**y**z. ",
        "Say \\*this\\* and \\|| that. ",
        "don`t and isn`t. ",
        "a > b >> c\n",
        "**bold** and ||hidden|| and `code` and ~~gone~~ and __init__. ",
    ],
)
def test_text_that_only_looks_like_formatting_comes_out_as_it_went_in(text):
    whole = text * (5000 // len(text))

    pages = split(whole)

    assert "".join("".join(pages).split()) == "".join(whole.split())


@given(
    st.lists(
        st.sampled_from(["**", "*", "||", "__", "_", "~~", "`", "``", "```", " ", "\n", "> ", "word", "a b c ", "."])
    ),
    LIMITS,
)
@settings(max_examples=200, deadline=None)
def test_marks_in_any_order_keep_the_limit_and_the_words(pieces, limit):
    text = "".join(pieces) * 3

    pages = split(text, limit)

    assert all(utf16_length(page) <= limit for page in pages)
    assert re.findall(r"\w", "".join(pages).replace("_", "")) == re.findall(r"\w", text.replace("_", ""))


def test_inline_code_is_never_cut_so_that_its_content_comes_alive():
    code = "`[a](https://example.org) @everyone`"

    for length in range(1900, 2000):
        pages = split("x" * (length % 7) + " word" * (length // 5) + " " + code + " end " + "word " * 100)
        assert not any("](" in outside_code(page) for page in pages)


def test_blank_text_has_no_parts():
    assert split("") == split(" \n\u200b\u2063 ") == split("\n" * 9000) == []


@pytest.mark.no_cover
def test_megabytes_are_split_in_linear_time():
    for text in (
        "`" * 200_000,
        "." * 200_000,
        "\n" * 200_000,
        "```\n" * 50_000,
        "🇩" * 100_000,
        "a\u0301" * 100_000,
    ):
        assert all(utf16_length(page) <= MESSAGE_UNITS for page in split(text))
