"""Renders a model's chat template, as `transformers` does: a program that `chat_template` runs.

A template is a Jinja program of a stranger's. It runs in Jinja's sandbox, which keeps it from everything but computing:
that may take for ever, or all memory. So the program bounds itself before it compiles anything.

`python -m bot.inference.loading.render_template SECONDS` (of processor time) reads one JSON object on stdin, and writes
what `render` returns.
"""

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.inference.loading.files import first_line

if TYPE_CHECKING:
    from jinja2 import Template

Messages = Sequence[Mapping[str, str]]
"""A dialogue: `role` and `content` of each message."""
Rendering = dict[str, Any]
"""`rendered`: a text for each dialogue, None where the template refuses it; or `problem`: why it can't be rendered."""

_MOST_BYTES = 1024**3
_MOST_RENDERED = 100_000
"""Characters; what is rendered are a few short lines."""
_MOST_SAID = 300


def main() -> None:
    """Render what standard input asks for."""
    _bound(resource.RLIMIT_CPU, int(sys.argv[1]))
    _bound(resource.RLIMIT_AS, _MOST_BYTES)
    _bound(resource.RLIMIT_CORE, 0)
    asked = json.loads(sys.stdin.buffer.read())
    rendering = render(asked["source"], asked["tokens"], asked["dialogues"])
    sys.stdout.buffer.write(json.dumps(rendering).encode())


def _bound(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    with suppress(ValueError, OSError):  # a system that doesn't know this limit
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def render(source: str, tokens: Mapping[str, str], dialogues: Sequence[Messages]) -> Rendering:
    """What the template makes of each of the dialogues, up to where the answer begins."""
    try:
        template = _compiled(source)
    except Exception as error:  # jinja2 raises errors of many kinds
        return {"problem": f"can't be understood: {first_line(error)[:_MOST_SAID]}"}
    return {"rendered": [_render(template, messages, tokens) for messages in dialogues]}


def _render(template: "Template", messages: Messages, tokens: Mapping[str, str]) -> str | None:
    said = [dict(message) for message in messages]
    values = {"messages": said, "tools": None, "documents": None, "add_generation_prompt": True, **tokens}
    rendered = ""
    try:
        for piece in template.generate(values):
            rendered += piece
            if len(rendered) > _MOST_RENDERED:
                return None
    except Exception:  # a template refuses what it doesn't like by raising
        return None
    return rendered


def _compiled(source: str) -> "Template":
    """The template with what `transformers` lets templates use."""
    import jinja2  # noqa: PLC0415 - after the limits
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


if __name__ == "__main__":
    main()
