"""What is done with the entries of own cities, as types, and what a file says of a city: light, also for the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Change = Literal["add", "change", "remove"]
# Why no city can be written.
Trouble = Literal["not_set", "missing", "not_writable"]


def as_entered(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says of a city: nothing that it may leave out."""
    defaults: tuple[tuple[str, Any], ...] = (("forecast", True), ("stations", []))
    return {name: value for name, value in fields.items() if value is not None and (name, value) not in defaults}
