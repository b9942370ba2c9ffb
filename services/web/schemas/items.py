"""The one envelope of lists."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class ItemsOut(BaseModel, Generic[T]):
    """A list, or a page of a long one."""

    items: list[T]
    next: str | None = Field(
        default=None, description="Give it as `cursor` for the next page; null on the last, and where all is given."
    )
