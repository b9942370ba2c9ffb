"""Lock files: one process at a time; the system frees a lock if its process is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def only_one(path: Path, busy: Exception) -> Iterator[None]:
    """Hold the lock file `path`, or raise `busy` at once if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout as error:
        raise busy from error
