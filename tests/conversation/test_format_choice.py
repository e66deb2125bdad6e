"""Which format a model was trained on, by what its own template renders."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bot.conversation.chat_format import LLAMA_2, ChatFormat, PromptTurn
from bot.conversation.formats.choice import FORMAT_NAMES, check_name, choose_format
from bot.errors import ConfigError
from bot.inference.loading.chat_template import read_chat_template
from bot.inference.loading.render_template import render
from tests.conversation.vocabularies import (
    small_byte_level_vocabulary,
    small_mistral_vocabulary,
    write_small_vocabulary,
)

EACH = "{% for m in messages %}"
END = "{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system message, please') }}{% endif %}"
TAKE_SYSTEM = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
)
LLAMA_2_TEMPLATE = (
    "{% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
    + EACH
    + "{% if m.role == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}" + END
)
HEADER = "'<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>'"
ASSISTANT = "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
LLAMA_3 = f"{EACH}{{% set text = {HEADER} %}}{{{{ bos_token + text if loop.index0 == 0 else text }}}}{END}{ASSISTANT}"
LLAMA_3_DATED = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: {{ strftime_now('%d %b %Y') }}\n\n{{ messages[0].content if messages[0].role == 'system' }}<|eot_id|>"
    f"{{% for m in messages if m.role != 'system' %}}{{{{ {HEADER} }}}}{END}{ASSISTANT}"
)
CHATML_TURNS = (
    EACH + "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}" + END
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)  # fmt: skip
CHATML_DEFAULT = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}"
    + CHATML_TURNS
)


def mistral(question: str, answer: str = "m.content + eos_token") -> str:
    return f"{{{{ bos_token }}}}{EACH}{{{{ {question} if m.role == 'user' else {answer} }}}}{END}"


MISTRAL_OLD = NO_SYSTEM + mistral("'[INST] ' + m.content + ' [/INST]'", "m.content + eos_token + ' '")
MISTRAL_FIRST = TAKE_SYSTEM + mistral("' [INST] ' + (system if loop.first else '') + m.content + ' [/INST]'")
MISTRAL_LAST = TAKE_SYSTEM + mistral("'[INST] ' + (system if loop.last else '') + m.content + '[/INST]'")
ZEPHYR = """{% for m in messages %}
{{ '<|' + m.role + '|>\n' + m.content + eos_token }}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
VICUNA = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = 'A chat.' %}{% endif %}{{ bos_token + system + ' ' }}"
    + EACH
    + "{{ 'USER: ' + m.content + ' ' if m.role == 'user' else 'ASSISTANT: ' + m.content + eos_token }}"
    + END
    + "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
ALPACA = EACH + "{{ '### ' + m.role + ':\n' + m.content + '\n\n' }}" + END + "{{ '### assistant:\n' }}"


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory) -> dict[str, Tokenizer]:
    folder: Path = tmp_path_factory.mktemp("vocabularies")
    return {
        "sentencepiece": Tokenizer.from_file(str(write_small_vocabulary(folder))),
        "brackets": small_mistral_vocabulary(folder),
        "byte-level": small_byte_level_vocabulary(),
    }


BYTE_LEVEL_TOKENS = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
CHATML_TOKENS = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}


def choose(folder: Path, tokenizer: Tokenizer, name: str | None = None) -> ChatFormat:
    """Rendered in this process, which saves starting one for each template."""
    template = read_chat_template(folder, render)
    return choose_format(tokenizer, template, name, where="here", setting="TRINITY_MODEL")


def write(folder: Path, template: str, **tokens: object) -> Path:
    spelled = {"bos_token": "<s>", "eos_token": {"content": "</s>", "special": True}, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **spelled}))
    return folder


@pytest.mark.parametrize(
    ("template", "vocabulary", "tokens", "name"),
    [
        (LLAMA_2_TEMPLATE, "sentencepiece", {}, "llama-2"),
        (LLAMA_3, "byte-level", BYTE_LEVEL_TOKENS, "llama-3"),
        (LLAMA_3_DATED, "byte-level", BYTE_LEVEL_TOKENS, "llama-3"),
        (CHATML_TURNS, "byte-level", CHATML_TOKENS, "chatml"),
        (MISTRAL_OLD, "sentencepiece", {}, "mistral-v1"),
        (MISTRAL_FIRST, "sentencepiece", {}, "mistral-v1"),
        (MISTRAL_OLD, "brackets", {}, "mistral-v3"),
        (MISTRAL_LAST, "brackets", {}, "mistral-v3"),
        (ZEPHYR, "sentencepiece", {}, "zephyr"),
        (VICUNA, "sentencepiece", {}, "vicuna"),
    ],
)
def test_a_format_is_recognised_by_what_its_template_renders(
    tmp_path, vocabularies, template, vocabulary, tokens, name
):
    assert choose(write(tmp_path, template, **tokens), vocabularies[vocabulary]).name == name


def test_what_a_template_adds_is_learned_from_it(tmp_path, vocabularies):
    kind = choose(write(tmp_path, CHATML_DEFAULT, **CHATML_TOKENS), vocabularies["byte-level"])
    assert (kind.default_system, kind.begin_id) == ("You are kind.", None)

    begun = choose(write(tmp_path, "{{ bos_token }}" + CHATML_TURNS, **BYTE_LEVEL_TOKENS), vocabularies["byte-level"])
    assert begun.begin_id == vocabularies["byte-level"].token_to_id("<|begin_of_text|>")

    vicuna = choose(write(tmp_path, VICUNA), vocabularies["sentencepiece"])
    assert vicuna.default_system == "A chat."

    blank_behind = CHATML_DEFAULT.replace("kind.", "kind. ")
    assert choose(write(tmp_path, blank_behind, **CHATML_TOKENS), vocabularies["byte-level"]).default_system[-1] == " "


def test_a_template_may_write_no_system_message_where_its_format_has_one(tmp_path, vocabularies):
    without = VICUNA.replace("'A chat.'", "''").replace("system + ' '", "(system + ' ' if system else '')")

    chosen = choose(write(tmp_path, without), vocabularies["sentencepiece"])

    assert (chosen.name, chosen.default_system) == ("vicuna", "")


@pytest.mark.parametrize("template", [MISTRAL_FIRST, MISTRAL_LAST])
def test_a_system_message_stands_where_the_template_has_it(tmp_path, vocabularies, template):
    chosen = choose(write(tmp_path, template), vocabularies["brackets"])

    first = "".join(map(str, chosen.parts(PromptTurn("one", "two", "S", is_last=False))))
    assert ("S\n\none" in first) == (template is MISTRAL_FIRST)


@pytest.mark.parametrize(
    "template", [ALPACA, "{{ raise_exception('never') }}", "{{ messages[0].content }}", CHATML_TURNS + "{{ '\n' }}"]
)
def test_another_template_is_refused_with_the_formats_that_are_known(tmp_path, vocabularies, template):
    with pytest.raises(ConfigError, match=r"^TRINITY_MODEL: the chat template in here is that of no known") as no:
        choose(write(tmp_path, template, **CHATML_TOKENS), vocabularies["byte-level"])

    assert all(name in str(no.value) for name in FORMAT_NAMES)
    assert "TRINITY_CHAT_FORMAT" in str(no.value)


def test_a_template_that_writes_on_and_on_is_given_up(tmp_path, vocabularies):
    template = "{% for a in range(99999) %}{% for b in range(99999) %}{{ 'on and on' }}{% endfor %}{% endfor %}"

    with pytest.raises(ConfigError, match="no known format"):
        choose(write(tmp_path, template), vocabularies["sentencepiece"])


def test_a_template_gets_at_nothing(tmp_path, vocabularies):
    template = "{{ messages.__class__.__mro__ }}{{ messages.append('x') }}"

    with pytest.raises(ConfigError, match="no known format"):
        choose(write(tmp_path, template), vocabularies["sentencepiece"])


def test_a_template_that_is_none_is_refused_unless_the_operator_names_the_format(tmp_path, vocabularies):
    folder = write(tmp_path, "{% for %}")

    with pytest.raises(ConfigError, match=r"the chat template in here can't be understood: .*TRINITY_CHAT_FORMAT"):
        choose(folder, vocabularies["sentencepiece"])
    assert choose(folder, vocabularies["sentencepiece"], "zephyr").name == "zephyr"


def test_a_template_that_is_far_too_long_is_refused(tmp_path, vocabularies):
    (tmp_path / "chat_template.jinja").write_text(ZEPHYR + "{# " + "x" * 2**20 + " #}")

    with pytest.raises(ConfigError, match=r"the chat template in here is larger than any \(1024 KiB\)"):
        choose(tmp_path, vocabularies["sentencepiece"])


def test_a_template_may_lie_in_a_file_of_its_own_or_among_others(tmp_path, vocabularies):
    write(tmp_path, ALPACA)
    (tmp_path / "chat_template.jinja").write_text(ZEPHYR)
    assert choose(tmp_path, vocabularies["sentencepiece"]).name == "zephyr"

    (tmp_path / "chat_template.jinja").unlink()
    several = [{"name": "tools", "template": ALPACA}, {"name": "default", "template": VICUNA}]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": several, "bos_token": "<s>", "eos_token": "</s>"})
    )
    assert choose(tmp_path, vocabularies["sentencepiece"]).name == "vicuna"


@pytest.mark.parametrize("template", [LLAMA_2_TEMPLATE, MISTRAL_FIRST, ZEPHYR])
def test_how_texts_begin_and_end_may_be_known_by_their_ids_alone(tmp_path, vocabularies, template):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    (tmp_path / "config.json").write_text('{"bos_token_id": 1, "eos_token_id": [2, 5]}')
    with pytest.raises(ConfigError, match="is that of no known format"):
        choose(tmp_path, vocabularies["sentencepiece"])

    vocabularies["sentencepiece"].save(str(tmp_path / "tokenizer.json"))

    assert choose(tmp_path, vocabularies["sentencepiece"]).name in ("llama-2", "mistral-v1", "zephyr")


def test_of_templates_with_names_none_is_taken_for_the_default_unless_it_is_alone(tmp_path, vocabularies):
    others = [{"name": "tools", "template": ALPACA}, {"name": "chat", "template": VICUNA}]
    path = tmp_path / "tokenizer_config.json"

    path.write_text(json.dumps({"chat_template": others, "bos_token": "<s>", "eos_token": "</s>"}))
    with pytest.raises(ConfigError, match="is that of no known format"):
        choose(tmp_path, vocabularies["sentencepiece"])

    path.write_text(json.dumps({"chat_template": others[1:], "bos_token": "<s>", "eos_token": "</s>"}))
    assert choose(tmp_path, vocabularies["sentencepiece"]).name == "vicuna"


def test_a_model_without_a_template_is_a_llama_2_or_refused(tmp_path, vocabularies, caplog):
    caplog.set_level("INFO")

    assert choose(tmp_path, vocabularies["sentencepiece"]) is LLAMA_2
    assert "no chat template in here: it is taken for a Llama-2, unless TRINITY_CHAT_FORMAT" in caplog.text
    with pytest.raises(ConfigError, match="here has no chat template, and isn't a Llama-2"):
        choose(tmp_path, vocabularies["byte-level"])


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_operator_may_name_a_format(tmp_path, vocabularies, name):
    kind = {"llama-3": "byte-level", "chatml": "byte-level", "mistral-v2": "brackets", "mistral-v3": "brackets"}
    tokenizer = vocabularies[kind.get(name, "sentencepiece")]

    assert choose(write(tmp_path, ALPACA), tokenizer, name).name == name


def test_a_named_format_is_as_the_template_has_it_where_that_is_the_same(tmp_path, vocabularies):
    chosen = choose(write(tmp_path, CHATML_DEFAULT, **CHATML_TOKENS), vocabularies["byte-level"], "chatml")

    assert chosen.default_system == "You are kind."


def test_another_format_than_the_templates_own_is_taken_with_a_warning(tmp_path, vocabularies, caplog):
    assert choose(write(tmp_path, ZEPHYR), vocabularies["sentencepiece"], "vicuna").name == "vicuna"

    assert "own chat template is zephyr" in caplog.text


def test_a_named_format_without_its_control_tokens_is_refused(tmp_path, vocabularies):
    with pytest.raises(ConfigError, match=r"^TRINITY_CHAT_FORMAT: llama-3 is not this .*no <\|begin"):
        choose(tmp_path, vocabularies["sentencepiece"], "llama-3")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("llama3", "llama-3"), ("llama-3.1", "llama-3"), ("llama2", "llama-2"), ("chat-ml", "chatml"),
     ("mistral", "mistral-v3"), ("mistralv1", "mistral-v1"), ("zephir", "zephyr"), ("vicunia", "vicuna")],
)  # fmt: skip
def test_a_name_that_is_none_is_refused_with_the_nearest(name, meant):
    with pytest.raises(ConfigError, match=rf"names no chat format \(did you mean {meant}\?\); there are llama-2, "):
        check_name(name)


def test_a_name_that_is_near_to_none_is_refused_with_all():
    with pytest.raises(ConfigError, match=r"names no chat format; there are llama-2, llama-3"):
        check_name("alpaca")
