"""``hazecast db``, ``backup``, ``restore`` and ``prune``: maintenance of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import DataDir, current_time, settings_of

if TYPE_CHECKING:
    from hazecast.services.store.backup import Manifest

app = typer.Typer()
db_app = typer.Typer(help="The schema of the database: current, upgrade, downgrade.", no_args_is_help=True)

Revision = Annotated[str, typer.Argument(help="Number of a schema, or base: no tables.")]


@db_app.command()
def current(data_dir: DataDir = None) -> None:
    """Print the schema that the database has, and the one that this version works with."""
    from hazecast.services.store.database import current_revision, head_revision, make_engine, redacted

    settings = settings_of(data_dir)
    engine = make_engine(settings.database_url)
    try:
        found = current_revision(engine)
    finally:
        engine.dispose()
    print(f"{redacted(settings.database_url)}: {found or 'no tables'}; this version: {head_revision()}")


@db_app.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the schema up to date, as every other command does first."""
    _migrate(data_dir, "head")


@db_app.command()
def downgrade(
    revision: Revision,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before data are lost.")] = False,
    backup: Annotated[
        Path | None, typer.Option("--backup", help="The backup that is made first; default in backups/.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Take the schema back to an earlier one, for an earlier version, with the service stopped.

    Where data would be lost that it has no place for, they are named, and a backup is made first.
    """
    from hazecast.services.store.backup import back_up
    from hazecast.services.store.database import make_engine
    from hazecast.services.store.downgrade import losses, refuse_beside_others

    settings = settings_of(data_dir)
    engine = make_engine(settings.database_url, settings.data_dir)
    try:
        refuse_beside_others(engine)
        lost = losses(engine, revision)
        if lost:
            print(f"lost in schema {revision}: {', '.join(f'{number} of {name}' for name, number in lost.items())}")
            if not yes:
                typer.confirm("Go on?", abort=True)
            file = backup or settings.data_dir / "backups" / f"before-{revision}-{current_time():%Y%m%dT%H%M%SZ}.tar"
            back_up(settings, file)
            print(f"backed up in {file}")
        refuse_beside_others(engine)
    finally:
        engine.dispose()
    _migrate(data_dir, revision)


def _migrate(data_dir: Path | None, revision: str) -> None:
    from hazecast.services.store.database import make_engine, migrate

    settings = settings_of(data_dir)
    engine = make_engine(settings.database_url, settings.data_dir)
    try:
        migrate(engine, revision)
    finally:
        engine.dispose()
    current(data_dir)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The tar to write; must not exist.")],
    weather: Annotated[bool, typer.Option("--weather", help="With the ingested weather.")] = False,
    archive: Annotated[bool, typer.Option("--archive", help="With the weather archive, which may be large.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Back up the database, forecasts, maps and own models into one file, while the service runs."""
    from hazecast.services.store.backup import back_up

    manifest = back_up(settings_of(data_dir), file, weather=weather, archive=archive)
    print(f"{file}: {_summary(manifest)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    check: Annotated[bool, typer.Option("--check", help="Only read it and compare all checksums.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Restore a backup into an empty data folder and an empty database, completely or not at all."""
    from hazecast.services.store.backup import check_backup
    from hazecast.services.store.backup import restore as restore_backup

    manifest = check_backup(file) if check else restore_backup(settings_of(data_dir), file)
    print(f"{file}: {'undamaged: ' if check else 'restored '}{_summary(manifest)}")


def _summary(manifest: Manifest) -> str:
    rows, members = sum(manifest.tables.values()), manifest.members
    files = [name for name in members if name.startswith("files/")]
    size = sum(member["size"] for member in members.values()) / 1e6
    lost = f"; {len(manifest.missing)} files that the store names were gone" if manifest.missing else ""
    return (
        f"{rows} rows of {len(manifest.tables)} tables and {len(files)} files, {size:.1f} MB, from {manifest.database} "
        f"at {manifest.made_at}, schema {manifest.schema}{lost}"
    )


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Remove what is older than HAZECAST_KEEP_FORECAST_DAYS, _OBSERVATION_DAYS and _WARNING_DAYS; warnings go to files."""
    from hazecast.services.store.retention import prune as prune_store

    pruned = prune_store(settings_of(data_dir), current_time(), dry_run=dry_run)
    what = ", ".join(f"{number} of {name}" for name, number in pruned.rows.items() if number) or "no rows"
    print(f"{'would remove' if dry_run else 'removed'}: {what}; {pruned.files} files")
