"""Kernels are compiled beside the loading of weights, and nothing that goes wrong there matters to it."""

import ast
import threading
from dataclasses import replace
from itertools import count

import pytest
import torch

triton = pytest.importorskip("triton", reason="triton can't be imported: no kernel was compiled")

from bot.app import DEMO_MODEL  # noqa: E402
from bot.inference.kernels.choice import kernel_choices, kernels_compiling  # noqa: E402
from bot.inference.kernels.sampling import greedy_kernel  # noqa: E402
from bot.inference.kernels.self_test import LayerTest  # noqa: E402
from bot.inference.kernels.triton_ops import KernelOps  # noqa: E402
from bot.inference.loading.config import read_shape  # noqa: E402
from bot.inference.model.execution import build_slot_state  # noqa: E402
from bot.inference.model.graphs import GraphExecution  # noqa: E402
from bot.inference.model.inputs import Sizes, StepInputs  # noqa: E402
from bot.inference.model.kv_cache import build_kv_cache  # noqa: E402
from bot.inference.model.llama import LlamaModel  # noqa: E402
from bot.inference.model.ops import Workspace  # noqa: E402
from bot.inference.model.shape import LlamaShape  # noqa: E402
from tests.checkpoints import LLAMA_2_7B, random_weights  # noqa: E402
from tests.groups import with_compiler  # noqa: E402
from tests.inference.cards import CARDS  # noqa: E402

PLACE = (torch.device("cpu"), torch.float16)
NUMBERS = count(200)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where the kernels lie that a test of this file has compiled: that takes a quarter of a minute."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def open_card(compiled, monkeypatch):
    """Makes a card the one that Triton sees."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(compiled))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")  # Triton 3.9 warns where it isn't set

    def activate(name):
        card = replace(CARDS[name], number=next(NUMBERS), loaded=[])
        triton.runtime.driver.set_active(card)
        return card

    yield activate
    triton.runtime.driver.set_active(None)


@pytest.fixture
def card(open_card):
    return open_card("H100")


def choice_for(card, shape=None):
    return kernel_choices(shape or read_shape(DEMO_MODEL), 0, 2, card.capability)[0]


def fail_to_parse(kernel, monkeypatch):
    """Have one parse of a kernel's source fail as it may where two threads parse; returns the errors that are left."""
    parse, errors = ast.parse, iter([SystemError("AST constructor recursion depth mismatch")])

    def parse_unluckily(source, *arguments, **options):
        if source.startswith(f"def {kernel}("):  # what torch parses meanwhile is let be
            for error in errors:
                raise error
        return parse(source, *arguments, **options)

    monkeypatch.setattr(ast, "parse", parse_unluckily)
    return errors


ON_A_T4 = {
    *("decode_attention_kernel", "gemv_gated_kernel", "gemv_kernel", "gemv_qkv_kernel"),
    *("greedy_kernel", "rms_norm_kernel", "rotate_and_store_kernel", "sample_kernel", "silu_mul_kernel"),
}

TENSOR_CORE_KERNELS = {"dot_attention_kernel", "skinny_gated_kernel", "skinny_kernel", "skinny_qkv_kernel"}

ON_AN_H100 = ON_A_T4 | TENSOR_CORE_KERNELS | {"packed_attention_kernel"}


@pytest.mark.soak
@with_compiler
def test_all_kernels_of_a_7b_llama_on_a_t4_are_compiled_and_loaded_when_the_block_is_over(open_card, caplog):
    caplog.set_level("INFO")
    card = open_card("T4")

    with kernels_compiling(choice_for(card, LLAMA_2_7B), torch.float16):
        pass

    assert set(card.loaded) == ON_A_T4, caplog.text
    assert "no kernel is compiled" not in caplog.text


@pytest.mark.no_cover
@with_compiler
def test_all_kernels_of_the_demonstration_model_on_an_h100_are_compiled_and_loaded_too(card, caplog):
    caplog.set_level("INFO")

    with kernels_compiling(choice_for(card), torch.float16):
        pass

    assert set(card.loaded) == ON_AN_H100, caplog.text
    assert "no kernel is compiled" not in caplog.text


@with_compiler
def test_a_source_that_two_threads_parse_at_once_is_parsed_again(card, compiled, monkeypatch):
    for path in compiled.glob("*/greedy_kernel.*"):
        path.unlink()  # one is left to parse
    errors = fail_to_parse("greedy_kernel", monkeypatch)

    with kernels_compiling(choice_for(card), torch.float16):
        pass

    assert next(errors, None) is None
    assert set(card.loaded) == ON_AN_H100


@with_compiler
def test_what_a_kernel_is_found_by_is_its_whole_source_even_where_a_parse_fails(card, monkeypatch):
    expected = greedy_kernel.cache_key
    monkeypatch.setattr(greedy_kernel, "hash", None)
    errors = fail_to_parse("greedy_kernel", monkeypatch)

    with kernels_compiling(choice_for(card), torch.float16):
        pass

    assert next(errors, None) is None
    assert greedy_kernel.cache_key == expected


@with_compiler
def test_kernels_that_do_not_fit_the_card_leave_the_block_alone(card, caplog):
    caplog.set_level("INFO")
    card.shared_kib = 0
    is_loaded = False

    with kernels_compiling(choice_for(card), torch.float16):
        is_loaded = True

    assert is_loaded
    assert "no kernel is compiled before the weights are loaded" in caplog.text


def test_a_block_that_raises_does_not_wait_for_the_compiler(card):
    is_released = threading.Event()

    def stand_still():
        is_released.wait(60)
        raise LookupError

    card.get_current_device = stand_still

    with pytest.raises(LookupError), kernels_compiling(choice_for(card), torch.float16):
        raise LookupError

    (compiler,) = (thread for thread in threading.enumerate() if thread.name == "compiler")
    is_released.set()
    compiler.join(60)
    assert card.loaded == []


def test_no_kernel_is_left_to_compile_when_steps_are_captured():
    shape = LlamaShape(64, 256, 512, 2, 4, 4, 64, 128)
    weights = random_weights(shape, *PLACE)
    cache = build_kv_cache(shape, 20, *PLACE)
    workspace = Workspace(shape, 2048, *PLACE)
    ops = KernelOps(shape, cache, 128, 64, has_dot=True, has_pdl=True)
    inputs, state = StepInputs(Sizes(2048, 64, 4, 300), cache.blocks.device), build_slot_state(64, 64, *PLACE)
    execution = GraphExecution(LlamaModel(weights, cache, ops), workspace, inputs, state, None)

    def run_every_step():
        for size in execution._buckets:
            execution.run_decode(size, ())
            execution.run_head(size, is_greedy=False)
            execution.finish_last(size)
        for size in execution._prefill_buckets:
            execution.run_prefill(size, 1, ())

    tested = kernels_noted(ops, lambda: LayerTest(shape, weights, cache, workspace).visit_all(ops, 64))
    needed = kernels_noted(ops, run_every_step)

    assert len(needed) > 20
    assert needed <= tested


def kernels_noted(ops, visit):
    """Kernels and constants that `visit` calls for, none of which is run."""
    ops._launcher._calls = {}
    with torch.inference_mode():
        visit()
    noted, ops._launcher._calls = set(ops._launcher._calls), None
    return noted
