"""Limits of fields that come from outside."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError


def at_most(items: int) -> BeforeValidator:
    """Refuse a longer list before any of its items is looked at: each wrong one would be an error of its own."""

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) > items:
            raise PydanticCustomError(
                "too_long", "List should have at most {most} items, not {found}", {"most": items, "found": len(value)}
            )
        return value

    return BeforeValidator(check)
