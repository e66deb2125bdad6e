import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.mentions import Names, readable

OWN = 100
NAMES = Names(users={1: "Ada", 2: "Bob\nB."}, roles={7: "crew"}, channels={9: "general"}, own_roles=[8])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<@100> how are you?", "how are you?"),
        ("<@!100>   how are you?", "how are you?"),
        ("<@100>, how are you?", "how are you?"),
        ("how are you, <@100>?", "how are you?"),
        ("how are you, <@100>, today?", "how are you, today?"),
        ("Thanks. <@100> how are you?", "Thanks. how are you?"),
        ("How are you? <@100>", "How are you?"),
        ("How are you <@100>?", "How are you?"),
        ("hello <@100>", "hello"),
        ("what's the capital of France <@100>", "what's the capital of France"),
        ("Wie geht es dir <@100>?", "Wie geht es dir?"),
        ("How are you? <@100>!", "How are you?"),
        ("<@100>! How are you?", "How are you?"),
        ("<@100>?", ""),
        ("<@100>... well", "well"),
        ("<@100>.gitignore is what?", ".gitignore is what?"),
        ("<@100> ?!", "?!"),
        ("Hey, <@100>! How are you?", "Hey! How are you?"),
        ("Thanks. <@100>! How are you?", "Thanks. How are you?"),
        ("<@100>、こんにちは", "こんにちは"),
        ("<@100>：こんにちは", "こんにちは"),
        ("元気ですか、<@100>？", "元気ですか？"),
        ("<@100>، كيف حالك؟", "كيف حالك؟"),
        ("first line\n<@100> second line", "first line\nsecond line"),
        ("<@100> <@100>", ""),
        ("<@100>", ""),
        ("<@100> <:wave:1> hello", ":wave: hello"),
        ("<@100><:wave:1> hello", ":wave: hello"),
        ("<@100> :wave: hello", ":wave: hello"),
        ("<@100>:wave: hello", ":wave: hello"),
        ("<@100> ::before and ::after in CSS?", "::before and ::after in CSS?"),
        ("<@100>::before in CSS?", "::before in CSS?"),
        ("<@100>: ::before", "::before"),
        ("<@100> :) hello", ":) hello"),
        ("<@100>:D hello", ":D hello"),
        ("<@100> ;; is a comment in Lisp", ";; is a comment in Lisp"),
        ("<@100> , and then?", ", and then?"),
        ("<@100>: hello", "hello"),
        ("<@100>:hello", "hello"),
        ("<@100>,hello", "hello"),
        ("<@100>; hello", "hello"),
        ("<@100>:\nhello", "hello"),
        ("<@100> <@!100>, hello", "hello"),
        ("<@100> `<@100>` is you?", "`<@100>` is you?"),
    ],
)
def test_the_bots_own_mention_is_taken_out(content, expected):
    assert readable(content, NAMES, OWN) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("who is <@100>?", "who is Trinity?"),
        ("Is <@!100> a bot?", "Is Trinity a bot?"),
        ("I think <@100> knows", "I think Trinity knows"),
        ("what is <@100>'s favourite colour?", "what is Trinity's favourite colour?"),
        ("<@100>’s answer was wrong", "Trinity’s answer was wrong"),
        ("<@100>'tis true", "'tis true"),
        ("thanks to <@100> and <@1>", "thanks to Trinity and @Ada"),
        ("Ada, <@100> and Bob", "Ada, Trinity and Bob"),
        ("yes, <@100> knows", "yes, Trinity knows"),
        ("so <@100>: go on", "so Trinity: go on"),
        ("say <@100> ::before", "say Trinity ::before"),
        ("who is <@100>", "who is Trinity"),
        ("tell me about <@100>", "tell me about Trinity"),
        ("Wer ist <@100>?", "Wer ist Trinity?"),
        ("hello <@100><@100>you", "hello Trinity you"),
        ("- <@100>\n- Bob", "- Trinity\n- Bob"),
        ("(<@100>)", "(Trinity)"),
        ("<@&8> who is <@&8>? `<@&8>`", "who is Trinity? `<@&8>`"),
    ],
)
def test_where_the_bot_is_spoken_of_its_name_stays(content, expected):
    assert readable(content, NAMES, OWN) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ask <@1> and <@!1>", "ask @Ada and @Ada"),
        ("ask <@2>", "ask @Bob B."),
        ("ask <@55>", "ask @someone"),
        ("<@&7> and <@&6>", "@crew and @some-role"),
        ("see <#9> or <#10>", "see #general or #some-channel"),
        ("<:smile:123> <a:party:456>", ":smile: :party:"),
        ("use </persona show:123>", "use /persona show"),
        ("at <t:0:R> or <t:9999999999999>", "at 1970-01-01 00:00 UTC or some time"),
        ("a < b > c <b> <@abc>", "a < b > c <b> <@abc>"),
        ("see <id:guide> and <id:customize>", "see #Server Guide and #Channels & Roles"),
        ("\\<@1>", "\\<@1>"),
    ],
)
def test_other_mentions_become_names(content, expected):
    assert readable(content, NAMES, OWN) == expected


@pytest.mark.parametrize(
    "code",
    [
        "`<@1>`",
        "``a ` <@1>``",
        "`one\n<@1>`",
        "```py\nfind('<@1>', '<#9>', '<:smile:123>')\n    <t:0:R>\n```",
        "``` <@1> ```",
        "```\nnever closed <@1>",
        "````\n<@1>\n``` <@1>"[:-5],
    ],
)
def test_code_is_left_alone(code):
    assert readable(f"ask <@1> {code}", NAMES, OWN) == f"ask @Ada {code}".strip()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("` <@1>", "` @Ada"),
        ("\\`<@1>`", "\\`@Ada`"),
        ("~~~\n<@1>\n~~~", "~~~\n@Ada\n~~~"),
        ("    <@1>", "@Ada"),
        ("``` <@1> ``` <@1>", "``` <@1> ``` @Ada"),
    ],
)
def test_what_discord_shows_as_text_is_no_code(content, expected):
    assert readable(content, NAMES, OWN) == expected


def test_a_name_is_not_read_as_markup_again():
    names = Names(users={1: "<@100>"})

    assert readable("hello <@1>", names, OWN) == "hello @<@100>"


@given(st.text())
def test_text_without_markup_keeps_its_words(text):
    content = text.replace("<", "")

    assert readable(content, NAMES, OWN) == content.replace("\0", "\ufffd").strip()
