"""A model's chat template is a stranger's program: it is rendered apart from the bot, and ends in time."""

from functools import partial

import pytest

from bot.conversation.formats.choice import FORMAT_NAMES, choose_format
from bot.errors import ConfigError
from bot.inference.loading.chat_template import read_chat_template, render_apart
from tests.checkpoints import byte_tokenizer

NESTED = "{% for a in range(99999) %}" * 4 + "{% endfor %}" * 4
DIALOGUE = [{"role": "user", "content": "How many?"}]


@pytest.mark.parametrize(
    "template",
    [NESTED, "{{ 9 ** (9 ** 9) }}", "{{ 'a' * 10 ** 12 }}"],
    ids=["loops that write nothing", "a number, before anything is rendered", "more text than memory"],
)
def test_a_template_that_computes_for_ever_is_refused_with_what_to_do(tmp_path, template):
    (tmp_path / "chat_template.jinja").write_text(template)
    read = read_chat_template(tmp_path, partial(render_apart, most_seconds=1))
    choose = partial(choose_format, byte_tokenizer(320), read, where="models/x", setting="TRINITY_MODEL")

    with pytest.raises(ConfigError) as refused:
        choose()
    chosen = choose("llama-2")

    said = str(refused.value)
    assert said.startswith("TRINITY_MODEL: the chat template in models/x ")
    assert ("can't be rendered within 1 s and 1 GiB" in said) == (template[3] != "'")
    assert said.endswith(f"one of {', '.join(FORMAT_NAMES)}, say which with TRINITY_CHAT_FORMAT")
    assert "\n" not in said
    assert chosen.name == "llama-2"


def test_what_is_rendered_apart_is_what_the_template_says():
    source = "{{ bos_token }}{% for m in messages %}{{ m.content | upper }}\u00e9\U0001f642\n{% endfor %}"

    given = render_apart(source, {"bos_token": "<s>"}, [DIALOGUE, []])

    assert given == {"rendered": ["<s>HOW MANY?\u00e9\U0001f642\n", "<s>"]}


def test_a_program_that_fails_for_another_reason_says_it():
    given = render_apart("{{ messages }}", ["no mapping"], [DIALOGUE])

    assert given["problem"].startswith("can't be rendered: TypeError: ")
