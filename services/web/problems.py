"""Errors as the API answers them: problem details (RFC 9457), with a type to look up and every invalid argument."""

from __future__ import annotations

import logging
import os
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match

from hazecast.grids.errors import ConflictError, InputError, MissingExtraError, UnknownError
from hazecast.services.core.errors import StoreError
from hazecast.services.observability.requests import id_headers

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
# Whoever sends more mistakes learns of the others when these are corrected.
_MOST_ERRORS, _LONGEST_NAME = 20, 200
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_NAME},}}")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# A time whose plus sign an address has made a space.
_LOST_PLUS = re.compile(r" \d\d(:?\d\d)?$")
# By status: the name in the type, and what the reader can do. Those not named here are "about:blank" (RFC 9457, 4.2.1).
KINDS: dict[int, tuple[str, str]] = {
    400: ("bad-request", "The request can't be read. Correct it; the detail says what is wrong."),
    401: ("unauthenticated", "A key is missing, unknown, expired or revoked. Send one in Authorization: Bearer."),
    403: ("forbidden", "The key is valid and doesn't allow this. Ask the administrator for the scope named."),
    404: ("not-found", "There is nothing under this address, or not yet. The detail names what is near, if anything."),
    405: ("method-not-allowed", "The address is right, the method isn't. The header Allow lists those that are."),
    406: ("not-acceptable", "The answer exists in other media types only; the detail lists them."),
    408: ("too-slow", "The body of the request did not come in time. Send it again."),
    409: ("conflict", "What the request changes has changed meanwhile. Read it again and decide again."),
    413: ("too-large", "The body of the request is larger than the service takes."),
    422: ("invalid-argument", "Arguments are wrong. Each is listed in `errors` with its place and the reason."),
    429: ("too-many-requests", "Wait as many seconds as Retry-After says."),
    431: ("headers-too-large", "The headers of the request are larger than the service takes."),
    500: ("internal", "The service failed. The fault is logged; nothing was changed by this request."),
    501: ("not-installed", "The service runs without the optional package that this needs; the detail names it."),
    503: ("unavailable", "The service can't answer for now. Try again later."),
}


class InvalidArgument(HTTPException):
    """An argument of the right type with an invalid value.

    Parameters
    ----------
    field : str
        Its name.
    found : object
    expected : str
    where : {"query", "path", "header", "body"}
    """

    def __init__(self, field: str, found: object, expected: str, where: str = "query") -> None:
        reason = f"found {found}; expected {expected}"
        super().__init__(422, f"{field}: {reason}")
        self.errors = [{"field": field, "in": where, "reason": reason}]


class RowsRefused(HTTPException):
    """A request of rows of which none can be used: 422 with what is wrong in the first of them.

    Parameters
    ----------
    detail : str
    errors : sequence of (str, str)
        Field and reason.
    """

    def __init__(self, detail: str, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(422, detail)
        self.errors = [
            {"field": field, "in": "header" if field == "Idempotency-Key" else "body", "reason": reason}
            for field, reason in errors
        ]


class Refusal(HTTPException):
    """The answer to unusable input: 404 for what doesn't exist, 409 for a conflict, 501 for a missing extra, else 422 with the field."""

    def __init__(self, error: InputError) -> None:
        kinds: dict[type[InputError], int] = {UnknownError: 404, ConflictError: 409, MissingExtraError: 501}
        status = next((status for kind, status in kinds.items() if isinstance(error, kind)), 422)
        super().__init__(status, str(error))
        reason = f"found {error.found}; expected {error.expected}"
        self.errors = [{"field": error.where, "in": "body", "reason": reason}] if status == 422 else None


def problem(
    status: int,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a problem as a response.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        One or two sentences about this occurrence.
    errors : list of dict, optional
        Every invalid argument: ``field``, ``in`` and ``reason``.
    headers : mapping, optional
    more : mapping, optional
        Further members (RFC 9457, 3.2).

    Returns
    -------
    JSONResponse
        Of media type ``application/problem+json``.
    """
    # An address relative to the answer's own (RFC 9457, 3.1.1): the service may be known by several names.
    kind = f"/v1/problems/{KINDS[status][0]}" if status in KINDS else "about:blank"
    content: dict[str, Any] = {"type": kind, "title": HTTPStatus(status).phrase, "status": status}
    content["detail"] = _sendable(detail)
    if errors:
        content["errors"] = [{name: _sendable(text) for name, text in error.items()} for error in errors]
    # Caches may keep a 404 or a 405 that doesn't say so (RFC 9110, 15.1).
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(content | dict(more or {}), status, kept, media_type=PROBLEM)


def add_problems(app: FastAPI, data_dir: Path, missing_page: Callable[[Request], Response]) -> None:
    """Make the app answer every error as a problem, and who opens an address outside the API that leads nowhere by a page.

    Parameters
    ----------
    app : FastAPI
    data_dir : Path
        The data folder, which no answer names: an error about a file does.
    missing_page : callable
        Gives that page.
    """

    def shown(text: str) -> str:
        return text.replace(f"{data_dir}{os.sep}", "").replace(str(data_dir), "the data folder")

    @app.exception_handler(HTTPException)
    async def http_problem(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and _opened_by_a_person(request):
            return await run_in_threadpool(missing_page, request)
        if error.status_code == 405:
            return _other_methods(request)
        if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
            return problem(404, _no_address(request))
        errors = [{k: shown(v) for k, v in one.items()} for one in getattr(error, "errors", None) or ()]
        return problem(error.status_code, shown(str(error.detail)), errors=errors, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def validation_problem(_: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        errors = [_invalid(one) for one in found[:_MOST_ERRORS]]
        told = [f"{one['field']}: {one['reason']}" if one["field"] else one["reason"] for one in errors]
        if len(found) > len(errors):
            told.append(f"and {len(found) - len(errors)} more")
        return problem(422, "; ".join(told), errors=errors)

    @app.exception_handler(StoreError)
    async def store_problem(request: Request, error: StoreError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return problem(503, "the store can't be reached now; try again later", headers={"Retry-After": "30"})

    @app.exception_handler(Exception)
    async def unexpected_problem(request: Request, error: Exception) -> Response:
        log.error("%s %r failed", request.method, request.url.path, exc_info=error)
        return problem(500, "the service failed; the log says why", headers=id_headers())


def _opened_by_a_person(request: Request) -> bool:
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


def _other_methods(request: Request) -> Response:
    """Answer OPTIONS, and a method that an address doesn't have, with those that it has (RFC 9110, 9.3.7 and 15.5.6)."""
    allowed = ", ".join([*_methods(request, request.url.path), "OPTIONS"])
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allowed})
    return problem(405, f"found {request.method}; expected {allowed}", headers={"Allow": allowed})


def _methods(request: Request, path: str) -> list[str]:
    """Return the methods of all routes of a path; a route alone knows its own."""
    found = []
    for method in _METHODS:
        scope = {**request.scope, "method": method, "path": path}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found += [method, "HEAD"] if method == "GET" else [method]
    return found


def _no_address(request: Request) -> str:
    path = request.url.path
    bare = path.rstrip("/")
    near = f"; {bare} is one" if bare and bare != path and _methods(request, bare) else ""
    return f"{path} is no address of this service{near}"


def _invalid(error: Mapping[str, Any]) -> dict[str, str]:
    where, *path = map(str, error["loc"])
    if error["type"] == "json_invalid":
        # What stands for the field is the place in the text.
        return {"field": "", "in": where, "reason": f"not JSON at character {path[0]}: {error['ctx']['error']}"}
    given = error.get("input")
    found = "" if error["type"] == "missing" else f"found {_short(given)}; "
    lost = where == "query" and error["type"].startswith("datetime") and _LOST_PLUS.search(str(given))
    hint = "; a plus sign in an address is written %2B" if lost else ""
    return {"field": _cut(".".join(path)), "in": where, "reason": f"{found}{error['msg']}{hint}"}


def _cut(name: str) -> str:
    # A field that is not known has whatever name the sender gave it.
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def _short(value: object) -> str:
    # The answer repeats what was sent, but not a megabyte of it.
    return reprlib.repr(value)


def _sendable(text: str) -> str:
    # JSON input may hold half of a surrogate pair, which no answer can; an address may be 60 kB of one word.
    return _LONG_WORD.sub(lambda word: _cut(word[0]), text.encode(errors="replace").decode())
