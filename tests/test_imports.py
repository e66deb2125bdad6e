import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bot.inference

ROOT = Path(bot.__file__).parents[1]
CONVERSATION_LOGIC = (
    "conversation",
    "invites",
    "markup",
    "persona",
    "sanitize",
    "output",
    "prompt",
    "tokenizer",
    "window",
    "turns",
)

# Imports modules while others can't be found, as on a machine where they aren't installed.
SCRIPT = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"no {name} here", name=name)

modules, absent = sys.argv[1].split(), sys.argv[2].split()
sys.meta_path.insert(0, Absent())
for module in modules:
    importlib.import_module(module)
"""


def import_without(modules, absent):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, " ".join(modules), " ".join(absent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_conversation_logic_imports_without_torch_discord_and_sql():
    modules = [f"bot.chat.{name}" for name in CONVERSATION_LOGIC]

    ended = import_without(modules, ["torch", "transformers", "discord", "sqlalchemy", "aiosqlite", "alembic"])

    assert ended.returncode == 0, ended.stderr


def test_inference_imports_without_discord_and_sql():
    # The kernels need triton, which a CUDA build of torch brings; their own tests import them.
    names = [module.name for module in pkgutil.walk_packages(bot.inference.__path__, "bot.inference.")]
    modules = [name for name in names if not name.startswith("bot.inference.kernels.")]

    ended = import_without(modules, ["discord", "sqlalchemy", "aiosqlite", "alembic", "pydantic_settings", "openai"])

    assert len(modules) > 10
    assert ended.returncode == 0, ended.stderr


def test_absent_module_is_absent():
    ended = import_without(["bot.store.database"], ["sqlalchemy"])

    assert "no sqlalchemy here" in ended.stderr


def test_imports_keep_to_the_layers():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    if not lint_imports.exists():
        pytest.fail("import-linter is missing: install the extra `dev`")

    ended = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
