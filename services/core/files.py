"""Atomic writes: a file is there completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hazecast.services.core.errors import StoreError

PART = ".part"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; at the end the file written there replaces `path` atomically, synced to disk.

    Raises
    ------
    StoreError
        If it can't be written, as on a full disk; an earlier file at `path` is unchanged.
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


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter (0700); one that is there keeps its mode.

    Raises
    ------
    StoreError
        If it can't be made.
    """
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: can't be made: {error}") from error


def private_file(path: Path) -> None:
    """Make an empty file that only its owner may read (0600), unless it is there; who fills it later keeps the mode."""
    with suppress(FileExistsError, OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def remove_file(path: Path) -> bool:
    """Remove a file and its unfinished temporary one; return whether either was there."""
    found = [name for name in (path, path.with_name(path.name + PART)) if name.exists()]
    for name in found:
        name.unlink(missing_ok=True)
    return bool(found)


def _to_disk(path: Path) -> None:
    # A rename may survive a power cut that the content does not: without this an empty file may have the name.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
