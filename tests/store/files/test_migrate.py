import multiprocessing
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

import bot
from bot.errors import DatabaseUnusable, StoreError
from bot.store.files.database import migrate, open_database
from bot.store.files.migrate import Migration, prepare_file
from bot.store.files.schema import migrations_folder, run_migrations
from bot.store.files.sqlite import APPLICATION_ID
from bot.store.tables import SCHEMA_VERSION, metadata
from tests.store.said import ask, hold_turn, said

NEXT = f"{int(SCHEMA_VERSION) + 1:04}"
LATER = """
import os, signal
import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("conversations", sa.Column("topic", sa.Text()))
    op.create_table("topics", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute(sa.text("UPDATE conversations SET topic = 'changed'"))
    {ending}


def downgrade():
    op.drop_table("topics")
    with op.batch_alter_table("conversations", table_kwargs={{"sqlite_autoincrement": True}}) as batch:
        batch.drop_column("topic")
"""


@pytest.fixture
def later(tmp_path: Path):
    """Make a folder of migrations with one more, which ends as it is told."""

    def make(ending: str = "") -> Path:
        folder = tmp_path / "later"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = LATER.format(ending=ending, next=NEXT, newest=SCHEMA_VERSION)
        (folder / "versions" / f"{NEXT}_topics.py").write_text(text)
        return folder

    return make


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def words(lines: list[str]) -> list[str]:
    """A rebuilt table is written in another order, with other quotes, and with the highest id it ever had."""
    lines = [line for line in lines if "sqlite_sequence" not in line]
    return sorted(" ".join(lines).replace('"', "").replace(",", " ").split())


def schema(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'")
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in rows if name != "alembic_version"}


async def test_a_new_database_is_private_and_ours(url, file):
    migration = await migrate(url)

    assert migration == Migration(None, SCHEMA_VERSION)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


async def test_all_files_of_an_open_database_are_private(url, file):
    file.parent.mkdir()
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}

    assert modes == dict.fromkeys(["trinity.db", "trinity.db-wal", "trinity.db-shm"], 0o600)


async def test_a_database_that_others_could_read_is_made_private(url, file):
    await migrate(url)
    file.chmod(0o644)

    await migrate(url)

    assert file.stat().st_mode & 0o777 == 0o600


async def test_the_second_start_migrates_nothing(url):
    await migrate(url)

    assert await migrate(url) == Migration(SCHEMA_VERSION, SCHEMA_VERSION)


async def test_a_folder_with_odd_characters_is_no_trouble(tmp_path):
    url = f"sqlite:///{tmp_path}/100 % #1 ä/trinity.db"

    async with open_database(url) as database:
        await hold_turn(database, ask(1))
    async with open_database(url) as database:
        assert len(await said(database)) == 1


def test_the_newest_migration_is_the_version_that_the_code_knows():
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))

    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_VERSION]
    assert migrations_folder() == Path(bot.__file__).parents[1] / "migrations"


def test_migrations_and_tables_describe_the_same_schema(file):
    prepare_file(file)
    by_metadata = sqlite3.connect(":memory:")
    engine = create_engine("sqlite://", creator=lambda: by_metadata)
    metadata.create_all(engine)

    with closing(sqlite3.connect(file)) as by_migrations, closing(by_metadata):
        migrated, described = schema(by_migrations), schema(by_metadata)

    assert migrated.keys() == described.keys()
    for name, sql in described.items():
        assert sorted(sql.replace(",", " ").split()) == sorted(migrated[name].replace(",", " ").split())


def test_alembic_finds_no_drift(file):
    prepare_file(file)
    engine = create_engine(f"sqlite:///{file}")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_every_table_can_be_written_for_postgresql():
    dialect = postgresql.dialect()

    ddl = "\n".join(str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)
    indexes = [str(CreateIndex(i).compile(dialect=dialect)) for table in metadata.sorted_tables for i in table.indexes]

    assert "id BIGSERIAL NOT NULL" in ddl
    assert "channel_id BIGINT NOT NULL" in ddl
    assert any("WHERE role = 'user'" in index for index in indexes)


def test_upgrade_and_downgrade_lead_back_to_the_same_database(file, later):
    prepare_file(file)
    folder = later()
    before = dump(file)

    up = prepare_file(file, folder, NEXT)
    upgraded = dump(file)
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        run_migrations(connection, folder, SCHEMA_VERSION)
    engine.dispose()

    assert up == Migration(SCHEMA_VERSION, NEXT)
    assert any("topics" in line for line in upgraded)
    assert words(dump(file)) == words(before)


def test_the_first_migration_can_be_taken_back(file):
    prepare_file(file)
    engine = create_engine(f"sqlite:///{file}")

    with engine.begin() as connection:
        run_migrations(connection, migrations_folder(), "base")
    engine.dispose()

    with closing(sqlite3.connect(file)) as connection:
        assert schema(connection) == {}


async def test_migrations_run_inside_a_live_loop(database, later):
    await hold_turn(database, ask(1))
    folder = later()

    await database.write(lambda connection: connection.run_sync(run_migrations, folder, NEXT))
    topics = await database.read(lambda connection: connection.exec_driver_sql("SELECT topic FROM conversations"))

    assert topics.all() == [("changed",)]


def test_a_migration_that_fails_changes_nothing(file, later):
    prepare_file(file)
    before = dump(file)

    with pytest.raises(RuntimeError, match="half-way"):
        prepare_file(file, later('raise RuntimeError("half-way")'), NEXT)

    assert dump(file) == before


def test_a_migration_that_would_leave_orphans_changes_nothing(file, later):
    prepare_file(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO conversations (platform, channel_id) VALUES ('discord', 1)")
        connection.execute(
            "INSERT INTO inbox (conversation_id, platform, message_id, state, epoch, author_id, author_name, content,"
            " is_direct, created_at, received_at) VALUES (1, 'discord', 1, 'waiting', 0, 1, '', '', 0, 0, 0)"
        )
        connection.commit()
    before = dump(file)

    with pytest.raises(StoreError, match="nothing was changed"):
        prepare_file(file, later('op.execute(sa.text("DELETE FROM conversations"))'), NEXT)

    assert dump(file) == before


def test_older_keys_of_personas_are_folded_anew_and_none_is_lost(file):
    prepare_file(file, version="0001")
    own = [  # id, guild, name, key, the minute of the last change
        (1, 7, "FIX", "fix", 1),
        (2, 7, "fix\ufe0f", "fix\ufe0f", 2),
        (3, 7, "Poet\u3164", "poet\u3164", 1),
        (4, 8, "fix\ufe0f", "fix\ufe0f", 1),
    ]
    with closing(sqlite3.connect(file)) as connection:
        connection.executemany(
            "INSERT INTO personas (id, platform, scope, scope_id, name, name_key, prompt, changed_by, changed_at)"
            " VALUES (?, 'discord', 'guild', ?, ?, ?, 'prompt', 1, '2026-11-01 00:0' || ? || ':00.000000')",
            own,
        )
        connection.executemany(
            "INSERT INTO persona_choices (platform, channel_id, guild_id, name, name_key)"
            " VALUES ('discord', ?, ?, ?, ?)",
            [
                (70, 7, "FIX", "fix"),
                (71, 7, "poet", "poet"),
                (80, 8, "fix\ufe0f", "fix\ufe0f"),
                (90, 9, "gone", "gone"),
            ],
        )
        connection.commit()

    prepare_file(file)

    with closing(sqlite3.connect(file)) as connection:
        keys = dict(connection.execute("SELECT id, name_key FROM personas"))
        chosen = dict(connection.execute("SELECT channel_id, name_key FROM persona_choices"))
    assert keys == {1: "fix-2", 2: "fix", 3: "poet-2", 4: "fix"}
    assert chosen == {70: "fix-2", 71: "poet", 80: "fix", 90: "gone"}


def test_a_kill_inside_a_migration_leaves_the_old_schema(file, later):
    prepare_file(file)
    before = dump(file)
    killed = multiprocessing.get_context("spawn").Process(
        target=prepare_file, args=(file, later("os.kill(os.getpid(), signal.SIGKILL)"), NEXT)
    )

    killed.start()
    killed.join(60)

    assert killed.exitcode == -signal.SIGKILL
    assert prepare_file(file) == Migration(SCHEMA_VERSION, SCHEMA_VERSION)
    assert dump(file) == before
    assert prepare_file(file, later(), NEXT).after == NEXT


def test_a_kill_while_a_database_is_created_leaves_none_and_is_cleaned_up(file, later):
    killed = multiprocessing.get_context("spawn").Process(
        target=prepare_file, args=(file, later("os.kill(os.getpid(), signal.SIGKILL)"), NEXT)
    )

    killed.start()
    killed.join(60)
    was_there = file.exists()
    prepare_file(file)

    assert killed.exitcode == -signal.SIGKILL
    assert not was_there
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("is_new", [True, False])
def test_upgraders_that_start_together_do_it_once(file, later, is_new):
    if not is_new:
        prepare_file(file)
    folder = later()
    context = multiprocessing.get_context("spawn")

    with context.Pool(3) as pool:
        migrations = pool.starmap(prepare_file, [(file, folder, NEXT)] * 3)

    assert sorted(str(migration.before) for migration in migrations) == sorted(
        ["None" if is_new else SCHEMA_VERSION, NEXT, NEXT]
    )


def test_an_older_trinity_refuses_what_a_newer_one_migrated(file, later):
    prepare_file(file, later(), NEXT)

    with pytest.raises(DatabaseUnusable, match=rf"schema {NEXT} .* up to {SCHEMA_VERSION}"):
        prepare_file(file)
