"""Every test of what the tables hold runs on SQLite, and again on PostgreSQL where that is installed.

Those that look into SQLite's file, by the fixture `file`, or that bear the mark `sqlite_only`, run on SQLite alone.
"""

import inspect
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.files.database import Database, migrate, open_database
from tests.store.fresh import lay_database
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import Clock

_TEMPLATE = f"trinity_rows_{os.getpid()}"
_numbers = itertools.count()
_servers: set[str] = set()
"""Those that have the template."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    looks_into_file = "file" in inspect.signature(metafunc.function).parameters
    is_for_sqlite = looks_into_file or metafunc.definition.get_closest_marker("sqlite_only") is not None
    if "engine_name" in metafunc.fixturenames and not is_for_sqlite:
        marks = [pytest.mark.slow, *on_postgresql()]
        metafunc.parametrize("engine_name", ["sqlite", pytest.param("postgresql", marks=marks)], indirect=True)


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
async def url(engine_name: str, file: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An empty database: a file to be made, or one on a server with all tables."""
    if engine_name == "sqlite":
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgresql_server")
    await _make_template(server)
    async with new_database(server, f"{_TEMPLATE}_{next(_numbers)}", template=_TEMPLATE) as address:
        yield address.render_as_string(hide_password=False)


@pytest.fixture
async def database(engine_name: str, file: Path, url: str, clock: Clock) -> AsyncIterator[Database]:
    if engine_name == "sqlite":
        await lay_database(file)
    async with open_database(url, clock=clock) as database:
        yield database


async def _make_template(server: str) -> None:
    if server in _servers:
        return
    async with new_database(server, _TEMPLATE, is_kept=True) as address:
        await migrate(address.render_as_string(hide_password=False))
    _servers.add(server)
