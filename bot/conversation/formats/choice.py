"""Which chat format a model was trained on: found by what its own template renders, or named by the operator.

A template is a program, and the same format is written in many ways. So it is not read: it renders a few dialogues, and
a format is its own if it says the same. What a template may add is learned from it (the system message that it writes
where there is none, a token before the first message), or known and left out (Llama-3's block with dates). A template
that no format agrees with is refused: a model that is asked in another format than its own answers badly, and nobody
sees why.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

from tokenizers import Tokenizer

from bot.conversation.formats.chatml import ChatMLFormat
from bot.conversation.formats.llama2 import LLAMA_2, Llama2Format
from bot.conversation.formats.llama3 import Llama3Format
from bot.conversation.formats.mistral import MistralFormat
from bot.conversation.formats.protocol import ChatFormat, prompt_turns
from bot.conversation.formats.vicuna import VicunaFormat
from bot.conversation.formats.vocabulary_format import UnfitVocabulary
from bot.conversation.formats.zephyr import ZephyrFormat
from bot.errors import ConfigError

log = logging.getLogger(__name__)

FORMAT_NAMES = ("llama-2", "llama-3", "chatml", "mistral-v1", "mistral-v2", "mistral-v3", "zephyr", "vicuna")
"""What TRINITY_CHAT_FORMAT may name."""
SETTING = "TRINITY_CHAT_FORMAT"


@dataclass(frozen=True, slots=True)
class ModelTemplate:
    """What a model's folder says of its chat template."""

    rendered: tuple[str | None, ...] = ()
    """What it makes of each of `PROBES`, up to where the answer begins; None of one that it refuses."""
    begin_token: str | None = None
    """How the token is spelled with which its tokenizer begins texts."""
    problem: str | None = None
    """Why it can't be rendered at all; None if it can."""

    @property
    def short(self) -> str | None:
        """What it makes of the shortest dialogue."""
        return self.rendered[0] if self.rendered else None


@dataclass(frozen=True, slots=True)
class _Dialogue:
    texts: tuple[str, ...]
    """Questions and answers in turn; the last one is a question."""
    system_message: str = ""

    @property
    def messages(self) -> list[dict[str, str]]:
        spoken = [
            {"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(self.texts)
        ]
        return [{"role": "system", "content": self.system_message}, *spoken] if self.system_message else spoken


_SHORT = _Dialogue(("How many?",))
_DIALOGUES = (
    _SHORT,
    _Dialogue(("How many?", "Four of them.", "And now?")),
    _Dialogue(("How many?",), "Answer in numbers."),
    _Dialogue(("How many?", "Four.", "And\nnow?", "Five;\nsix", "And then?"), "Answer in numbers.\nNothing else."),
)
PROBES: tuple[Sequence[Mapping[str, str]], ...] = tuple(dialogue.messages for dialogue in _DIALOGUES)
"""Messages (`role` and `content`) that a model's template has to render."""
_MARK = "\0"
_DATES = re.compile(r"Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n")
_NO_SYSTEM = "<|start_header_id|>system<|end_header_id|>\n\n<|eot_id|>"
_BLANKS_AROUND_BRACKETS = re.compile(r" *(\[/?INST\]|</s>) *")


def choose_format(
    tokenizer: Tokenizer, template: ModelTemplate | None, name: str | None = None, *, where: str, setting: str
) -> ChatFormat:
    """The chat format of a model.

    Args:
        tokenizer: the model's.
        template: its own chat template; None where it comes without.
        name: what the operator wants; None leaves it to the template.
        where: the model's folder or address, for what is said to the operator.
        setting: names the model, and is to blame where no format can be found.

    Raises:
        ConfigError: the name is unknown, the vocabulary lacks the format's control tokens, or the template is that of
            no known format.
    """
    if name is not None:
        check_name(name)
        return _named(tokenizer, template, name)
    if template is not None:
        found = recognise(tokenizer, template)
        if found is None:
            reason = template.problem or "is that of no known format"
            problem = f"the chat template in {where} {reason}; if the model's is one of {', '.join(FORMAT_NAMES)}"
            raise ConfigError(setting, f"{problem}, say which with {SETTING}")
        log.info("the chat template in %s is %s", where, found.name)
        return found
    try:
        found = Llama2Format.build(tokenizer)
    except UnfitVocabulary as unfit:
        problem = f"{where} has no chat template, and isn't a Llama-2 ({unfit}); say with {SETTING} which format it is"
        raise ConfigError(setting, f"{problem}: {', '.join(FORMAT_NAMES)}") from None
    log.info("there is no chat template in %s: it is taken for a Llama-2, unless %s names another", where, SETTING)
    return found


def recognise(tokenizer: Tokenizer, template: ModelTemplate) -> ChatFormat | None:
    """The format with which a template agrees; None if there is none."""
    if template.problem is not None:
        return None
    for build in _candidates(tokenizer, template):
        try:
            plain = build()
        except UnfitVocabulary:
            continue
        if (found := _agreeing(build, plain, template)) is not None:
            return found
    return None


def check_name(name: str) -> None:
    """Refuse a name that is none of a format.

    Raises:
        ConfigError: with the names that are, and the one that it is near to.
    """
    if name in FORMAT_NAMES:
        return
    plain = {"".join(filter(str.isalnum, each)): each for each in FORMAT_NAMES}
    wanted = "".join(filter(str.isalnum, name.lower()))
    near = [plain[each] for each in get_close_matches(wanted, plain, n=1, cutoff=0.7)]
    near = near or [each for each in FORMAT_NAMES if wanted and wanted.startswith("".join(filter(str.isalpha, each)))]
    meant = f" (did you mean {near[-1]}?)" if near else ""
    raise ConfigError(SETTING, f"names no chat format{meant}; there are {', '.join(FORMAT_NAMES)}")


def _named(tokenizer: Tokenizer, template: ModelTemplate | None, name: str) -> ChatFormat:
    own = None if template is None else recognise(tokenizer, template)
    family = "mistral" if name.startswith("mistral") else name
    if own is not None and own.name == name:
        return own
    if own is not None and not own.name.startswith(family):
        log.warning("the model's own chat template is %s, and %s says %s", own.name, SETTING, name)
    builders: dict[str, Callable[[Tokenizer], ChatFormat]] = {
        "llama-2": Llama2Format.build,
        "llama-3": Llama3Format.build,
        "chatml": ChatMLFormat.build,
        "mistral-v1": MistralFormat.v1,
        "mistral-v2": partial(MistralFormat.v3, name="mistral-v2"),
        "mistral-v3": MistralFormat.v3,
        "zephyr": ZephyrFormat.build,
        "vicuna": VicunaFormat.build,
    }
    try:
        return builders[name](tokenizer)
    except UnfitVocabulary as unfit:
        raise ConfigError(SETTING, f"{name} is not this model's chat format: {unfit}") from None


class _Build:
    """Builds a format, perhaps with a system message that it writes where there is none."""

    def __init__(self, build: Callable[..., ChatFormat], *, may_refuse_system: bool = False) -> None:
        self._build = build
        self.may_refuse_system = may_refuse_system
        """The vendor's template has no place for a system message, and its own code folds it into a question."""

    def __call__(self, default_system: str = "") -> ChatFormat:
        return self._build(default_system=default_system) if default_system else self._build()


def _candidates(tokenizer: Tokenizer, template: ModelTemplate) -> Iterator[_Build]:
    yield _Build(lambda: Llama2Format.build(tokenizer))
    yield _Build(partial(Llama3Format.build, tokenizer))
    begin = template.begin_token
    if begin not in (None, "<|im_start|>") and begin in (template.short or ""):
        yield _Build(partial(ChatMLFormat.build, tokenizer, begin=begin))
    yield _Build(partial(ChatMLFormat.build, tokenizer))
    for is_last in (True, False):
        yield _Build(partial(MistralFormat.v3, tokenizer, is_system_last=is_last), may_refuse_system=is_last)
    has_brackets = any(token.content == "[INST]" for token in tokenizer.get_added_tokens_decoder().values())
    for is_last in () if has_brackets else (False, True):
        yield _Build(partial(MistralFormat.v1, tokenizer, is_system_last=is_last), may_refuse_system=not is_last)
    yield _Build(partial(ZephyrFormat.build, tokenizer))
    yield _Build(partial(VicunaFormat.build, tokenizer))


def _agreeing(build: _Build, plain: ChatFormat, template: ModelTemplate) -> ChatFormat | None:
    """The format, with the system message that the template writes where there is none; None if it isn't the one."""
    for each in (plain, plain.without_default()) if plain.default_system else (plain,):
        if _agrees(each, template, build):
            return each
    given = template.short
    if given is None or isinstance(plain, MistralFormat | Llama2Format):
        return None
    before, mark, behind = _rendered(plain, _Dialogue(_SHORT.texts, _MARK)).partition(_MARK)
    text = _comparable(given, plain)
    if not mark or not (text.startswith(before) and text.endswith(behind) and len(text) > len(before) + len(behind)):
        return None
    found = build(text[len(before) : len(text) - len(behind)])
    return found if _agrees(found, template, build) else None


def _agrees(chat_format: ChatFormat, template: ModelTemplate, build: _Build) -> bool:
    for probe, given in zip(_DIALOGUES, template.rendered, strict=True):
        if given is None:
            if probe.system_message and build.may_refuse_system:
                continue
            return False
        if _comparable(given, chat_format) != _rendered(chat_format, probe):
            return False
    return True


def _rendered(chat_format: ChatFormat, dialogue: _Dialogue) -> str:
    """A dialogue in a format, written out."""
    text = "".join(
        part if isinstance(part, str) else chat_format.control_tokens[part]
        for turn in prompt_turns(dialogue.texts, dialogue.system_message)
        for part in chat_format.parts(turn)
    )
    return _comparable(text, chat_format)


def _comparable(text: str, chat_format: ChatFormat) -> str:
    """A rendered text without that in which a template may differ from its format."""
    if chat_format.begin_id is not None and chat_format is not LLAMA_2:
        text = text.removeprefix(chat_format.control_tokens[chat_format.begin_id])
    match chat_format:
        case Llama3Format():
            return _DATES.sub("", text, count=1).replace(_NO_SYSTEM, "", 1)
        case MistralFormat():
            return _BLANKS_AROUND_BRACKETS.sub(r"\1", text).strip(" ")
        case VicunaFormat() | ZephyrFormat():
            return text.rstrip()
    return text
