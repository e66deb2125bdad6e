import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.text import Names, readable

OWN = 100
NAMES = Names(users={1: "Ada", 2: "Bob\nB."}, roles={7: "crew"}, channels={9: "general"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<@100> how are you?", "how are you?"),
        ("<@!100>   how are you?", "how are you?"),
        ("<@100>, how are you?", "how are you?"),
        ("how are you, <@100>?", "how are you?"),
        ("how are you, <@100>, today?", "how are you, today?"),
        ("so <@100>: go on", "so: go on"),
        ("I think <@100> knows", "I think knows"),
        ("first line\n<@100> second line", "first line\nsecond line"),
        ("<@100> <@100>", ""),
        ("<@100>", ""),
    ],
)
def test_her_own_mention_is_taken_out(content, expected):
    assert readable(content, NAMES, OWN) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ask <@1> and <@!1>", "ask @Ada and @Ada"),
        ("ask <@2>", "ask @Bob B."),
        ("ask <@55>", "ask @someone"),
        ("<@&7> and <@&8>", "@crew and @some-role"),
        ("see <#9> or <#10>", "see #general or #some-channel"),
        ("<:smile:123> <a:party:456>", ":smile: :party:"),
        ("use </persona show:123>", "use /persona show"),
        ("at <t:0:R> or <t:9999999999999>", "at 1970-01-01 00:00 UTC or some time"),
        ("a < b > c <b> <@abc>", "a < b > c <b> <@abc>"),
    ],
)
def test_other_mentions_become_names(content, expected):
    assert readable(content, NAMES, OWN) == expected


def test_a_name_is_not_read_as_markup_again():
    names = Names(users={1: "<@100>"})

    assert readable("hello <@1>", names, OWN) == "hello @<@100>"


@given(st.text())
def test_text_without_markup_keeps_its_words(text):
    content = text.replace("<", "")

    assert readable(content, NAMES, OWN) == content.replace("\0", "\ufffd").strip()
