"""Which process runs which test, in which order, and which of them coverage passes over.

A process takes a whole file after the other: what a file's tests share is made once, and pytest-xdist has hundreds of
units to give out, not thousands. The longest come first, so that no process is left alone with one at the end.

What takes half of all the time, and what needs a process of its own, bears the mark `slow`: `make test` leaves it to
`make test-slow`, and `.ci/run` calls both.

`make coverage` traces neither what runs Trinity as a process of its own, nor a model or the loopback Discord in this
one, nor what tries hundreds of examples: it would make them last two or three times as long, and finds no new line.
Others carry the mark `no_cover` themselves.
"""

import functools
import gc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

FOLDER = Path(__file__).parent
UNMEASURED = ("demo_model", "end_to_end", "loopback_selftest", "scenarios", "training")
SLOW = (
    *("end_to_end/test_daemon.py", "end_to_end/test_lost_engine.py", "scenarios", "inference/kernels"),
    *("demo_model/test_model.py", "discord/test_payloads.py", "store/files/test_power.py"),
    *("store/files/test_pooler.py", "store/files/test_postgresql_faults.py", "store/files/test_writers.py"),
    *(
        "store/files/test_postgresql.py",
        "store/rows/test_shards.py",
        "store/files/test_server_lock.py",
        "store/files/test_copy_database.py",
        "chat/test_restarts.py",
    ),
    *("inference/loading/test_hub.py", "inference/scheduling/test_core_llama.py"),
    *("inference/test_small_model.py", "end_to_end/test_small_model.py", "test_load_benchmark.py"),
    *("inference/scheduling/test_core_storm.py", "security/test_secrets.py", "discord/test_refusals.py"),
    *("discord/test_outage.py", "discord/test_older_database.py", "store/files/test_durability.py"),
    *("store/files/test_full_disk.py", "store/files/test_migrate.py", "store/files/test_recovery_files.py"),
)
LONGEST = (
    *("end_to_end", "simulation", "scenarios", "inference/kernels", "demo_model", "inference/scheduling"),
    *("discord/test_refusals.py", "discord/test_payloads.py", "discord/test_faults.py"),
    *("test_main.py", "security", "discord", "store/files", "test_packaging.py", "inference", "store", "chat"),
)


# A busy machine is no failure.
settings.register_profile("without a clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without a clock")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path))
    for item in items:
        if _is_in(item.path, SLOW):
            item.add_marker(pytest.mark.slow)
        if _is_in(item.path, UNMEASURED) or item.get_closest_marker("hypothesis"):
            item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish() -> None:
    """What was imported stays: a search for garbage passes over it, and takes half as long."""
    from tests.store.compiled_once import compile_once

    compile_once()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give out files in their order, but what bears the mark `xdist_group` by its group."""
    from xdist.scheduler import LoadGroupScheduling

    class FileScheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            group = super()._split_scope(nodeid)
            return nodeid.partition("::")[0] if group == nodeid else group

    if config.getoption("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


@functools.cache
def _rank(file: Path) -> int:
    return next((rank for rank, place in enumerate(LONGEST) if _is_in(file, (place,))), len(LONGEST))


@functools.cache
def _is_in(file: Path, places: tuple[str, ...]) -> bool:
    return any(file.is_relative_to(FOLDER / place) for place in places)
