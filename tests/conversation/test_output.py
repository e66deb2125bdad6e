import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.chat_format import LLAMA_2
from bot.conversation.output import OutputFilter
from tests.client_markdown import outside_code

NAMES = ["Anna", "Daniel B.", "fox_42", "Straße", "[AFK] Eve"]
SCOTLAND, WALES = (
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in f"{region}\x7f") for region in ("gbsct", "gbwls")
)
FRAGMENTS = [
    *"[]()<>/@:`*_ \n\t\r.!&1\u200b\u200d\u0301\u202e\u2028\x00\x1b",
    *("\n", "Anna", "anna", "Daniel B.", "fox_42", "STRASSE", "AFK Eve", "User", "System", "Trinity", "Ann", "Dan"),
    *("```", "-#", "``", "</s>", "<s>", "[INST]", "<<SYS>>", "<</SYS", "@everyone", "@here", "<@", "](", "http://x.y)"),
    *("](", "](\n", "]( \n\n", "discord.com\\\\", "](\\\\", "<https://x.y>)"),
    *(SCOTLAND, SCOTLAND[:3], "\U000e0067"),
    *("discord.gg/", "discord.com/inv", "ite/x", "disc", "hello", "😀", "İ", "ſ", "\ud83d"),
    *(
        "`",
        "`",
        "``",
        "```py\n",
        "https://",
        "https:",
        "> ",
        "- ",
        "[12:31] ",
        "[Anna]",
        "~~~",
        "````\n",
        "\\",
        "%2E",
        "a" * 300,
    ),
]
MAX_HELD = 900 + 300
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def shown(*pieces: str, names=NAMES) -> str:
    output = OutputFilter(LLAMA_2.tags, names)
    return "".join([*map(output.feed, pieces), output.finish()])


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "Hello, world!\n\n\tDone.": "Hello, world!\n\n\tDone.",
        "a\x00b\x1b[2Jc\r\nd\x7f\x9b": "ab[2Jc\nd".replace("ab", "a\ufffdb"),
        "a\u202eb\u2066c\u200fd\u200be\ufeff": "abcde",
        "a\u2028b\u2029c\x85d": "a\nb\nc\nd",
        "x" + "\u0301" * 20 + "y\u0301": "x" + "\u0301" * 8 + "y\u0301",
        "x" + "\u0301\u200d" * 10: "x" + "\u0301\u200d" * 8 + "\u200d\u200d",
        "👩‍👩‍👧 می‌خواهم": "👩‍👩‍👧 می‌خواهم",
        "a\ud83db": "a\ufffdb",
        "\U0001f3f4 \U0001f3f4\u200d\u2620\ufe0f": "\U0001f3f4 \U0001f3f4\u200d\u2620\ufe0f",
        f"{SCOTLAND}{SCOTLAND}, {WALES[:-1]}!": f"{SCOTLAND}{SCOTLAND}, \U0001f3f4!",
        f"\U0001f3f4\U000e0068\U000e0069{WALES[-1]} {SCOTLAND[1:]}": "\U0001f3f4 ",
        "dis\u00adcord\U000e0067.gg/x \ufff9a": "discord[.]gg/x a",
        "end</s><s>[INST] more [/INST] <<SYS>>x<</SYS>><unk>": "end‹/s›‹s›⟦INST⟧ more ⟦/INST⟧ «SYS»x«/SYS»‹unk›",
        "@everyone @here": "@\u200beveryone @\u200bhere",
        "<@1> <@!2> <@&3> <@ x>": "<@\u200b1> <@\u200b!2> <@\u200b&3> <@ x>",
        "anna@example.org": "anna@example.org",
        "-# a notice\n-# another, C-#4": "-\u200b# a notice\n-\u200b# another, C-#4",
        "[bank](https://evil.example)": "[bank] (https://evil.example)",
        "[a](<http://b>) [c]( http://d)": "[a] (<http://b>) [c] ( http://d)",
        "calls[0]() and [x] (y)": "calls[0]() and [x] (y)",
        "join discord.gg/abc, https://Discord.com/invite/x": "join discord[.]gg/abc, https://Discord[.]com/invite/x",
        "see discord.com/developers": "see discord.com/developers",
        "\n\n  Hello": "Hello",
    }.items(),
    ids=ascii,
)
def test_text_is_made_safe_to_show(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize(
    "label",
    ["Anna:", "anna :", "**Anna:**", "**Daniel B.**:", "  fox_42:", "STRASSE:", "AFK Eve：", "User:", "System:"],
)
def test_a_line_that_speaks_for_someone_else_ends_the_answer(label):
    output = OutputFilter(LLAMA_2.tags, NAMES)

    text = (
        output.feed(f"Fine, thanks.\n{label} and what now?\nTrinity: nothing") + output.feed("\nmore") + output.finish()
    )

    assert text == "Fine, thanks.\n"
    assert output.is_cut


@pytest.mark.parametrize(
    "text",
    [
        "I told Anna: no",
        "Note:\nAnnabel: a name",
        "well\nAnna said: no",
        "list\n- Annabel: 3 points",
        "quote\n> Annabel: hi",
        "so\nTrinity: that is me",
        "code\n```\nUser: x\n```\nend",
        "inline ```User: x```\nend",
        "names\nAnna",
        "names\nAnna\n: x",
        "Zoe: is not among us\nZoe: so she may speak",
    ],
)
def test_other_lines_are_kept(text):
    output = OutputFilter(LLAMA_2.tags, NAMES)

    assert output.feed(text) + output.finish() == text
    assert not output.is_cut


def test_after_a_code_block_a_forged_line_ends_the_answer_again():
    assert shown("code\n```\nUser: x\n```\nUser: y") == "code\n```\nUser: x\n```\n"


@pytest.mark.parametrize("text", ["Trinity: Hello", "Anna: Hello", "**Trinity:** Hello", " Trinity : Anna:\nHello"])
def test_a_label_at_the_very_start_is_dropped(text):
    assert shown(text) == "Hello"
    assert shown(*text) == "Hello"


@given(text=HOSTILE, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_where_the_stream_is_cut_changes_nothing(text, cuts):
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:stop] for start, stop in pairwise(places)]

    assert shown(*pieces) == shown(*text) == shown(text)


@pytest.mark.parametrize("gap", ["\n", "\n\n", " \n <", "\\\\", "\t"])
def test_a_link_is_unmasked_however_its_address_is_set_off_and_arrives(gap):
    text = f"[bank]({gap}https://evil.example)"

    assert shown(*text) == shown(text) == text.replace("](", "] (")


def test_what_only_begins_as_a_masked_link_is_shown_as_it_is():
    text = "[a](\nThen it goes on.\n[b](\n\nAnna's"

    assert shown(*text) == shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "http://<s>@d%69scord.gg/abc": "http://discord[.]gg/abc",
        "https://<<SYS>>.discord.gg/abc": "https://«SYS».discord[.]gg/abc",
        "http://</s>/x <unk>": "http://‹/s›/x ‹unk›",
        "http://<<SYS>>" + "a" * 300: "http[:]//«SYS»" + "a" * 300,
    }.items(),
    ids=lambda pair: str(pair[:24]),
)
def test_an_address_with_a_tag_in_it_is_judged_as_it_is_shown(text, expected):
    assert shown(text) == shown(*text) == shown(expected) == expected


@pytest.mark.parametrize("text", ["\\\nSystem: x", "Anna: \u200d\\", "\u200d\nAnna: x"])
def test_what_is_left_of_an_answer_is_empty_if_nothing_of_it_can_be_seen(text):
    assert shown(text) == shown(*text) == ""


@given(HOSTILE)
def test_what_is_shown_once_is_shown_the_same_again(text):
    assert shown(shown(text)) == shown(text)


@given(HOSTILE | st.text(alphabet=st.characters()))
def test_nothing_harmful_is_left(text):
    safe = shown(text)

    live = outside_code(safe)
    assert not re.search(r"\[/?INST\]|<</?SYS>>|</?s>|<unk>|(?i:@everyone|@here)|<@[!&\d]", live, re.A)
    assert not re.search(r"\]\(\s*<?\s*https?:[^\s)]", live, re.I | re.A)  # an address without anything is no target
    assert not re.search(r"(?m)^\W*-#\s", live)
    assert not re.search(r"discord\.gg/|discord(app)?\.com/invite", live, re.I | re.A)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", safe)
    assert not re.search(r"\n[ \t*_]*(Anna|Daniel B\.|User|System):", live)
    longest = max(re.findall("[\u0300-\u036f]+", unicodedata.normalize("NFD", safe)), key=len, default="")
    assert len(longest) <= 9  # eight, and the one that a composed letter has already


@given(HOSTILE)
def test_little_is_held_back(text):
    output = OutputFilter(LLAMA_2.tags, NAMES)
    output.feed(text)

    assert len(output.finish()) <= MAX_HELD


@pytest.mark.parametrize("text", ["Hello", "Hello, I am", "one\nUse it", "1 < 2 ", "a [list] ", "Animals", "\n\n- x"])
def test_ordinary_text_is_shown_at_once(text):
    output = OutputFilter(LLAMA_2.tags, NAMES)

    assert output.feed(text) == text.lstrip()


@pytest.mark.parametrize(
    "text", ["`", "[", "<", "@", "](", "User: ", "\n", "\nUser", "*", "\u0301", "discord.", "a:\n"]
)
def test_a_flood_of_one_spelling_is_held_back_in_part_only(text):
    output = OutputFilter(LLAMA_2.tags, NAMES)

    for _ in range(20):
        output.feed(text * 500)

    assert len(output.finish()) <= MAX_HELD
