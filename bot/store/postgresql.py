"""What is PostgreSQL's alone: its transactions are made to mean what SQLite's do.

One process writes at a time, so that none loses another's update between reading and writing; and a reader sees one
state of the database, however many statements it asks.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event

ENGINE_OPTIONS: dict[str, Any] = {
    "pool_pre_ping": True,  # a server that was restarted has dropped every connection
    "connect_args": {
        "timeout": 10,
        "server_settings": {
            "application_name": "trinity",
            "lock_timeout": "5000",
            # A process whose machine is gone must not keep the others from writing.
            "idle_in_transaction_session_timeout": "60000",
        },
    },
}

# Any number that no other program takes, and not the one that migrations take turns by.
_BEGIN = {
    "read": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "write": "SELECT pg_advisory_xact_lock(1416784239)",
}


def prepare_connections(engine: Engine) -> None:
    """Begin every transaction that says what it is for, in the execution option `transaction`, accordingly."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        purpose = connection.get_execution_options().get("transaction")
        if purpose is not None:
            connection.exec_driver_sql(_BEGIN[purpose])
