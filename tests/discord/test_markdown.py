import pytest

from bot.discord.markdown import escape_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*a* _b_ ~~c~~ `d` ||e||", r"\*a\* \_b\_ \~\~c\~\~ \`d\` \|\|e\|\|"),
        ("> q\n>>> r\n# h\n-# s\n  - l\n+ m", "\\> q\n\\>>> r\n\\# h\n\\-# s\n  \\- l\n\\+ m"),
        ("[a](https://a.example/b_c_d)", r"\[a](https://a.example/b_c_d)"),
        ("see https://a.example/b_c*d, a_b", r"see https://a.example/b_c*d, a\_b"),
        ("C# and a > b - 1 + 2", "C# and a > b - 1 + 2"),
        ("a\\*b", r"a\\\*b"),
        ("", ""),
    ],
)
def test_text_is_shown_as_it_was_written(text, shown):
    assert escape_markdown(text) == shown
