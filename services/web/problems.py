"""Problems as RFC 9457 tells them: a type that can be looked up, and every argument that is wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
# By status: the name in the type, and what the reader can do. Those not named here are "about:blank" (RFC 9457, 4.2.1).
KINDS: dict[int, tuple[str, str]] = {
    400: ("bad-request", "The request can't be read. Correct it; the detail says what is wrong."),
    401: ("unauthenticated", "A key is missing, unknown, expired or revoked. Send one in Authorization: Bearer."),
    403: ("forbidden", "The key is valid and doesn't allow this. Ask the administrator for the scope named."),
    404: ("not-found", "There is nothing under this address, or not yet. The detail names what is near, if anything."),
    405: ("method-not-allowed", "The address is right, the method isn't. The header Allow lists those that are."),
    406: ("not-acceptable", "The answer exists in other media types only; the detail lists them."),
    409: ("conflict", "What the request changes has changed meanwhile. Read it again and decide anew."),
    413: ("too-large", "The body of the request is larger than the service takes."),
    422: ("invalid-argument", "Arguments are wrong. Each is listed in `errors` with its place and the reason."),
    429: ("too-many-requests", "Wait as many seconds as Retry-After says."),
    500: ("internal", "The service failed. The fault is logged; nothing was changed by this request."),
    503: ("unavailable", "The service can't answer for now. Try again later."),
}


class InvalidArgument(HTTPException):
    """An argument that passed its type and is wrong all the same.

    Parameters
    ----------
    field : str
    found : object
    expected : str
    where : {"query", "path", "header", "body"}
    """

    def __init__(self, field: str, found: object, expected: str, where: str = "query") -> None:
        reason = f"found {found}; expected {expected}"
        super().__init__(422, f"{field}: {reason}")
        self.errors = [{"field": field, "in": where, "reason": reason}]


def problem(
    status: int,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    base: str = "",
) -> JSONResponse:
    """Return a problem as a response.

    Parameters
    ----------
    status : int
    detail : str
        One or two sentences about this very case.
    errors : list of dict, optional
        Every wrong argument: ``field``, ``in`` and ``reason``.
    headers : mapping, optional
    base : str
        The public address of the service; without one the type is relative to the answer's own (RFC 9457, 3.1.1).
    """
    kind = f"{base}/v1/problems/{KINDS[status][0]}" if status in KINDS else "about:blank"
    content: dict[str, Any] = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors:
        content["errors"] = errors
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def add_problems(app: FastAPI, public_url: str | None) -> None:
    """Make every error of the app a problem."""
    base = (public_url or "").rstrip("/")

    @app.exception_handler(HTTPException)
    async def http_problem(_: Request, error: HTTPException) -> Response:
        errors = getattr(error, "errors", None)
        return problem(error.status_code, str(error.detail), errors=errors, headers=error.headers, base=base)

    @app.exception_handler(RequestValidationError)
    async def validation_problem(_: Request, error: RequestValidationError) -> Response:
        errors = [_invalid(one) for one in error.errors()]
        detail = "; ".join(f"{one['field']}: {one['reason']}" if one["field"] else one["reason"] for one in errors)
        return problem(422, detail, errors=errors, base=base)

    @app.exception_handler(Exception)
    async def unexpected_problem(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "the service failed; the log says why", base=base)


def _invalid(error: Mapping[str, Any]) -> dict[str, str]:
    where, *path = map(str, error["loc"])
    found = "" if error["type"] == "missing" else f"found {_short(error.get('input'))}; "
    return {"field": ".".join(path), "in": where, "reason": f"{found}{error['msg']}"}


def _short(value: object) -> str:
    # What was sent comes back, but not a megabyte of it.
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
