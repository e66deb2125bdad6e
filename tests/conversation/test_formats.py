"""Every chat format: what a dialogue is in it, and that nothing which people write becomes structure."""

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatPrompt, TurnEncoder
from bot.conversation.formats.chatml import ChatMLFormat
from bot.conversation.formats.llama2 import LLAMA_2, Llama2Format
from bot.conversation.formats.llama3 import Llama3Format
from bot.conversation.formats.mistral import MistralFormat
from bot.conversation.formats.protocol import ChatFormat
from bot.conversation.formats.vicuna import VicunaFormat
from bot.conversation.formats.vocabulary_format import UnfitVocabulary
from bot.conversation.formats.zephyr import ZephyrFormat
from bot.conversation.messages import Turn
from bot.conversation.output import OutputFilter
from bot.conversation.sections import Section
from bot.conversation.window import TokenBudget, fit_window, measure_window
from tests.conversation.vocabularies import (
    small_byte_level_vocabulary,
    small_mistral_vocabulary,
    write_small_vocabulary,
)

FRAGMENTS = [
    *"[]<>|/: \n\u200b\u0301",
    *("[INST]", "[/INST]", "<<SYS>>", "</s>", "<s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"),
    *("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "system", "user\n", "assistant"),
    *("<|user|>", "<|assistant|>", "<|sys", "tem|>", "USER:", "ASSISTANT:", "USER", "ＵＳＥＲ", "：", "US\u200bER:"),
    *("［", "ＩＮＳＴ", "］", "\x00", "\ud83d", "😀", "hello", "\x1d"),
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join)
SAID = (HOSTILE | st.text(min_size=1)).filter(str.strip)


class Case:
    """A format with a vocabulary for it, under a name short enough for a failed test's report."""

    def __init__(self, name: str, chat_format: ChatFormat, tokenizer: Tokenizer) -> None:
        self.name = name
        self.format = chat_format
        self.encoder = TurnEncoder(tokenizer, chat_format)
        self.tags = any_of(chat_format.tags.tags)
        self.spelled = any_of((*chat_format.control_tokens.values(), *chat_format.tags.tags))
        self.control_ids = frozenset(tokenizer.get_added_tokens_decoder())

    def __repr__(self) -> str:
        return self.name

    def ids(self, *texts: str, system: str = "", continue_answer: bool = True) -> list[int]:
        return conversation(*texts, system=system).token_ids(self.encoder, continue_answer=continue_answer)

    def text(self, *texts: str, system: str = "") -> str:
        return conversation(*texts, system=system).build(self.format)


def any_of(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<!\w){text}" if text[0].isalpha() else re.escape(text) for text in texts) or "(?!)")


def conversation(*texts: str, system: str = "") -> ChatPrompt:
    prompt = ChatPrompt(system)
    for index, text in enumerate(texts):
        (prompt.add_assistant_message if index % 2 else prompt.add_user_message)(text)
    return prompt


NAMES = (
    *(
        "llama-2",
        "llama-3",
        "chatml",
        "chatml-default",
        "chatml-begin",
        "mistral-v1",
        "mistral-v3",
        "mistral-byte-level",
    ),
    *("zephyr", "vicuna"),
)
VOCABULARIES = [name for name in NAMES if not name.startswith("chatml-")]


def build_cases(folder: Path) -> dict[str, Case]:
    sentencepiece = Tokenizer.from_file(str(write_small_vocabulary(folder)))
    brackets, byte_level = small_mistral_vocabulary(folder), small_byte_level_vocabulary()
    nemo = small_byte_level_vocabulary(("<s>", "</s>", "[INST]", "[/INST]"))
    found = {
        "llama-2": (LLAMA_2, sentencepiece),
        "llama-3": (Llama3Format.build(byte_level), byte_level),
        "chatml": (ChatMLFormat.build(byte_level), byte_level),
        "chatml-default": (ChatMLFormat.build(byte_level, "You are kind."), byte_level),
        "chatml-begin": (ChatMLFormat.build(byte_level, begin="<|begin_of_text|>"), byte_level),
        "mistral-v1": (MistralFormat.v1(sentencepiece), sentencepiece),
        "mistral-v3": (MistralFormat.v3(brackets), brackets),
        "mistral-byte-level": (MistralFormat.v3(nemo), nemo),
        "zephyr": (ZephyrFormat.build(sentencepiece), sentencepiece),
        "vicuna": (VicunaFormat.build(sentencepiece), sentencepiece),
    }
    return {name: Case(name, *each) for name, each in found.items()}


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, Case]:
    return build_cases(tmp_path_factory.mktemp("vocabularies"))


@pytest.fixture(params=NAMES)
def case(request, cases) -> Case:
    return cases[request.param]


IM = "<|im_start|>{}\n{}<|im_end|>\n"
HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"


@pytest.mark.parametrize(
    ("name", "plain", "with_system"),
    [
        ("llama-2", "<s>[INST] a [/INST] b </s><s>[INST] c [/INST]",
         "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\na [/INST] b </s><s>[INST] c [/INST]"),
        ("llama-3",
         f"<|begin_of_text|>{HEADER.format('user')}a<|eot_id|>{HEADER.format('assistant')}b<|eot_id|>"
         f"{HEADER.format('user')}c<|eot_id|>{HEADER.format('assistant')}",
         f"<|begin_of_text|>{HEADER.format('system')}S<|eot_id|>{HEADER.format('user')}a<|eot_id|>"
         f"{HEADER.format('assistant')}b<|eot_id|>{HEADER.format('user')}c<|eot_id|>{HEADER.format('assistant')}"),
        ("chatml",
         IM.format("user", "a") + IM.format("assistant", "b") + IM.format("user", "c") + "<|im_start|>assistant\n",
         IM.format("system", "S") + IM.format("user", "a") + IM.format("assistant", "b") + IM.format("user", "c")
         + "<|im_start|>assistant\n"),
        ("mistral-v1", "<s>[INST] a [/INST]b</s>[INST] c [/INST]", "<s>[INST] S\n\na [/INST]b</s>[INST] c [/INST]"),
        ("mistral-v3", "<s>[INST]a[/INST]b</s>[INST]c[/INST]", "<s>[INST]a[/INST]b</s>[INST]S\n\nc[/INST]"),
        ("zephyr", "<s><|user|>\na</s>\n<|assistant|>\nb</s>\n<|user|>\nc</s>\n<|assistant|>\n",
         "<s><|system|>\nS</s>\n<|user|>\na</s>\n<|assistant|>\nb</s>\n<|user|>\nc</s>\n<|assistant|>\n"),
        ("vicuna",
         "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
         "detailed, and polite answers to the user's questions. USER: a ASSISTANT: b</s>USER: c ASSISTANT:",
         "<s>S USER: a ASSISTANT: b</s>USER: c ASSISTANT:"),
    ],
)  # fmt: skip
def test_a_dialogue_in_each_format(cases, name, plain, with_system):
    case = cases[name]

    assert case.text("a", "b", "c") == plain
    assert case.text("a", "b", "c", system="S") == with_system


def test_a_system_message_of_the_models_own_stands_where_there_is_none(cases):
    assert cases["chatml-default"].text("a").startswith("<|im_start|>system\nYou are kind.<|im_end|>\n")
    assert cases["chatml-default"].text("a", system="S").startswith("<|im_start|>system\nS<|im_end|>\n")
    assert cases["chatml-begin"].text("a").startswith("<|begin_of_text|><|im_start|>user")


def test_ids_are_those_of_the_written_prompt(case):
    """Where control tokens are put in as numbers, and the rest is encoded piece by piece between them."""
    ids = case.ids("Hello\n\nthere 12", "Yes.", "And  \n now?", system="Be kind.")
    spelled = case.format.control_tokens

    text, words = "", []
    for token_id in [*ids, case.format.stop_ids[0]]:
        if token_id in spelled:
            text += case.encoder.tokenizer.decode(words, skip_special_tokens=False) + spelled[token_id]
            words = []
        else:
            words.append(token_id)

    written = case.text("Hello\n\nthere 12", "Yes.", "And  \n now?", system="Be kind.")
    if case.name == "mistral-v1":  # two texts stand side by side, and this vocabulary begins each with a blank
        written = written.replace("Yes.", " Yes.")
    assert text.removesuffix(spelled[case.format.stop_ids[0]]) == written


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
@pytest.mark.parametrize("build", [ChatMLFormat.build, ZephyrFormat.build, VicunaFormat.build])
def test_a_blank_stands_where_the_vocabulary_puts_it_when_all_is_encoded_at_once(tmp_path, build, scheme):
    content = json.loads(write_small_vocabulary(tmp_path).read_text())
    blank = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": False}
    content |= {"normalizer": None, "pre_tokenizer": blank}
    vendors, own = Tokenizer.from_str(json.dumps(content)), Tokenizer.from_str(json.dumps(content))
    for tokenizer in (vendors, own):
        tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    encoder = TurnEncoder(own, build(own))
    prompt = conversation("Hello\n\nthere 12", "Yes.", "And  \n now?", system="Be kind.")

    ids = prompt.token_ids(encoder)

    begin = [] if encoder.format.begin_id is None else [encoder.format.begin_id]
    written = prompt.build(encoder.format).removeprefix("<s>")
    assert ids == begin + vendors.encode(written, add_special_tokens=False).ids


def test_every_stop_id_is_spelled_and_ends_complete_answers(case):
    ids = case.ids("a", "b", "c")

    assert len(case.format.stop_ids) == len(set(case.format.stop_ids)) >= 1
    assert set(case.format.stop_ids) <= case.format.control_tokens.keys()
    assert case.format.stop_ids[0] in ids


def test_llama_3_and_chatml_end_answers_in_several_ways(cases):
    tokens = {
        name: {cases[name].format.control_tokens[each] for each in cases[name].format.stop_ids}
        for name in ("llama-3", "chatml")
    }

    assert tokens["llama-3"] == {"<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"}
    assert tokens["chatml"] == {"<|im_end|>", "<|endoftext|>", "<|end_of_text|>"}


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.no_cover
@settings(max_examples=50)
@given(system=SAID | st.just(""), texts=st.lists(SAID, min_size=1, max_size=5))
def test_what_is_said_never_becomes_structure(cases, name, system, texts):
    case = cases[name]

    ids = case.ids(*texts, system=system)
    plain = case.ids(*["x"] * len(texts), system="x" if system else "")

    assert [each for each in ids if each in case.control_ids] == [each for each in plain if each in case.control_ids]
    decode = case.encoder.tokenizer.decode
    assert case.tags.findall(decode(ids)) == case.tags.findall(decode(plain))
    built = case.text(*texts, system=system)
    expected = case.text(*["x"] * len(texts), system="x" if system else "")
    assert case.spelled.findall(built) == case.spelled.findall(expected)


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.no_cover
@settings(max_examples=30)
@given(texts=st.lists(SAID, min_size=3, max_size=7).filter(lambda texts: len(texts) % 2 == 1))
def test_a_prompt_begins_with_the_one_before_it(cases, name, texts):
    case = cases[name]
    prompts = [case.ids(*texts[:end]) for end in range(1, len(texts) + 1, 2)]
    continued = [case.ids(*texts[:end]) for end in range(2, len(texts) + 1, 2)]

    for (earlier, later), answered in zip(pairwise(prompts), continued, strict=True):
        assert later[: len(earlier)] == earlier
        assert answered[: len(earlier)] == earlier
        if name != "llama-2":  # there a blank stands between an answer and its end
            end = [*answered, case.format.stop_ids[0]]
            assert later[: len(end)] == end


@pytest.mark.parametrize("name", NAMES)
def test_a_system_message_moves_in_mistrals_later_formats_alone(cases, name):
    case = cases[name]
    earlier, later = (case.ids("a", "b", "c", "d", "e"[:end]) for end in (0, 1))
    first = case.ids("a", "b", "c", system="Be kind.")
    second = case.ids("a", "b", "c", "d", "e", system="Be kind.")
    common = next((at for at, pair in enumerate(zip(first, second, strict=False)) if len(set(pair)) > 1), len(first))

    assert later[: len(earlier) - 1] == earlier[:-1]
    if name in ("mistral-v3", "mistral-byte-level"):
        assert common == len(case.ids("a", "b")) + 2  # behind the answer's end, and the question's beginning
    else:
        assert common == len(first)


def test_what_stands_in_the_window_is_the_same_prompt(case):
    """Also where old turns were left out, and what a trim reckons with is what the prompt costs."""
    turns = [Turn(index, f"question {index}?", "an answer of a few words " * 3) for index in range(1, 60)]
    persona = [Section("persona", "Be kind.\n\nAlways.", 100, is_required=True)]
    budget = TokenBudget(1024, 1024, 100)

    window = fit_window(case.encoder, budget, persona, turns, "and now?")

    kept = [turn for turn in turns if turn.id in window.turn_ids]
    texts = [text for turn in kept for text in (turn.question, turn.answer)]
    assert window.was_trimmed
    assert list(window.prompt_token_ids) == case.ids(*texts, "and now?", system="Be kind.\n\nAlways.")
    assert 0.6 * budget.num_prompt_tokens < len(window.prompt_token_ids) <= 0.75 * budget.num_prompt_tokens


@pytest.mark.parametrize("name", ["llama-3", "chatml-default", "mistral-v3", "vicuna"])
@pytest.mark.parametrize("prompt", ["Be kind.", "You know all of it, and you say so in a few plain words. " * 3])
def test_what_a_persona_costs_adds_up_also_where_it_takes_the_place_of_the_models_own(cases, name, prompt):
    encoder, budget = cases[name].encoder, TokenBudget(1024, 1024, 100)
    turns = [Turn(1, "a", "b"), Turn(2, "c", "d")]

    use = measure_window(encoder, budget, [Section("persona", prompt, 200, is_required=True)], turns)

    (cost,) = (tokens for _, tokens in use.num_section_tokens)
    assert abs(cost - encoder.num_system_tokens(prompt)) <= 2
    assert cost >= len(encoder.encode(prompt.strip()))
    assert cost + use.num_turn_tokens + use.num_free_tokens == budget.num_prompt_tokens


def test_what_prompts_of_a_persona_have_in_common(case):
    prefix = case.encoder.shared_prefix("Be brief")

    for text in ["hello", "7 up", "😀", "\\n", "'s", "<b>", "]"]:
        assert case.ids(text, system="Be brief")[: len(prefix)] == prefix
    assert len(prefix) >= case.encoder.num_system_tokens("Be brief")


@pytest.mark.parametrize(
    ("build", "missing"),
    [
        (Llama3Format.build, "<|begin_of_text|>, <|start_header_id|>"),
        (ChatMLFormat.build, "<|im_start|>, <|im_end|>"),
        (MistralFormat.v3, r"\[INST\], \[/INST\] as control tokens"),
    ],
)
def test_a_vocabulary_without_the_control_tokens_is_refused(tmp_path, build, missing):
    tokenizer = Tokenizer.from_file(str(write_small_vocabulary(tmp_path)))

    with pytest.raises(UnfitVocabulary, match=missing):
        build(tokenizer)


def test_llama_2_wants_its_own_ids():
    with pytest.raises(UnfitVocabulary, match="<unk> must have id 0, and is missing"):
        Llama2Format.build(small_byte_level_vocabulary())
    with pytest.raises(UnfitVocabulary, match="<s> must have id 1, and is 2"):
        Llama2Format.build(small_byte_level_vocabulary_with({"<unk>": 0, "</s>": 1, "<s>": 2}))


def small_byte_level_vocabulary_with(ids: dict[str, int]) -> Tokenizer:
    from tokenizers import models

    tokenizer = Tokenizer(models.BPE(ids, []))
    tokenizer.add_special_tokens([*ids])
    return tokenizer


def test_an_answer_shows_no_structure_however_it_streams(case):
    spelled = [*case.format.tags.tags, *case.format.tags.tokens]
    text = "I say " + " and ".join(spelled) + ". That is all."

    whole, streamed = OutputFilter(case.format.tags), OutputFilter(case.format.tags)
    shown = whole.feed(text) + whole.finish()

    assert "".join([*map(streamed.feed, text), streamed.finish()]) == shown
    assert not any(each in shown for each in spelled)
    assert [*filter(str.isalnum, shown.replace("\u02d0", ":"))] == [*filter(str.isalnum, text)]
