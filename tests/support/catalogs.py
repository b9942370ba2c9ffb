"""What the tests ask of message files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HAN, KANA = re.compile(r"[一-鿿]"), re.compile(r"[ぁ-ゟ゠-ヿ]")


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


def flat(messages: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested messages as one mapping by dotted key."""
    found: dict[str, str] = {}
    for key, value in messages.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found
