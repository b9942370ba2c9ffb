"""Backup and restore: all tables and the files beside them in one tar, with a manifest of SHA-256 sums.

Tables are stored as JSON lines read in one transaction, so that a backup of SQLite can be restored into PostgreSQL and
back, and by a later version: the restore creates the schema that the backup had and migrates from there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import PART, atomic_write, private_file
from hazecast.services.core.settings import Settings
from hazecast.services.store.database import current_revision, head_revision, known_revision, redacted
from hazecast.services.store.recovery import INTERRUPTED
from hazecast.services.store.store import Store
from hazecast.services.store.table_dump import counters, dump_table, load_table, set_counters, tables_of
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun, data_folder_of
from hazecast.services.store.weather_archive import only_writer

log = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "manifest.json"
_STAGING = ".restore"
# Columns of forecast_run that name a file, with its folder in the data folder.
_RUN_FILES = {"netcdf_path": "forecasts", "map_path": "maps"}
_FOLDERS = ("forecasts", "maps", "models", "composition", "warnings", "weather", "archive")
_CHUNK = 1 << 20
_ATTEMPTS = 3


@dataclass
class Manifest:
    """What a backup holds; `members` gives the SHA-256 sum and size of each, `missing` files already lost."""

    schema: str
    made_at: str
    database: str
    tables: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    format: int = FORMAT


class _RunReplaced(Exception):  # noqa: N818 a state, not a fault
    """A run was replaced while it was being backed up."""


def back_up(
    settings: Settings, target: Path, *, weather: bool = False, archive: bool = False, clock: Clock = utc_now
) -> Manifest:
    """Write a backup while the service runs: tables, forecasts, maps, own models and a chemistry model's forecasts.

    Parameters
    ----------
    settings : Settings
    target : Path
        The tar; it appears once it is complete.
    weather, archive : bool
        Whether the ingested weather and the weather archive are included.
    clock : callable
        Gives the current time, aware, for the manifest and the members.

    Returns
    -------
    Manifest
        What the backup holds.

    Raises
    ------
    InputError
        If `target` exists already, or the database has no tables.
    StoreError
        If the database can't be read or the tar can't be written.
    """
    if target.exists():
        raise InputError(str(target), "a file", "a name that isn't taken: no backup is overwritten")
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        schema = current_revision(store.engine)
        if schema is None:
            raise InputError(redacted(settings.database_url), "no tables", "a store to back up")
        for _ in range(_ATTEMPTS):
            at = clock()
            manifest = Manifest(schema, format_time(at.replace(microsecond=0)), store.engine.dialect.name)
            try:
                with atomic_write(target) as part:
                    private_file(part)
                    with tarfile.open(part, "w") as tar:
                        extra = [*["weather"] * weather, *["archive"] * archive]
                        _add_all(_Writer(tar, manifest, at), settings, store, extra)
                return manifest
            except _RunReplaced:
                log.info("a run was replaced during the backup, which begins again")
        raise InputError(str(target), f"runs replaced during {_ATTEMPTS} attempts", "a quieter moment")
    finally:
        store.close()


def _add_all(writer: _Writer, settings: Settings, store: Store, extra: list[str]) -> None:
    manifest = writer.manifest
    for path, folder in _add_tables(writer, store):
        if not writer.add_file(path, f"files/{folder}/{path.name}"):
            if not _still_named(store, str(path)):
                raise _RunReplaced
            manifest.missing.append(path.name)
    for folder in ("models", "composition", "warnings", *extra):
        for path in _files_of(settings.data_dir / folder):
            with _held(path, settings.data_dir / folder):
                writer.add_file(path, f"files/{path.relative_to(settings.data_dir).as_posix()}")
    if manifest.missing:
        log.warning("%d files that the store names are gone: %s", len(manifest.missing), manifest.missing[:5])
    writer.add_manifest()


def _add_tables(writer: _Writer, store: Store) -> list[tuple[Path, str]]:
    """Add all tables as of one moment; return the files that the runs among them name, each with its folder."""
    manifest = writer.manifest
    with _snapshot(store) as connection:
        tables = tables_of(connection)
        manifest.counters = counters(connection, tables)
        for table in tables:
            with tempfile.TemporaryFile() as file:
                with gzip.open(file, "wt", encoding="utf-8", compresslevel=6) as lines:
                    manifest.tables[table.name] = dump_table(connection, table, lines)
                file.seek(0)
                writer.add(f"tables/{table.name}.jsonl.gz", file)
        runs = [table for table in tables if table.name == ForecastRun.__tablename__]
        rows = connection.execute(select(*(runs[0].c[name] for name in _RUN_FILES))).all() if runs else []
    # Tables as they are in the database: their paths are relative to the data folder, or absolute outside of it.
    place = data_folder_of(store.engine.dialect) or Path()
    return [(place / name, folder) for row in rows for name, folder in zip(row, _RUN_FILES.values(), strict=True)]


def _snapshot(store: Store) -> AbstractContextManager[Connection]:
    """Open a transaction in which all tables are read as they were at one moment."""
    if store.engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return store.engine.execution_options(**options).begin()
    return store.engine.connect()


def _still_named(store: Store, path: str) -> bool:
    with store.sessions() as session:
        named = (ForecastRun.netcdf_path == path) | (ForecastRun.map_path == path)
        return session.scalar(select(ForecastRun.id).where(named).limit(1)) is not None


def _files_of(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and PART not in path.suffixes and path.suffix != ".lock":
            yield path


def _held(path: Path, folder: Path) -> AbstractContextManager[object]:
    # An hour of the weather archive is written file by file: a month is read while nobody writes to it.
    inside = [parent for parent in path.parents if parent.suffix == ".zarr" and folder in parent.parents]
    return only_writer(inside[-1]) if inside else nullcontext()


class _Writer:
    """Adds members to a backup's tar, and their sums to its manifest."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest, at: datetime) -> None:
        self._tar, self.manifest, self._modified = tar, manifest, int(at.timestamp())

    def add(self, name: str, file: IO[bytes]) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = file.seek(0, io.SEEK_END), self._modified
        file.seek(0)
        summed = _Summed(file)
        self._tar.addfile(info, summed)
        self.manifest.members[name] = {"sha256": summed.sum.hexdigest(), "size": info.size}

    def add_file(self, path: Path, name: str) -> bool:
        """Add a file; return whether it was there."""
        try:
            with path.open("rb") as file:
                self.add(name, file)
        except FileNotFoundError:
            return False
        return True

    def add_manifest(self) -> None:
        content = json.dumps(vars(self.manifest), indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))


class _Summed:
    """A file whose sum is taken while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sum = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.sum.update(content)
        return content


def check_backup(source: Path) -> Manifest:
    """Read a backup completely, compare all sums, and return its manifest.

    Raises
    ------
    InputError
        If it is damaged, names a file that doesn't belong, or was made by a newer Hazecast; it names the member.
    """
    with _opened(source) as tar:
        return _checked(tar, source)


def restore(settings: Settings, source: Path) -> Manifest:
    """Restore a backup into an empty database and data folder, completely or not at all.

    Parameters
    ----------
    settings : Settings
        Name the database and the data folder.
    source : Path
        The tar.

    Returns
    -------
    Manifest
        What was restored.

    Raises
    ------
    InputError
        If the backup can't be used (see `check_backup`), or the database or the data folder isn't empty.
    StoreError
        If the database or a folder can't be written.
    """
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        with _opened(source) as tar:
            manifest = _checked(tar, source)
            _check_empty(settings, store)
            staging = settings.data_dir / _STAGING
            try:
                staging.mkdir(parents=True)
                _unpack(tar, manifest, staging)
                store.migrate(manifest.schema)
                _fill(settings, store, manifest, staging)
            except BaseException as error:
                _undo(settings)
                if isinstance(error, OSError):
                    raise StoreError(f"{settings.data_dir}: can't be written: {error}") from error
                raise
        shutil.rmtree(staging)
        store.migrate()
        return manifest
    finally:
        store.close()


class _opened(AbstractContextManager[tarfile.TarFile]):  # noqa: N801 used as a function
    def __init__(self, source: Path) -> None:
        self._source = source

    def __enter__(self) -> tarfile.TarFile:
        try:
            self._tar = tarfile.open(self._source, "r:")
        except (OSError, tarfile.TarError) as error:
            raise InputError(str(self._source), error, "a backup made by hazecast backup") from error
        return self._tar

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._tar.close()
        if isinstance(error, tarfile.TarError | EOFError):
            raise InputError(str(self._source), error, "an undamaged backup") from error


def _checked(tar: tarfile.TarFile, source: Path) -> Manifest:
    members = {member.name: member for member in tar.getmembers()}
    if MANIFEST not in members:
        raise InputError(str(source), f"no {MANIFEST}: the end is missing", "an undamaged backup")
    try:
        manifest = Manifest(**json.loads(_content(tar, members.pop(MANIFEST)).read()))
        sums = {name: (str(entry["sha256"]), int(entry["size"])) for name, entry in manifest.members.items()}
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{source}: {MANIFEST}", error, "an undamaged manifest") from error
    if manifest.format != FORMAT or not known_revision(manifest.schema):
        found = f"format {manifest.format}, schema {manifest.schema}"
        raise InputError(
            str(source), found, f"format {FORMAT}, schema {head_revision()} or older: a newer Hazecast made it"
        )
    strange = sorted(set(members) ^ set(sums)) or [name for name, member in members.items() if not _belongs(member)]
    if strange or len(tar.getmembers()) != len(members) + 1:
        raise InputError(
            f"{source}: {strange[0] if strange else 'members'}", "not as in the manifest", "an undamaged backup"
        )
    for name, (expected, size) in sums.items():
        found = hashlib.file_digest(_content(tar, members[name]), "sha256").hexdigest()  # type: ignore[arg-type]
        if found != expected or members[name].size != size:
            raise InputError(
                f"{source}: {name}", f"SHA-256 {found[:12]}...", f"{expected[:12]}...: the file is damaged"
            )
    return manifest


def _belongs(member: tarfile.TarInfo) -> bool:
    parts = PurePosixPath(member.name).parts
    table = len(parts) == 2 and parts[0] == "tables"
    file = len(parts) > 2 and parts[0] == "files" and parts[1] in _FOLDERS
    return member.isreg() and ".." not in parts and (table or file)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise InputError(member.name, "no regular file", "an undamaged backup")
    return content


def _check_empty(settings: Settings, store: Store) -> None:
    if current_revision(store.engine) is not None:
        with store.engine.connect() as connection:
            for table in tables_of(connection):
                if connection.execute(select(table).limit(1)).first() is not None:
                    raise InputError(redacted(settings.database_url), f"rows in {table.name}", "an empty database")
    if (settings.data_dir / _STAGING).exists():
        # With an empty database: a restore was killed before its commit.
        _undo(settings)
    for folder in _FOLDERS:
        path = settings.data_dir / folder
        if path.is_dir() and any(path.iterdir()):
            raise InputError(str(path), "files", "an empty data folder")


def _unpack(tar: tarfile.TarFile, manifest: Manifest, staging: Path) -> None:
    for name in manifest.members:
        tar.extract(name, staging, filter="data")


def _fill(settings: Settings, store: Store, manifest: Manifest, staging: Path) -> None:
    """Load all tables and move the files to their place; the commit comes last."""

    def moved(row: dict[str, Any]) -> None:
        for column, folder in _RUN_FILES.items():
            row[column] = f"{folder}/{Path(row[column]).name}"

    with store.writing() as connection:
        tables = {table.name: table for table in tables_of(connection)}
        if set(tables) != set(manifest.tables):
            raise InputError("tables", sorted(manifest.tables), f"the tables {sorted(tables)}")
        for name, table in tables.items():
            with gzip.open(staging / "tables" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
                try:
                    load_table(connection, table, lines, moved if name == ForecastRun.__tablename__ else None)
                except SQLAlchemyError as error:
                    raise InputError(f"table {name}", error, "rows that the database takes") from error
        set_counters(connection, tables.values(), manifest.counters)
        # A cycle that was running at the backup isn't running here, and the files it noted are not to be removed here.
        own = tables[CycleRun.__tablename__]
        given_up = {"status": "failed", "error": INTERRUPTED, "report": None}
        connection.execute(update(own).where(own.c.status == "running").values(given_up))
        connection.execute(update(own).where(own.c.status == "failed").values(report=None))
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for folder in _FOLDERS:
            if (staging / "files" / folder).is_dir():
                place = settings.data_dir / folder
                if place.is_dir():
                    place.rmdir()
                (staging / "files" / folder).rename(place)


def _undo(settings: Settings) -> None:
    # The target was empty before: all that is there is from the restore.
    for folder in (*_FOLDERS, _STAGING):
        shutil.rmtree(settings.data_dir / folder, ignore_errors=True)
