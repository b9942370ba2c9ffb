"""How commands print JSON and write files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as indented JSON, with Chinese and Japanese text as it is."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


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
