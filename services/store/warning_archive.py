"""Old warnings leave the database for a file a month: complete messages as JSON lines, compressed, never removed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select

from hazecast.services.core.files import atomic_write
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import Warning_

FOLDER = "warnings"


def archive_warnings(store: Store, data_dir: Path, limit: datetime, *, dry_run: bool = False) -> int:
    """Move the messages issued before a time from the database to the files of their months.

    The files are written first: killed in between, the next run finds the messages there, and adds none twice.

    Parameters
    ----------
    store : Store
    data_dir : Path
        Its folder `FOLDER` holds the files, ``2026-01.jsonl.gz``.
    limit : datetime
        Aware.
    dry_run : bool
        Only count.

    Returns
    -------
    int
        How many messages.

    Raises
    ------
    StoreError
        If a file or the database can't be written; no message is then lost.
    """
    old = Warning_.issued < limit
    if dry_run:
        with store.sessions() as session:
            return int(session.scalar(select(func.count()).select_from(Warning_).where(old)) or 0)
    moved = 0
    # Month by month: a first run may find years.
    while (first := _oldest(store)) is not None and first < limit:
        begin = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        part = Warning_.issued < min((begin + timedelta(days=32)).replace(day=1), limit)
        with store.sessions() as session:
            payloads = session.scalars(select(Warning_.payload).where(part).order_by(Warning_.issued, Warning_.id))
            _add(data_dir / FOLDER / f"{begin:%Y-%m}.jsonl.gz", payloads.all())
        with store.writing() as connection:
            moved += connection.execute(delete(Warning_).where(part)).rowcount
    return moved


def _oldest(store: Store) -> datetime | None:
    with store.sessions() as session:
        return session.scalar(select(func.min(Warning_.issued)))


def archived_warnings(path: Path) -> list[str]:
    """Return the messages of a month's file, each as JSON; none if there is no such file."""
    if not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return lines.read().splitlines()


def _add(path: Path, payloads: Sequence[str]) -> None:
    kept = archived_warnings(path)
    known = {_name(line) for line in kept}
    lines = [*kept, *(payload for payload in payloads if _name(payload) not in known)]
    with atomic_write(path) as part, gzip.GzipFile(part, "wb", mtime=0) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def _name(payload: str) -> tuple[str, bool]:
    message = json.loads(payload)
    return message["id"], message["simulated"]
