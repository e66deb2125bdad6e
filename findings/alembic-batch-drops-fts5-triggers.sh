#!/bin/sh
# A batch migration of alembic 1.20.1 on SQLite drops the triggers that keep an FTS5 index up to date.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "alembic==1.20.1" "sqlalchemy==2.1.9"
"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3
import sys
import warnings

import alembic
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations

print("about:   a table whose text is searched through an FTS5 index that triggers fill, as SQLite's manual shows")
print(f"version: alembic {alembic.__version__}, SQLAlchemy {sqlalchemy.__version__}, SQLite {sqlite3.sqlite_version}")
print("guess:   a batch migration of one column leaves the search as it was, or says what it can't carry over")

SCHEMA = """
CREATE TABLE memory (id INTEGER PRIMARY KEY, body TEXT NOT NULL, author TEXT);
CREATE INDEX memory_by_author ON memory (author);
CREATE VIRTUAL TABLE words USING fts5(body, content='memory', content_rowid='id');
CREATE TRIGGER memory_to_words AFTER INSERT ON memory
BEGIN INSERT INTO words(rowid, body) VALUES (new.id, new.body); END;
INSERT INTO memory(body) VALUES ('tea before the migration');
"""


def add_a_column(batch):
    batch.add_column(sqlalchemy.Column("place", sqlalchemy.Text))


def require_a_column(batch):
    batch.alter_column("author", existing_type=sqlalchemy.Text, nullable=False, server_default="nobody")


def after(migration):
    """What is left when the migration has run, and what a search finds of a row from before and one from after."""
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        connection.connection.driver_connection.executescript(SCHEMA)
        connection.exec_driver_sql("UPDATE memory SET author = 'somebody'")
        with Operations(MigrationContext.configure(connection)).batch_alter_table("memory") as batch:
            migration(batch)
        connection.exec_driver_sql("INSERT INTO memory(body, author) VALUES ('tea after it', 'somebody')")
        left = connection.exec_driver_sql("SELECT type FROM sqlite_master WHERE name IN (?, ?) ORDER BY type",
                                          ("memory_by_author", "memory_to_words")).scalars().all()
        found = connection.exec_driver_sql("SELECT count(*) FROM words WHERE words MATCH 'tea'").scalar()
    engine.dispose()
    return left, found, len(said)


outcomes = {"add a column": after(add_a_column), "make a column NOT NULL": after(require_a_column)}
for number, (name, (left, found, said)) in enumerate(outcomes.items()):
    print("seen:   " if number == 0 else "        ", f"{name}: left {left}, {found} of 2 rows found, {said} warnings")
print("source:  alembic/operations/batch.py, ApplyBatchImpl._create: a new table, rows copied, the old one dropped;")
print("         indexes are made again, triggers aren't. SQLite's DROP TABLE takes a table's triggers with it")
print("         (sqlite.org/lang_droptable.html). Whether a table is rebuilt depends on the operations in the block.")
if outcomes != {"add a column": (["index", "trigger"], 2, 0), "make a column NOT NULL": (["index"], 1, 0)}:
    sys.exit("This is no longer so.")
PYTHON
