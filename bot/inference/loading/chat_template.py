"""The chat template that comes with a model: found among its files, and rendered as `transformers` does.

It is a Jinja program of a stranger's, so it runs in Jinja's sandbox, and what it writes is bounded. It only renders a
few dialogues from which the model's chat format is recognised; no prompt is ever made with it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.conversation.formats.choice import ModelTemplate
from bot.inference.loading.files import first_line, read_json

if TYPE_CHECKING:
    from jinja2 import Template

_MAX_TEMPLATE_BYTES = 1024**2
_MAX_RENDERED = 100_000
"""Characters; what is rendered are a few short lines."""
_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


def read_chat_template(folder: Path) -> ModelTemplate | None:
    """The chat template in a model's folder; None if there is none.

    It is looked for where `transformers` looks: chat_template.jinja, chat_template.json, tokenizer_config.json.

    Raises:
        ConfigError: one of these files can't be read.
    """
    config = _read(folder / "tokenizer_config.json")
    source = _source(folder, config)
    if source is None:
        return None
    if len(source.encode(errors="replace")) > _MAX_TEMPLATE_BYTES:
        return _unusable(f"is larger than any ({_MAX_TEMPLATE_BYTES >> 10} KiB)")
    tokens = {**_read(folder / "special_tokens_map.json"), **config}
    spelled = {name: text for name in _TOKENS if (text := _spelling(tokens.get(name))) is not None}
    try:
        template = _compiled(source)
    except Exception as error:  # jinja2 raises errors of many kinds
        return _unusable(f"can't be understood: {first_line(error)}")

    def render(messages: Sequence[Mapping[str, str]]) -> str | None:
        return _render(template, messages, spelled)

    return ModelTemplate(render, spelled.get("bos_token"))


def _unusable(problem: str) -> ModelTemplate:
    """A template that renders nothing: the operator may still name the format."""
    return ModelTemplate(lambda _messages: None, problem=problem)


def _render(template: "Template", messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str]) -> str | None:
    said = [dict(message) for message in messages]
    values = {"messages": said, "tools": None, "documents": None, "add_generation_prompt": True, **tokens}
    rendered = ""
    try:
        for piece in template.generate(values):
            rendered += piece
            if len(rendered) > _MAX_RENDERED:
                return None
    except Exception:  # a template refuses what it doesn't like by raising
        return None
    return rendered


def _compiled(source: str) -> "Template":
    """The template with what `transformers` lets templates use."""
    import jinja2  # noqa: PLC0415 - only where there is a template
    from jinja2.ext import Extension, loopcontrols  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Generation(Extension):
        """`{% generation %}` marks what a model is trained on; here it is what stands in it."""

        tags = {"generation"}  # noqa: RUF012 - jinja2's own name

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda wanted: datetime.now().astimezone().strftime(wanted)
    return environment.from_string(source)


def _source(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_TEMPLATE_BYTES + 1)
    found = _read(folder / "chat_template.json").get("chat_template") or config.get("chat_template")
    if isinstance(found, list):  # several with names
        named = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = named.get("default")
    return found if isinstance(found, str) and found.strip() else None


def _spelling(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
