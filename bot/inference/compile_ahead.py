"""Compiles the kernels while the weights are still being read: it takes the tensors' shapes, not what is in them.

What is compiled stays with the kernels, in this process and on disk, so that the self-test after loading finds it.
Whatever goes wrong here costs time and nothing else: a kernel that is missing is compiled when it is first called.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from bot.inference.kv_cache import build_kv_cache
from bot.inference.ops import Workspace
from bot.inference.ops_choice import OpsChoice
from bot.inference.self_test import MOST_TEST_TOKENS, NUM_TEST_BLOCKS, LayerTest
from bot.inference.weights import empty_weights

log = logging.getLogger(__name__)


@contextmanager
def kernels_compiling(choice: OpsChoice, dtype: torch.dtype) -> Iterator[None]:
    """Compile the kernels of `choice` beside the block, and wait at its end for the rest; an error isn't held up."""
    thread = threading.Thread(target=_compile, args=(choice, dtype), name="compiler", daemon=True)
    thread.start()
    yield
    loaded_at = time.monotonic()
    thread.join()
    log.info("the weights are loaded; their kernels took %.1f s more", time.monotonic() - loaded_at)


def _compile(choice: OpsChoice, dtype: torch.dtype) -> None:
    started = time.monotonic()
    try:
        import triton  # noqa: PLC0415  (may be missing or broken)

        triton.runtime.driver.active.get_current_device()  # the driver is made once, by one thread
        compile_for_shapes(choice, dtype)
    except Exception as error:  # whatever a compiler or a driver raises
        log.info("no kernel is compiled before the weights are loaded: %s", error)
    else:
        log.info("kernels compiled in %.1f s", time.monotonic() - started)


def compile_for_shapes(choice: OpsChoice, dtype: torch.dtype) -> None:
    """Compile the kernels of `choice` for tensors of its shape; no tensor takes any memory."""
    nowhere, one_layer = torch.device("meta"), replace(choice.shape, num_layers=1)
    with torch.inference_mode():
        cache = build_kv_cache(one_layer, NUM_TEST_BLOCKS, nowhere, dtype)
        workspace = Workspace(one_layer, MOST_TEST_TOKENS, nowhere, dtype)
        test = LayerTest(one_layer, empty_weights(one_layer, nowhere, dtype), cache, workspace)
        kernels = choice.kernels(cache)
        kernels.compile_ahead(lambda: test.visit_all(kernels, choice.num_sequences))
