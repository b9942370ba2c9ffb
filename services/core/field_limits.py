"""Limits of fields that come from outside."""

from __future__ import annotations

import unicodedata
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


def is_plain(text: str) -> bool:
    """Whether all of a text can be seen: no control characters, and none that changes the direction of others.

    An override of direction makes a name or a reason read otherwise than it is written (Unicode Technical Report 36,
    3.4). Spaces of any width are plain: Chinese and Japanese have one of their own.
    """
    return all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in text)


def plain_line(text: str) -> str:
    """Return a text of one line as it is; for fields of models.

    Raises
    ------
    ValueError
        If it is empty but for spaces, or not all of it can be seen (`is_plain`).
    """
    if not text.strip() or not is_plain(text):
        raise ValueError("expected words that can be seen, without control characters or marks of direction")
    return text


def plain_lines(text: str) -> str:
    """Return a text of any number of lines, without spaces around it; for fields of models.

    Raises
    ------
    ValueError
        As `plain_line`.
    """
    if not text.strip() or not all(is_plain(line) for line in text.replace("\r\n", "\n").split("\n")):
        raise ValueError("expected words that can be seen, without control characters or marks of direction")
    return text.strip()
