"""Alembic's entry: migrates the one connection it is handed, inside the transaction that connection is already in.

There is no ini file; `bot.store.files.migrate` builds the configuration. The transaction is the caller's, so that
several migrations succeed or fail as one.
"""

from alembic import context

from bot.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
    # SQLite alters a table by copying it. A migration that does so passes
    # table_kwargs={"sqlite_autoincrement": True}, or ids of deleted rows are used again.
    render_as_batch=True,
)
context.run_migrations()
