"""Opening: many at once, newer than the program, not there, not a database; schema and model agree."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from assay.errors import ConfigError, StoreError, StoreFull, StoreUnreachable
from assay.store.state import State, open_state
from assay.store.state.migrate import MIGRATIONS
from assay.store.state.tables import METADATA


def test_the_migrations_make_what_the_tables_say(state: State) -> None:
    with state.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_a_missing_column_would_be_noticed(state: State) -> None:
    with state.write() as connection:
        connection.execute(text("ALTER TABLE runs DROP COLUMN version"))
    with state.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) != []


def test_each_migration_has_its_number() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")


def test_opening_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        store = open_state(url)
        with store.read() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [("0003",)]
        store.close()


def open_and_close(url: str) -> str:
    open_state(url).close()
    return "opened"


def test_threads_may_open_a_new_store_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(open_and_close, [url] * 8)) == ["opened"] * 8


@pytest.mark.slow
def test_processes_may_open_a_new_store_at_once(url: str) -> None:
    program = "import sys; from assay.store.state import open_state; open_state(sys.argv[1]).close()"
    opening = [subprocess.Popen([sys.executable, "-W", "error", "-c", program, url]) for _ in range(6)]
    assert [process.wait(60) for process in opening] == [0] * 6


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    store = open_state(url)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(StoreError, match=r"schema 0999, written by a newer assay.* up to 0003: upgrade"):
        open_state(url)
    with store.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0999"
    store.close()


def test_a_failed_migration_leaves_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, broken)
    (broken / "versions/0004_wrong.py").write_text(
        "from alembic import op\nrevision = '0004'\ndown_revision = '0003'\n"
        "def upgrade() -> None:\n    op.drop_table('not_there')\n"
    )
    monkeypatch.setattr("assay.store.state.migrate.MIGRATIONS", broken)
    with pytest.raises(StoreError, match="not_there"):
        open_state(url)
    monkeypatch.undo()
    store = open_state(url)
    assert set(inspect(store.engine).get_table_names()) == {*METADATA.tables, "alembic_version"}
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database at all " * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_state(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is not")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        open_state(f"sqlite:///{tmp_path}")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be made"):
        open_state(f"sqlite:///{tmp_path / 'file' / 'state.db'}")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    store = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    with store.write() as connection:
        connection.execute(text("PRAGMA max_page_count = 40"))
        connection.execute(text("CREATE TABLE big (x)"))

    def fill() -> None:
        with store.write() as connection:
            connection.execute(text("INSERT INTO big VALUES (zeroblob(1000000))"))

    with pytest.raises(StoreFull, match="is full"):
        fill()
    store.close()


def test_a_dead_server_is_unreachable_and_its_password_not_shown() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreUnreachable, match="is it running") as raised:
        open_state("postgresql://somebody:secret-word@127.0.0.1:9/none")
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong", ["", "state.db", "mysql://h/db", "sqlite://", "sqlite:///:memory:", "a://["]
)
def test_a_wrong_address_is_a_wrong_setting(wrong: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///path"):
        open_state(wrong)


def test_sqlite_keeps_foreign_keys_and_a_write_ahead_log(tmp_path: Path) -> None:
    store = open_state(f"sqlite:///{tmp_path / 'deep' / 'state.db'}")
    with store.read() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    assert sqlite3.connect(tmp_path / "deep/state.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO policy_versions VALUES "
                "('nobody', 'daily', 'v1', 'conversation', '{}', '2026-01-01 00:00:00')"
            )
        )
    store.close()
