"""Results written as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hazecast.services.core.files import atomic_write


def write_json(value: dict[str, Any], path: Path) -> None:
    """Write a JSON document, replacing the file at once.

    Parameters
    ----------
    value : dict
        JSON values, none of them NaN or infinite.
    path : Path
    """
    with atomic_write(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
