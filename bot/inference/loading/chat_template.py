"""The chat template that comes with a model: found among its files, and rendered by a program of its own.

It only renders a few dialogues from which the model's chat format is recognised; no prompt is ever made with it. The
program (`render_template`) has as much time and memory as a real template could need.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.conversation.formats.choice import PROBES, ModelTemplate
from bot.inference.loading.files import read_json
from bot.inference.loading.render_template import Messages, Rendering

RenderAll = Callable[[str, Mapping[str, str], Sequence[Messages]], Rendering]

_MAX_TEMPLATE_BYTES = 1024**2
_MOST_SECONDS = 5
"""Of processor time. Real templates take a tenth of one, which is mostly Python's start."""
_PATIENCE_SECONDS = 60.0
"""By the clock, on a machine that is busy with other things."""
_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")
_NO_DEFAULT = "{{ raise_exception('none of several is the default') }}"
"""Instead of templates of which nothing says which one is to be taken: no format agrees with it."""
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""What the program is told: no token of the operator's."""


def render_apart(
    source: str, tokens: Mapping[str, str], dialogues: Sequence[Messages], *, most_seconds: int = _MOST_SECONDS
) -> Rendering:
    """Have a template rendered by a program of its own, which ends in time whatever the template computes."""
    asked = json.dumps({"source": source, "tokens": tokens, "dialogues": dialogues})
    environ = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "bot.inference.loading.render_template", str(most_seconds)],
            input=asked.encode(),
            capture_output=True,
            env=environ,
            timeout=_PATIENCE_SECONDS,
            check=True,
            start_new_session=True,  # Ctrl-C is for us
        )
        rendering: Rendering = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        return {"problem": f"isn't rendered within {_PATIENCE_SECONDS:g} seconds"}
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:  # a signal ended it: its time is over, or the system's memory
            return {"problem": f"can't be rendered within {most_seconds} s and 1 GiB"}
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["it doesn't say why"]
        return {"problem": f"can't be rendered: {said[-1]}"}
    except ValueError:  # something in this Python writes to every program's output
        return {"problem": "can't be rendered: its program wrote something else"}
    return rendering


def read_chat_template(folder: Path, render_all: RenderAll = render_apart) -> ModelTemplate | None:
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
        return ModelTemplate(problem=f"is larger than any ({_MAX_TEMPLATE_BYTES >> 10} KiB)")
    tokens = {**_read(folder / "special_tokens_map.json"), **config}
    if not {"bos_token", "eos_token"} <= tokens.keys():
        tokens = {**_tokens_by_id(folder), **tokens}
    spelled = {name: text for name in _TOKENS if (text := _spelling(tokens.get(name))) is not None}
    rendering = render_all(source, spelled, PROBES)
    if "problem" in rendering:
        return ModelTemplate(problem=rendering["problem"])
    return ModelTemplate(tuple(rendering["rendered"]), spelled.get("bos_token"))


def _source(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_TEMPLATE_BYTES + 1)
    found = _read(folder / "chat_template.json").get("chat_template") or config.get("chat_template")
    if isinstance(found, list):  # several with names
        named = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = named.get("default") or (next(iter(named.values())) if len(named) == 1 else _NO_DEFAULT)
    return found if isinstance(found, str) and found.strip() else None


def _tokens_by_id(folder: Path) -> dict[str, str]:
    """How the tokens are spelled with which texts begin and end, where only config.json says which ids they have."""
    added = _read(folder / "tokenizer.json").get("added_tokens") or ()
    spelled = {token.get("id"): token.get("content") for token in added}
    config = _read(folder / "config.json")
    ids = {name: config.get(f"{name}_id") for name in ("bos_token", "eos_token")}
    firsts = {name: found[0] if isinstance(found, list) and found else found for name, found in ids.items()}
    return {name: spelled[first] for name, first in firsts.items() if isinstance(first, int) and first in spelled}


def _spelling(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
