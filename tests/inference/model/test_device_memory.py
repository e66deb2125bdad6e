"""Tensors whose memory is given back come back as they were, and a model answers as it did before; on the CPU."""

import random

import pytest
import torch

from bot.inference.engine import Request, SamplingParams
from bot.inference.kernels.choice import MixedOps
from bot.inference.loading.build import MemoryLimits, assemble_runner
from bot.inference.model.device_memory import DeviceMemory, HostMemoryLow, host_room
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind
from bot.inference.scheduling.core import EngineCore
from bot.inference.scheduling.scheduler import SchedulerLimits
from tests.checkpoints import GROUPED, TINY, random_weights

CPU = torch.device("cpu")


def save_all(memory):
    while not memory.save():
        pass


def test_what_is_kept_is_the_same_afterwards_and_the_rest_is_zeros():
    turned, flat, void = torch.randn(100, 30).t(), torch.arange(1001), torch.ones(50)
    row, before = turned[3], (turned.clone(), flat.clone())
    memory = DeviceMemory(CPU, [turned, flat, row, torch.empty(0)], [void, flat[5:]], slab_bytes=1000)

    save_all(memory)
    memory.release()
    sizes = [tensor.untyped_storage().nbytes() for tensor in (turned, flat, row, void)]
    memory.restore()

    assert sizes == [0, 0, 0, 0]
    assert torch.equal(turned, before[0])
    assert torch.equal(flat, before[1])
    assert torch.equal(row, before[0][3])
    assert not void.any()
    assert memory.num_kept_bytes == 30 * 100 * 4 + 1001 * 8
    assert memory.num_bytes == memory.num_kept_bytes + 200


def test_nothing_is_given_back_before_all_is_saved():
    memory = DeviceMemory(CPU, [torch.randn(1000)], [], slab_bytes=1000)

    assert not memory.save()
    with pytest.raises(RuntimeError, match="not saved"):
        memory.release()


def test_where_some_can_t_be_given_back_all_of_it_stays():
    first, seen_by_numpy = torch.randn(10), torch.ones(20)
    array = seen_by_numpy.numpy()
    memory = DeviceMemory(CPU, [first, seen_by_numpy], [torch.ones(5)])
    save_all(memory)

    with pytest.raises(RuntimeError, match="can't be given back"):
        memory.release()

    assert first.untyped_storage().nbytes() == 40
    assert array.sum() == 20


def test_what_could_not_be_taken_back_is_all_given_back_again():
    class Full(DeviceMemory):
        is_full = False

        def _synchronize(self):
            if self.is_full:
                self.is_full = False
                raise torch.OutOfMemoryError

    kept, void = torch.randn(1000), torch.ones(10)
    before, memory = kept.clone(), Full(CPU, [kept], [void])
    save_all(memory)
    memory.release()

    memory.is_full = True
    with pytest.raises(torch.OutOfMemoryError):
        memory.restore()
    sizes = [tensor.untyped_storage().nbytes() for tensor in (kept, void)]
    memory.restore()

    assert sizes == [0, 0]
    assert torch.equal(kept, before)


def test_a_host_without_room_is_found_before_anything_is_copied():
    class Huge(DeviceMemory):
        num_kept_bytes = 1 << 60

    memory = Huge(CPU, [torch.randn(10)], [])

    with pytest.raises(HostMemoryLow, match=r"1073741825\.0 GiB of this machine's memory are needed"):
        memory.save()


@pytest.mark.parametrize(
    ("available", "limit", "used", "inactive", "room"),
    [
        (100, "max", 10, 5, 100 * 1024),
        (100, "60000", 10_000, 5_000, 55_000),
        (1, "60000", 10_000, 0, 1024),
        (None, None, None, None, None),
    ],
)
def test_room_on_the_host_is_what_machine_and_container_leave(tmp_path, available, limit, used, inactive, room):
    if available is not None:
        (tmp_path / "meminfo").write_text(f"MemTotal: 900 kB\nMemAvailable:  {available} kB\n")
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        (tmp_path / "memory.stat").write_text(f"anon 7\ninactive_file {inactive}\n")

    assert host_room(tmp_path / "meminfo", tmp_path) == room


# A whole model

SHAPES = {"multi-head": TINY, "grouped-query": GROUPED}
KINDS = {"floats": (MatrixKind.FLOAT, CacheKind.FLOAT), "eight bits": (MatrixKind.INT8, CacheKind.INT8)}


def build(shape=TINY, kinds=KINDS["floats"]):
    """A runner whose memory can be given back, as a card's: what numpy has seen can't be."""
    weights = random_weights(shape, CPU, torch.float32, kinds[0])
    limits = MemoryLimits(num_blocks=40, max_num_sequences=4, max_prefill_tokens=64)
    return assemble_runner(shape, weights, limits, kinds[1], use_kernels=False)


def ask(rng, owner=""):
    prompt = tuple(rng.randrange(3, 320) for _ in range(rng.randrange(1, 90)))
    temperature, penalty = rng.choice([0.0, 0.8]), rng.choice([1.0, 1.3])
    sampling = SamplingParams(temperature=temperature, repetition_penalty=penalty, max_new_tokens=rng.randrange(1, 6))
    return Request(prompt, sampling, owner)


def run(core):
    """The tokens of all requests until their ends, by their ids."""
    tokens = {}
    while core.has_work:
        for output in core.step():
            assert output.error is None
            tokens.setdefault(output.request_id, []).extend(output.token_ids)
    return tokens


def sleep(runner, core):
    save_all(runner)
    runner.release()
    core.forget_all()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_tokens_are_the_same_before_and_after_sleep(shape, kinds):
    runner = build(shape, kinds)
    core = EngineCore(runner, eos_token_ids=frozenset())
    rng = random.Random(4)
    requests = [ask(rng, f"owner {number}") for number in range(6)]

    answers = []
    for nap in range(3):
        if nap:
            sleep(runner, core)
            runner.restore()
        for number, request in enumerate(requests):
            core.submit(number, request)
        answers.append(run(core))

    assert answers[0] == answers[1] == answers[2]
    assert sorted(answers[0]) == list(range(6))


def test_a_sleeping_model_takes_no_memory_of_its_device():
    runner = build()
    weights = runner._execution.model._weights
    tensors = [*weights.tensors(), *runner._cache.tensors(), *runner._execution.workspace.tensors()]

    save_all(runner)
    runner.release()

    assert sum(tensor.untyped_storage().nbytes() for tensor in tensors) == 0


@pytest.mark.slow
def test_two_hundred_random_sleeps_change_no_token():
    rng = random.Random(7)
    runner = build()
    core = EngineCore(runner, eos_token_ids=frozenset(), limits=SchedulerLimits(max_chunk_tokens=32))
    known = [ask(rng, rng.choice(["", "ann", "bob"])) for _ in range(20)]
    for number, request in enumerate(known):
        core.submit(number, request)
    right = run(core)

    num_asked = len(known)
    for _ in range(200):
        sleep(runner, core)
        chosen = {num_asked + number: rng.randrange(20) for number in range(rng.choice([0, 1, 1, 2]))}
        num_asked += len(chosen)
        for request_id, number in chosen.items():
            core.submit(request_id, known[number])
        leaving = rng.choice(list(chosen)) if chosen and rng.random() < 0.2 else None
        if leaving is not None:
            core.abort(leaving)
        runner.restore()

        assert run(core) == {each: right[number] for each, number in chosen.items() if each != leaving}

    assert num_asked > 150


def test_all_operations_say_what_they_keep():
    shape = TINY
    runner = build(shape)
    reference = runner._execution.model.ops
    mixed = MixedOps(reference, reference, frozenset({"sample"}))

    assert len(list(mixed.tensors())) == 2 * len(list(reference.tensors())) > 0
