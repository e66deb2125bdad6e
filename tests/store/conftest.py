from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.store.files.database import Database, open_database
from tests.store.fresh import lay_database
from tests.store.postgresql_server import some_server
from tests.store.said import Clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "trinity.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(file: Path, url: str, clock: Clock) -> AsyncIterator[Database]:
    await lay_database(file)
    async with open_database(url, clock=clock) as database:
        yield database


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be made."""
    with some_server() as url:
        yield url
