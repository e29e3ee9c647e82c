"""A state store on each database: SQLite always, PostgreSQL where there is one to start."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from assay.store.state import State, open_state

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server: ASSAY_TEST_POSTGRES, or one that lives as long as the tests."""
    if given := os.environ.get("ASSAY_TEST_POSTGRES"):
        yield given
        return
    programs = [
        shutil.which("pg_ctl"),
        *(str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)),
    ]
    pg_ctl = next((Path(program).resolve() for program in programs if program), None)
    if pg_ctl is None:
        pytest.skip("ASSAY_TEST_POSTGRES is not set and no PostgreSQL is installed here")
    # Not pytest's own folder: the server's user must reach it, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    user = _unprivileged(folder)
    data, options = (
        folder / "data",
        f"-c listen_addresses='' -c fsync=off -c unix_socket_directories='{folder}'",
    )
    try:
        _call(
            [pg_ctl.with_name("initdb"), "-D", data, "-U", "assay", "-A", "trust", "-E", "UTF8", "-N"], user
        )
        _call([pg_ctl, "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], user)
        try:
            yield f"postgresql://assay@/postgres?host={folder}"
        finally:
            _call([pg_ctl, "-D", data, "-w", "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder)


def _unprivileged(folder: Path) -> int | None:
    """Who runs the server: PostgreSQL refuses root, so root lends the folder to `nobody`."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_uid


def _call(command: list[object], user: int | None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.db'}"
        return
    server = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"assay_test_{os.getpid()}_{next(NUMBERS)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def state(url: str) -> Iterator[State]:
    store = open_state(url)
    yield store
    store.close()
