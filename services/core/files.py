"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hazecast.services.core.errors import StoreError

PART = ".part"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; at the end what is there takes its place, on disk and whole.

    Raises
    ------
    StoreError
        If it can't be written, as on a full disk; what was at `path` before is still there.
    """
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        # The NetCDF library says "HDF error" where the disk is full.
        if isinstance(error, OSError | RuntimeError) and not isinstance(error, StoreError):
            raise StoreError(f"{path}: can't be written: {error}") from error
        raise


def remove_file(path: Path) -> bool:
    """Remove a file and what was begun of it; return whether any was there."""
    found = [name for name in (path, path.with_name(path.name + PART)) if name.exists()]
    for name in found:
        name.unlink(missing_ok=True)
    return bool(found)


def _to_disk(path: Path) -> None:
    # A rename outlives a power cut sooner than what was written: without this an empty file may bear the name.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
