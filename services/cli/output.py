"""How commands print JSON and write files."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as indented JSON, with Chinese and Japanese text as it is and times in UTC, marked Z."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> str:
    from hazecast.grids.times import format_time

    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def stamp(time: datetime) -> str:
    """Return an aware time as an operator reads it: in the zone of this system (`TZ`), with its offset, ISO 8601."""
    return time.astimezone().isoformat(timespec="minutes")


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically and print its path.

    Parameters
    ----------
    path : Path
        The file; replaced if it exists.
    content : bytes
        What it holds.
    """
    from hazecast.services.core.files import atomic_write

    with atomic_write(path) as part:
        part.write_bytes(content)
    print(path)
