"""One request of the API as a plain value: `Client` sends it and waits, `AsyncClient` sends it and doesn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Value = str | int | float | bool | datetime | Sequence[str] | None
# As the methods take it, whose words are in `hazecast.services.client.queries`.
Query = Mapping[str, Any]
# `from` is a word of Python's own.
_NAMES = {"start": "from", "end": "to"}


@dataclass(frozen=True)
class Ask(Generic[T]):
    """One request, and what its answer is read as."""

    path: str
    read: Callable[[bytes], T]
    query: Query = field(default_factory=dict)
    accept: str = "application/json"
    method: str = "GET"
    body: bytes | None = None
    # By which the server knows a repeated request: it may then be made again as a read may.
    idempotency_key: str | None = None

    def parameters(self, **more: Value) -> dict[str, Any]:
        """Return the query as it is sent: times in ISO 8601, nothing that isn't given."""
        given = {_NAMES.get(name, name): value for name, value in {**self.query, **more}.items() if value is not None}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def model(kind: type[M], path: str, query: Query | None = None, **more: Any) -> Ask[M]:
    """Return a request whose answer is JSON of a model.

    Parameters
    ----------
    kind : type
        The model.
    path : str
    query : mapping, optional
    **more : str or bytes
        Method and body.

    Returns
    -------
    Ask
    """
    return Ask(path, kind.model_validate_json, query or {}, **more)


def file(path: str, query: Query | None = None, accept: str = "*/*") -> Ask[bytes]:
    """Return a request whose answer is given as it comes.

    Parameters
    ----------
    path : str
    query : mapping, optional
    accept : str
        Media type.

    Returns
    -------
    Ask[bytes]
    """
    return Ask(path, bytes, query or {}, accept)


def sent(body: BaseModel) -> bytes:
    """Return the JSON of what was given of a model."""
    return body.model_dump_json(exclude_unset=True).encode()


def segment(text: str) -> str:
    """Return a name as one segment of a path, with everything else in it escaped."""
    return quote(text, safe="")
