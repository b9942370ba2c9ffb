"""What the tests ask of message files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def fields_of(path: Path) -> dict[str, set[str]]:
    """Return the fields of every message of a file, by its dotted key."""

    def keys(table: dict, prefix: str = "") -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for name, value in table.items():
            if isinstance(value, dict):
                found |= keys(value, f"{prefix}{name}.")
            else:
                found[prefix + name] = set(re.findall(r"\{(\w+)\}", value))
        return found

    return keys(tomllib.loads(path.read_text(encoding="utf-8")))
