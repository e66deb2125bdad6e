import errno

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.errors import DatabaseBusy, DatabaseOvertaken, DatabaseUnusable, StoreError
from bot.store.files.failures import translate


class PostgresError(Exception):
    """What asyncpg raises, as far as we look at it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("DETAIL: Failing row contains (secret)")
        self.sqlstate = sqlstate


def from_driver(error: Exception) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, error)


@pytest.mark.parametrize("sqlstate", ["08006", "53100", "55P03", "57P01"])
def test_what_postgresql_gets_over_is_passing(sqlstate):
    assert type(translate(from_driver(PostgresError(sqlstate)))) is DatabaseBusy


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_what_was_rolled_back_for_anothers_sake_may_be_tried_again(sqlstate):
    assert type(translate(from_driver(PostgresError(sqlstate)))) is DatabaseOvertaken


@pytest.mark.parametrize("sqlstate", ["28P01", "28000", "3D000", "42501"])
def test_what_postgresql_will_refuse_again_names_what_to_mend(sqlstate):
    error = translate(from_driver(PostgresError(sqlstate)))

    assert type(error) is DatabaseUnusable
    assert "TRINITY_DATABASE_URL" in str(error)


def test_what_postgresql_refuses_is_named_by_its_code_and_quotes_nobody():
    error = translate(from_driver(PostgresError("23514")))

    assert type(error) is StoreError
    assert "23514" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PoolTimeout("QueuePool limit"), DatabaseBusy),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), DatabaseBusy),
        (OSError(errno.ENOSPC, "no space"), DatabaseBusy),
        (PermissionError(errno.EACCES, "denied"), DatabaseUnusable),
        (OSError(errno.EROFS, "read-only file system"), DatabaseUnusable),
    ],
)
def test_the_operating_systems_errors_are_passing_or_lasting(error, kind):
    assert type(translate(error)) is kind
