"""Errors as the API answers them: problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from grids.errors import ConflictError, InputError, UnknownError

PROBLEM = "application/problem+json"


def problem(
    status: int, detail: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an answer that says what went wrong, and with which field."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _encodable(detail),
    }
    return JSONResponse(content | ({"field": _encodable(field)} if field else {}), status, headers, media_type=PROBLEM)


def _encodable(text: str) -> str:
    # JSON input may hold half of a surrogate pair, which no answer can.
    return text.encode(errors="replace").decode()


class Refusal(HTTPException):
    """The answer to unusable input: 404 for what doesn't exist, 409 for a conflict, else 422 with the field."""

    def __init__(self, error: InputError) -> None:
        kinds: dict[type[InputError], int] = {UnknownError: 404, ConflictError: 409}
        status = next((status for kind, status in kinds.items() if isinstance(error, kind)), 422)
        self.field = error.where if status == 422 else None
        super().__init__(status, str(error))
