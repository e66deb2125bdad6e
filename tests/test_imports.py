import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bot.conversation
import bot.delivery
import bot.inference
from bot.inference import scheduling

ROOT = Path(bot.__file__).parents[1]

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


def test_conversation_imports_without_torch_discord_and_sql():
    modules = [module.name for module in pkgutil.iter_modules(bot.conversation.__path__, "bot.conversation.")]

    ended = import_without(modules, ["torch", "numpy", "transformers", "discord", "aiohttp", "sqlalchemy", "aiosqlite"])

    assert len(modules) > 8
    assert ended.returncode == 0, ended.stderr


def test_delivery_imports_without_discord():
    modules = [module.name for module in pkgutil.iter_modules(bot.delivery.__path__, "bot.delivery.")]

    ended = import_without(modules, ["discord", "aiohttp", "torch", "transformers"])

    assert len(modules) > 8
    assert ended.returncode == 0, ended.stderr


def test_scheduling_imports_without_torch_and_numpy():
    modules = [module.name for module in pkgutil.iter_modules(scheduling.__path__, "bot.inference.scheduling.")]

    ended = import_without(modules, ["torch", "numpy", "transformers", "tokenizers"])

    assert len(modules) > 6
    assert ended.returncode == 0, ended.stderr


def test_inference_imports_without_discord_and_sql():
    # The kernels need triton, which a CUDA build of torch brings; their own tests import them.
    names = [module.name for module in pkgutil.walk_packages(bot.inference.__path__, "bot.inference.")]
    modules = [name for name in names if not name.startswith("bot.inference.kernels.")]

    ended = import_without(modules, ["discord", "sqlalchemy", "aiosqlite", "alembic", "pydantic_settings", "openai"])

    assert len(modules) > 10
    assert ended.returncode == 0, ended.stderr


def test_absent_module_is_absent():
    ended = import_without(["bot.store.files.database"], ["sqlalchemy"])

    assert "no sqlalchemy here" in ended.stderr


def test_imports_keep_to_the_layers():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    if not lint_imports.exists():
        pytest.fail("import-linter is missing: install the extra `dev`")

    ended = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
