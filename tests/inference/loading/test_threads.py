import os

import pytest
import torch

from bot.inference.loading import threads
from bot.inference.loading.config import read_shape
from bot.inference.loading.memory import weights_bytes
from bot.inference.loading.threads import choose_num_threads, count_cores, settle_threads

SEVEN_BILLION = 6_738_415_616


@pytest.fixture
def torch_threads(monkeypatch):
    """The number of threads that torch uses, as it was afterwards; the environment says none."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield torch.get_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Counts the cores of a machine with 8 hardware threads, two of each core, of which some may be used."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: allowed, raising=False)
    allowed = set(range(8))
    for number in range(8):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 4},{number % 4 + 4}\n")
    quota = tmp_path / "cpu.max"

    def count(*, numbers=allowed, limit=None):
        allowed.intersection_update(numbers)
        if limit is not None:
            quota.write_text(limit)
        return count_cores(tmp_path, quota)

    return count


def test_a_small_model_has_one_thread_and_a_large_one_a_thread_a_core():
    assert choose_num_threads(7_500_000, 64) == 1
    assert choose_num_threads(SEVEN_BILLION, 64) == 64
    assert choose_num_threads(SEVEN_BILLION, 1) == 1


def test_two_hardware_threads_of_a_core_count_once(machine):
    assert machine() == 4


def test_only_cores_that_this_process_may_use_count(machine):
    assert machine(numbers={0, 4, 1}) == 2


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 4), ("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("", 4), ("nonsense", 4)],
)
def test_a_containers_share_of_the_machine_counts_in_whole_cores(machine, limit, expected):
    assert machine(limit=limit) == expected


def test_a_machine_that_tells_nothing_of_its_cores_counts_what_it_may_run_on(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2}, raising=False)

    assert count_cores(tmp_path, tmp_path / "cpu.max") == 3


def test_the_demonstration_model_is_computed_by_one_thread(torch_threads):
    from bot.app import DEMO_MODEL

    settle_threads(weights_bytes(read_shape(DEMO_MODEL), torch.int8))

    assert torch_threads() == 1


def test_a_large_model_is_computed_by_all_cores(torch_threads):
    settle_threads(SEVEN_BILLION)

    assert torch_threads() == threads.count_cores()


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_number_that_the_environment_gives_is_left_alone(torch_threads, monkeypatch, name):
    monkeypatch.setenv(name, "3")

    settle_threads(7_500_000)

    assert torch_threads() == 3
